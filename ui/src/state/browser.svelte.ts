// The site browser: its history, what the frame loads, and the progress of that.

import { Refusal, type Api, type Navigated, type Place, type Stop } from '../api';
import { frameUrl, home, isPage, sameDocument, siteOrigin, tidy } from '../lib/address';
import { caseLost, meaning, webAddress } from '../lib/meaning';
import type { Backend } from './backend.svelte';
import { words } from './failure';
import { canGo, cleared, current, go, start, reported, visit, type Entry, type History } from './history';
import { Outside } from './outside';
import { titlesWith, type Titles } from './titles';

/** A document request that has not reached the viewer by then never will: names under `.localhost` do not resolve here. */
const UNREACHED_MS = 6000;

const UNREACHED = 'The page didn’t load. This browser may not support addresses that end in “.localhost”. Try another browser on this computer.';

export const CASE_LOST = 'This link lost its capital letters on the way, so its peer ID can’t be read. Ask for it again: “Copy link” now gives links that survive this.';

/** A document may be reported this much later than the frame's own load event. */
const LATE_MS = 1000;

/** The frame does not report downloads or empty answers; the progress line is not shown for longer than this. */
const LOADING_MS = 30_000;

/** What the frame is to load. Another generation is another frame: nothing of the old page remains. */
export interface Target {
  readonly url: string;
  readonly generation: number;
}

export class Browser {
  target = $state.raw<Target | null>(null);
  loading = $state(false);
  /** The user stopped the page from loading; there is nothing to show. */
  stopped = $state(false);
  /** Why no page appears, in words: no request for it reached the viewer. */
  trouble = $state.raw<string | null>(null);

  /** The frame went to the current entry itself, since this was last looked at: by a link, a form, or its own history. */
  byFrame = false;

