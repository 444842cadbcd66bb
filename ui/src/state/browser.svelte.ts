// The site browser: the history, what the frame is to load, and what is known of how that goes.

import type { Api, Navigated, Place, Stop } from '../api';
import { frameUrl, home, isMultiaddr, isPage, sameDocument, siteOrigin, tidy } from '../lib/address';
import type { Backend } from './backend.svelte';
import { words } from './failure';
import { canGo, cleared, current, go, start, told, visit, type Entry } from './history';

/** A document request that has not even reached the viewer by now never will: names under `.localhost` lead nowhere here. */
const UNREACHED_MS = 6000;

const UNREACHED = 'The page didn’t load. This browser may not support addresses that end in “.localhost”. Try another browser on this computer.';

/** Word of a document can come this much later than the frame's own word that it is loaded. */
const LATE_MS = 1000;

/** The frame never says that a page became a download or an empty answer; the progress line is not shown for longer. */
const LOADING_MS = 30_000;

/** What the frame is told to load. Another generation is another frame: nothing of the old page stays behind. */
export interface Target {
  readonly url: string;
  readonly generation: number;
}

export class Browser {
  target = $state.raw<Target | null>(null);
  loading = $state(false);
  /** The user stopped a page from loading; there is nothing to show in its place. */
  stopped = $state(false);
  /** Why no page comes, in words: no request for it ever arrived where sites are served. */
  trouble = $state.raw<string | null>(null);

