// The state of one window, made once from its api, and what acts on several parts of it.

import { Refusal, type Api, type FindLook, type PeerCard, type ShellApi, type Stop } from '../api';
import { meaning } from '../lib/meaning';
import { displayName, isolated } from '../lib/names';
import { named } from '../lib/search';
import { arrivals } from './arrivals';
import { Backend } from './backend.svelte';
import { Browser } from './browser.svelte';
import { Denials, pressed } from './denials.svelte';
import { words } from './failure';
import { Navigation, PAGE_NAMES } from './navigation.svelte';
import { People } from './people.svelte';
import { Preferences } from './preferences.svelte';
import { ShellState } from './shell.svelte';
import { Site } from './site.svelte';
import { TabHistory } from './tab';
import { Toasts } from './toasts.svelte';
import { Zoom } from './zoom.svelte';

export class AppState {
  readonly api: Api;
  readonly backend: Backend;
  readonly browser: Browser;
  readonly navigation: Navigation;
  readonly people: People;
  readonly preferences: Preferences;
  readonly shell: ShellState;
  readonly site: Site;
  readonly zoom: Zoom;
  readonly tab: TabHistory;
  readonly toasts = new Toasts();
  readonly denials = new Denials();
  /** The webview zooms sites itself. */
  zoomed = $state(false);
  /** The favorites last seen, to tell who arrives. */
  #seen: readonly PeerCard[] | null = null;

  constructor(api: Api) {
    this.api = api;
    this.backend = new Backend(api);
    this.browser = new Browser(api, this.backend);
    this.navigation = new Navigation(this.browser);
    this.people = new People(api, this.backend, this.toasts);
    this.preferences = new Preferences(api);
    this.shell = new ShellState(api.shell);
    this.site = new Site(api.site, this.toasts);
    this.zoom = new Zoom(api);
    this.tab = new TabHistory(api.tab, this.browser, this.navigation);
    if (this.tab.goesOnline) this.site.sharing = 'first';
  }

  start(): Stop {
    void this.preferences.load();
    void this.zoom.load();
    const stops = [
      this.tab.start(),
      this.backend.start(),
      this.browser.start(),
      this.navigation.start(),
      this.shell.start(),
      this.api.onDenied((denied) => {
        const text = this.denials.add(denied) ? pressed(denied) : null;
        if (text) this.toasts.show(text);
      }),
      this.api.onLeaving((url) => {
        // A browser has replaced the page that was left with an empty one.
        this.browser.reload();
        this.navigation.askToLeave(url);
      }),
    ];
    if (this.api.shell) stops.push(this.api.shell.onOpened((place) => this.navigation.visit(place)));
    return () => stops.forEach((stop) => stop());
  }

  /** The app runs and its peer does not. */
  get resting(): boolean {
    return this.shell.value !== null && this.shell.value.stage.is !== 'online';
  }

  /** There is something to show. */
  get ready(): boolean {
    return this.backend.snapshot !== null && this.backend.session !== null && this.backend.link !== 'locked';
  }

  /** The peer whose site is shown. */
  get current(): string | null {
    return this.browser.entry?.peer ?? null;
  }

  get title(): string {
    const { page } = this.navigation;
    if (page) return `${PAGE_NAMES[page]} — Goop2`;
    const me = this.backend.snapshot?.me;
    const peer = this.current === null ? undefined : this.current === me?.id ? me : this.backend.peer(this.current);
    return peer ? `${isolated(displayName(peer))} — Goop2` : 'Goop2';
  }

  /** Notifies of favorites that came online, where the user wants that. */
  greet(peers: readonly PeerCard[]): void {
    // Offline nobody is seen, so that going online would bring all of them.
    if (this.resting) return void (this.#seen = null);
    const arrived = arrivals(this.#seen, peers);
    this.#seen = peers;
    if (!this.preferences.notify) return;
    for (const peer of arrived) void this.api.notify(`${isolated(displayName(peer))} is online`, 'One of your favorites in Goop2.').catch(() => {});
  }

  resize(by: 1 | -1 | 0): void {
    if (this.current === null) return;
    if (by === 0) this.zoom.reset(this.current);
    else this.zoom.step(this.current, by);
  }

  /** Sites have their zoom: by the webview itself, which then shows this window smaller, or else as a picture of the frame. */
  async fitZoom(shell: ShellApi, factor: number): Promise<void> {
    this.zoomed = await shell.zoom(factor).catch(() => false);
    document.documentElement.style.zoom = this.zoomed && factor !== 1 ? String(1 / factor) : '';
  }

  /** In the visited page, not in what is around it. A browser has its own search. */
  find(shell: ShellApi): void {
    this.navigation.site?.focusPage();
    this.attempt(() => shell.find(this.#findLook(), true));
  }

  /** The search bar is the window's, and stands below what it belongs to. */
  fitFind(shell: ShellApi): void {
    void shell.find(this.#findLook(), false).catch(() => {});
  }

  #findLook(): FindLook {
    const [side, page] = [document.querySelector('aside'), document.querySelector('main')];
    const of = (element: Element | null): CSSStyleDeclaration => getComputedStyle(element ?? document.body);
    const { backgroundColor: ground, color: text } = of(page);
    const { backgroundColor, borderRightColor } = of(side);
    const [part = 0, whole = 1] = [side, document.body].map((element) => element?.getBoundingClientRect().width);
    return { left: part / whole, side: backgroundColor, ground, text, line: side ? borderRightColor : text };
  }

  toggleFavorite(peer: PeerCard): void {
    const favorite = !peer.favourite;
    const set = (favourite: boolean): void => void this.api.people.note(peer.id, { favourite }).catch((thrown: unknown) => this.toasts.show(words(thrown)));
    set(favorite);
    this.toasts.show(`${isolated(displayName(peer))} ${favorite ? 'added to' : 'removed from'} favorites.`, () => set(!favorite));
  }

  /** Opens what a text means: a person's name, or any address. Rejects with a refusal to show. */
  async open(text: string): Promise<void> {
    const peer = ['name', 'web'].includes(meaning(text)) ? named(this.backend.peers, text) : undefined;
    if (peer) this.navigation.visitHome(peer.id);
    else if (meaning(text) === 'name') throw new Refusal({ code: 'invalid', message: 'Nobody here has that name. To open an address, paste all of it, starting with goop://' });
    else await this.navigation.open(text);
  }

  /** Joins a rendezvous and shows it; rejects with a refusal to show. */
  async join(url: string): Promise<void> {
    await this.api.rendezvous.join(url);
    this.navigation.show('rendezvous');
  }

  /** Joins what a text means, and reports why that failed. */
  tryJoin(text: string): void {
    this.attempt(() => this.join(text));
  }

  leave(url: string): void {
    this.navigation.leaving = null;
    this.attempt(() => this.api.leave(url));
  }

  openRefused(url: string): void {
    this.attempt(async () => {
      await this.api.openExternal(url);
      this.shell.refused = null;
    });
  }

  joinRefused(url: string): void {
    this.shell.refused = null;
    this.tryJoin(url);
  }

  /** Opens something outside the window, and says so when that cannot be done. */
  attempt(act: () => Promise<void>): void {
    void act().catch((thrown: unknown) => this.toasts.show(words(thrown)));
  }
}