  #history = $state.raw(start);
  readonly entry: Entry = $derived(current(this.#history));
  /** All entries of the history; {@link position} is the current one. */
  readonly entries: readonly Entry[] = $derived(this.#history.entries);
  readonly position = $derived(this.#history.index);
  /** Of pages in the history, as they have them. */
  titles = $state.raw<Titles>({});
  /** For the tab to keep. */
  get history(): History {
    return this.#history;
  }
  readonly canBack = $derived(canGo(this.#history, -1));
  readonly canForward = $derived(canGo(this.#history, 1));

  #api: Api;
  #backend: Backend;
  /** Where we sent the frame, until that is reported; reports of other documents are echoes of earlier pages. */
  #expected: Place | null = null;
  /**
   * The first document reported since the frame last loaded, other than where we sent it. Reports come from every frame of every
   * window, and from any page that frames a site just to be reported here: it is ours if our frame loads. Later ones are then
   * frames within it.
   */
  #pending: { event: Navigated; at: number } | null = null;
  /** The document that the frame loads is already known: we sent it there, or it reloads. */
  #known = false;
  /** The frame loaded something that was not reported yet. */
  #unreported = false;
  #everReported = false;
  /** The current page is one about a failure to load it. */
  #failed = false;
  #loadedAt = 0;
  #generation = 0;
  /** Names do not resolve in this window: sites are at ports. */
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
    return this.#api.onNavigated((event) => this.#onNavigated(event));
  }

  /** Opens a typed or pasted address; rejects with a refusal to show, {@link Outside} if it is not one of a site. */
  async open(text: string): Promise<void> {
    const typed = text.trim();
    const means = meaning(typed);
    if (means === 'network') return this.add(typed);
    if (means === 'connect') throw new Outside(typed, null);
    if (caseLost(typed)) throw new Refusal({ code: 'case-lost', message: CASE_LOST });
    try {
      this.visit(await this.#api.place(typed));
    } catch (thrown) {
      const url = webAddress(typed);
      throw url !== null && Refusal.from(thrown, '').code === 'invalid' ? new Outside(typed, url) : thrown;
    }
  }

  /** Remembers a network address and visits the peer there; rejects with a refusal to show. */
  async add(address: string): Promise<void> {
    this.visit(home(await this.#api.addAddress(address.trim())));
  }

  visit(place: Place): void {
    this.byFrame = false;
    const entry = { peer: place.peer, path: tidy(place.path), at: Date.now() };
    const here = this.entry;
    if (!here || here.peer !== entry.peer || here.path !== entry.path) this.#history = visit(this.#history, entry);
    this.#load(here);
  }

  welcome(): void {
    this.byFrame = false;
    if (this.entry) this.#history = visit(this.#history, null);
    this.#load(null);
  }

  clear(): void {
    this.#history = cleared(this.#history);
  }

  go(by: number): void {
    if (!canGo(this.#history, by)) return;
    const here = this.entry;
    this.byFrame = false;
    this.#history = go(this.#history, by);
    this.#load(here);
  }

  /** Starts with a history from before; nothing is loaded yet. */
  restore(history: History, titles: Titles = {}): void {
    this.#history = history;
    this.titles = titles;
  }

  /** Goes to an entry of the history, and loads it where the frame is not there. */
  at(position: number): void {
    if (position !== this.position && canGo(this.#history, position - this.position)) this.go(position - this.position);
    else if (!this.target) this.#load(null);
  }

  /** Goes to a place as the tab does: to the entry it notes, or else as if it was just opened. */
  comeTo(place: Entry, position: number | null): void {
    const noted = position === null ? undefined : this.entries[position];
    const same = noted === null || noted === undefined || place === null ? noted === place : noted.peer === place.peer && noted.path === place.path;
    if (position !== null && same) this.at(position);
    else if (place) this.visit(place);
    else this.welcome();
  }

  /** In a new frame: an address with a fragment would otherwise only scroll. A page whose owner did not answer is really tried. */
  reload(): void {
    const { entry } = this;
    if (!entry || !this.#failed) return this.#load(null, true);
    const load = (): void => {
      if (this.entry === entry) this.#load(null, true);
    };
    this.#api.people.tryAgain(entry.peer).then(load, load);
  }

  stop(): void {
    this.#settle();
    this.target = null;
    this.stopped = true;
  }

  /** The frame finished loading a document, whichever it was. */
  loaded(): void {
    const pending = this.#pending && Date.now() - this.#pending.at < LOADING_MS ? this.#pending.event : null;
    const known = this.#known;
    this.#loadedAt = Date.now();
    this.#forget();
    this.#unreported = !known && !pending;
    if (pending && !known) this.#follow(pending);
    this.#wait(false);
  }

  /** The address of the page for a browser: at its port where this window needs that, else by name. */
  get outside(): string | null {
    const entry = this.entry;
    const origin = entry && (this.#origins[entry.peer] ?? this.#named(entry.peer));
    return entry && origin && frameUrl(entry, origin);
  }

  /**
   * The address of a page for another frame of this window; `unreached` when the one by name did not load. Of the user's own site
   * there is one for a `stranger`, too.
   */
  async urlOf(place: Place, stranger: boolean, unreached: boolean): Promise<string | null> {
    const found = stranger ? undefined : this.#origins[place.peer];
    const known = found ?? (this.#ports || unreached ? await this.#api.origin(place, stranger) : this.#named(place.peer, stranger));
    return known && frameUrl(place, known);
  }

  #named(peer: string, stranger = false): string | null {
    const port = this.#backend.session?.viewer_port;
    return port === undefined ? null : siteOrigin(peer, port, stranger);
  }

  /** Sends the frame to the current entry; `from` is the one it shows. */
  #load(from: Entry, fresh = false): void {
    const entry = this.entry;
    const origin = entry && (this.#ports ? this.#origins[entry.peer] : this.#named(entry.peer));
    this.#settle();
    this.#failed = false;
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
    if (!this.#everReported && isPage(entry.path)) this.#patience = setTimeout(() => this.#unreached(entry), UNREACHED_MS);
  }

  /** Names were tried first; then ports. */
  #unreached(entry: Place): void {
    if (this.#ports || this.#backend.link !== 'live') this.trouble = UNREACHED;
    else void this.#find(entry);
  }

  /** Asks for the site's port, and loads it there if it is still wanted. */
  async #find(entry: Place): Promise<void> {
    const wanted = (): boolean => this.entry === entry && !this.stopped;
    this.#wait(true);
    try {
      const origin = await this.#api.origin(entry, false);
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

  /** Earlier reports belong to a previous document. */
  #forget(): void {
    this.#expected = null;
    this.#pending = null;
    this.#known = false;
    this.#unreported = false;
  }

  #onNavigated(event: Navigated): void {
    if (!this.entry || !this.target) return;
    const { place, status, title } = event;
    if (title !== null) {
      this.titles = titlesWith(this.titles, place, title);
      return;
    }
    const late = this.#unreported && Date.now() - this.#loadedAt < LATE_MS;
    if (this.#expected && !sameDocument(this.#expected, place)) return;
    if (this.#expected || late || sameDocument(this.entry, place)) {
      this.#known ||= this.#expected !== null || (status === null && !late);
      this.#follow(event);
    } else if (!this.#known) {
      const first = this.#pending && Date.now() - this.#pending.at < LOADING_MS ? this.#pending.event.place : place;
      if (!sameDocument(first, place)) return;
      this.#pending = { event, at: Date.now() };
      this.#wait(status === null);
    }
  }

  #follow({ place, status }: Navigated): void {
    clearTimeout(this.#patience);
    this.#everReported = true;
    this.trouble = null;
    this.#expected = null;
    const before = this.entry;
    this.#history = reported(this.#history, { peer: place.peer, path: tidy(place.path), at: Date.now() }, status);
    this.byFrame ||= this.entry !== before;
    this.#failed = status !== null && status >= 500;
    if (status === null) this.#wait(true);
    else if (Date.now() - this.#loadedAt < LATE_MS) this.#wait(false);
  }

  #wait(loading: boolean): void {
    clearTimeout(this.#enough);
    this.loading = loading;
    if (loading) this.#enough = setTimeout(() => (this.loading = false), LOADING_MS);
  }
}