  #history = $state.raw(start);
  readonly entry: Entry = $derived(current(this.#history));
  /** Everywhere this window has been; {@link position} is where it is. */
  readonly entries: readonly Entry[] = $derived(this.#history.entries);
  readonly position = $derived(this.#history.index);
  readonly canBack = $derived(canGo(this.#history, -1));
  readonly canForward = $derived(canGo(this.#history, 1));

  #api: Api;
  #backend: Backend;
  /** What we sent the frame to and have not heard of yet; words about other documents are echoes of earlier pages. */
  #expected: Place | null = null;
  /**
   * The first document heard of since the frame last loaded, not where we sent it. Word of documents comes from every frame of
   * every window, and from any page that frames a site only to be heard of here: it is ours when our frame loads. Later ones
   * are then frames within it.
   */
  #held: { event: Navigated; at: number } | null = null;
  /** The document that the frame loads is known already: we sent it there, or it loads again what it shows. */
  #known = false;
  /** The frame loaded what nobody had told of yet. */
  #owed = false;
  #everTold = false;
  #loadedAt = 0;
  #generation = 0;
  /** This window finds no names: sites are looked for at ports. */
  #ports = false;
  /** Origins at ports, by peer. */
  #origins = $state.raw<Readonly<Record<string, string>>>({});
  #patience: ReturnType<typeof setTimeout> | undefined;
  #enough: ReturnType<typeof setTimeout> | undefined;

  constructor(api: Api, backend: Backend) {
    this.#api = api;
    this.#backend = backend;
  }

  start(): Stop {
    const { ports, place } = this.#api.opening();
    this.#ports = ports;
    if (place) this.visit(place);
    return this.#api.onNavigated((event) => this.#hear(event));
  }

  /** Goes where a typed or pasted text leads; rejects with a refusal to show. */
  async open(text: string): Promise<void> {
    if (isMultiaddr(text)) await this.add(text);
    else this.visit(await this.#api.place(text.trim()));
  }

  /** Remembers a network address and goes to the peer behind it; rejects with a refusal to show. */
  async add(address: string): Promise<void> {
    this.visit(home(await this.#api.addAddress(address.trim())));
  }

  visit(place: Place): void {
    const entry = { peer: place.peer, path: tidy(place.path) };
    const here = this.entry;
    if (!here || here.peer !== entry.peer || here.path !== entry.path) this.#history = visit(this.#history, entry);
    this.#load(here);
  }

  welcome(): void {
    if (this.entry) this.#history = visit(this.#history, null);
    this.#load(null);
  }

  clear(): void {
    this.#history = cleared(this.#history);
  }

  go(by: number): void {
    if (!canGo(this.#history, by)) return;
    const here = this.entry;
    this.#history = go(this.#history, by);
    this.#load(here);
  }

  /** A new frame: an address with a fragment would otherwise only scroll. */
  reload(): void {
    this.#load(null, true);
  }

  stop(): void {
    this.#settle();
    this.target = null;
    this.stopped = true;
  }

  /** The frame finished a document, whichever it was. */
  loaded(): void {
    const held = this.#held && Date.now() - this.#held.at < LOADING_MS ? this.#held.event : null;
    const known = this.#known;
    this.#loadedAt = Date.now();
    this.#forget();
    this.#owed = !known && !held;
    if (held && !known) this.#follow(held);
    this.#wait(false);
  }

  /** The page shown, for a browser: at its port where this window needs that, else by its name. */
  get outside(): string | null {
    const entry = this.entry;
    const origin = entry && (this.#origins[entry.peer] ?? this.#named(entry.peer));
    return entry && origin && frameUrl(entry, origin);
  }

  #named(peer: string): string | null {
    const port = this.#backend.session?.viewer_port;
    return port === undefined ? null : siteOrigin(peer, port);
  }

  /** Sends the frame to the current entry; `from` is the one it shows. */
  #load(from: Entry, fresh = false): void {
    const entry = this.entry;
    const origin = entry && (this.#ports ? this.#origins[entry.peer] : this.#named(entry.peer));
    this.#settle();
    this.stopped = false;
    if (!entry || !origin) {
      this.target = null;
      if (entry && this.#ports) void this.#find(entry);
      return;
    }
    const url = frameUrl(entry, origin);
    const sameSite = this.target !== null && new URL(this.target.url).host === new URL(url).host;
    const scrolls = sameSite && !fresh && from !== null && sameDocument(from, entry) && url.includes('#');
    if (fresh || !sameSite) this.#generation++;
    this.target = { url, generation: this.#generation };
    if (scrolls) return;
    this.#expected = entry;
    this.#wait(true);
    if (!this.#everTold && isPage(entry.path)) this.#patience = setTimeout(() => this.#unreached(entry), UNREACHED_MS);
  }

  /** Names were tried first; ports are what remains. */
  #unreached(entry: Place): void {
    if (this.#ports || this.#backend.link !== 'live') this.trouble = UNREACHED;
    else void this.#find(entry);
  }

  /** Asks where the site is at a port, and goes there if it is still wanted. */
  async #find(entry: Place): Promise<void> {
    const wanted = (): boolean => this.entry === entry && !this.stopped;
    this.#wait(true);
    try {
      const origin = await this.#api.origin(entry);
      this.#origins = { ...this.#origins, [entry.peer]: origin };
      this.#ports = true;
      if (wanted()) this.#load(null, true);
    } catch (thrown) {
      if (!wanted()) return;
      this.#wait(false);
      this.trouble = words(thrown);
    }
  }

  #settle(): void {
    clearTimeout(this.#patience);
    this.#forget();
    this.#wait(false);
    this.trouble = null;
  }

  /** What was heard belongs to a document that is over. */
  #forget(): void {
    this.#expected = null;
    this.#held = null;
    this.#known = false;
    this.#owed = false;
  }

  #hear(event: Navigated): void {
    if (!this.entry || !this.target) return;
    const { place, status } = event;
    const late = this.#owed && Date.now() - this.#loadedAt < LATE_MS;
    if (this.#expected && !sameDocument(this.#expected, place)) return;
    if (this.#expected || late || sameDocument(this.entry, place)) {
      this.#known ||= this.#expected !== null || (status === null && !late);
      this.#follow(event);
    } else if (!this.#known) {
      const first = this.#held && Date.now() - this.#held.at < LOADING_MS ? this.#held.event.place : place;
      if (!sameDocument(first, place)) return;
      this.#held = { event, at: Date.now() };
      this.#wait(status === null);
    }
  }

  #follow({ place, status }: Navigated): void {
    clearTimeout(this.#patience);
    this.#everTold = true;
    this.trouble = null;
    this.#expected = null;
    this.#history = told(this.#history, { peer: place.peer, path: tidy(place.path) }, status);
    if (status === null) this.#wait(true);
    else if (Date.now() - this.#loadedAt < LATE_MS) this.#wait(false);
  }

  #wait(loading: boolean): void {
    clearTimeout(this.#enough);
    this.loading = loading;
    if (loading) this.#enough = setTimeout(() => (this.loading = false), LOADING_MS);
  }
}
