// The site browser: the history, what the frame is to load, and what is known of how that goes.

import { Refusal, type Api, type Navigated, type Place, type Stop } from '../api';
import { frameUrl, home, isMultiaddr, sameDocument, tidy } from '../lib/place';
import type { Backend } from './backend.svelte';
import { canGo, current, go, start, told, visit, type Entry } from './history';

/** A document request that has not even reached the viewer by now never will: its name does not resolve here. */
const UNREACHED_MS = 6000;

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
  /** No request for the page ever arrived where sites are served. */
  unreached = $state(false);

  #history = $state.raw(start);
  readonly entry: Entry = $derived(current(this.#history));
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
  #patience: ReturnType<typeof setTimeout> | undefined;
  #enough: ReturnType<typeof setTimeout> | undefined;

  constructor(api: Api, backend: Backend) {
    this.#api = api;
    this.#backend = backend;
  }

  start(): Stop {
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

  go(by: -1 | 1): void {
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

  /** Where sites are served, once the peer has said so. */
  get port(): number | null {
    return this.#backend.session?.viewer_port ?? null;
  }

  /** Sends the frame to the current entry; `from` is the one it shows. */
  #load(from: Entry, fresh = false): void {
    const entry = this.entry;
    const url = entry && this.port !== null ? frameUrl(entry, this.port) : null;
    this.#settle();
    this.stopped = false;
    if (!entry || !url) {
      this.target = null;
      return;
    }
    const sameSite = this.target !== null && new URL(this.target.url).host === new URL(url).host;
    const scrolls = sameSite && !fresh && from !== null && sameDocument(from, entry) && url.includes('#');
    if (fresh || !sameSite) this.#generation++;
    this.target = { url, generation: this.#generation };
    if (scrolls) return;
    this.#expected = entry;
    this.#wait(true);
    if (!this.#everTold) this.#patience = setTimeout(() => (this.unreached = true), UNREACHED_MS);
  }

  #settle(): void {
    clearTimeout(this.#patience);
    this.#forget();
    this.#wait(false);
    this.unreached = false;
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
    this.unreached = false;
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

/** Every failure of `open`, in words. */
export const reason = (thrown: unknown): string => Refusal.from(thrown, 'This address could not be opened.').message;
