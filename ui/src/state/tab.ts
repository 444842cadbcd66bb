// A page that is loaded again comes back to what was shown. In a browser, the address and the history of the tab follow, so
// that Back and bookmarks work, too. What the user opens is a new entry of the tab. What a frame opens is one already, made by the browser for
// the frame, and only gets its address. The window's own Back goes by the window's own history, which no site can fill.

import type { Stop, Tab } from '../api';
import type { Browser } from './browser.svelte';
import type { Navigation } from './navigation.svelte';
import { start as beginning, type Entry } from './history';
import { hashOf, historyOf, positionOf, routeOf } from './route';
import { titlesOf } from './titles';

export class TabHistory {
  #tab: Tab;
  #browser: Browser;
  #navigation: Navigation;
  #begun = false;
  /** Where the kept history was; null without one. */
  #restored: Entry = null;
  /** The user's own peer: with another one, what the window showed before means nothing. */
  #me = '';

  constructor(tab: Tab, browser: Browser, navigation: Navigation) {
    this.#tab = tab;
    this.#browser = browser;
    this.#navigation = navigation;
  }

  /** The window loads its page again to go online; it then comes back to My site, and hands out the link. */
  set goesOnline(on: boolean) {
    this.#tab.replace(on ? hashOf({ page: 'site', place: null }) : '', on ? { online: true } : null);
  }

  /** Whether the page was loaded again for that, before {@link begin}. */
  get goesOnline(): boolean {
    return (this.#tab.note() as { online?: unknown } | null)?.online === true;
  }

  start(): Stop {
    const kept = historyOf(this.#tab.kept());
    if (kept) this.#browser.restore(kept, titlesOf(this.#tab.kept()));
    this.#restored = this.#browser.entry;
    return this.#tab.onMoved(() => this.#begun && this.#follow());
  }

  /** Shows what the address says, once there is something to show it in. */
  begin(me: string): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#me = me;
    if (!ofPeer(this.#tab.kept(), me)) {
      if (this.#browser.entry === this.#restored) this.#browser.restore(beginning);
      this.#restored = this.#browser.entry;
      this.#tab.keep(null);
      if (positionOf(this.#tab.note()) !== null) this.#tab.replace('', null);
    }
    // A link may have been opened, or a window reloaded to use ports: these come first.
    if (this.#browser.target || this.#browser.loading) return;
    if (this.#browser.entry === this.#restored && !this.#navigation.page) this.#follow();
    else this.#browser.at(this.#browser.position);
  }

  /** Writes what is shown into the address. */
  write(): void {
    // Read in any case: an effect runs again for what it read.
    const { entry, position, history, titles } = this.#browser;
    const hash = hashOf({ page: this.#navigation.page, place: entry });
    if (!this.#begun) return;
    const note = { position };
    const { byFrame } = this.#browser;
    this.#browser.byFrame = false;
    this.#tab.keep({ me: this.#me, entries: history.entries, index: history.index, titles });
    if (hash === this.#tab.hash()) {
      if (position !== positionOf(this.#tab.note())) this.#tab.replace(hash, note);
    } else if (byFrame) this.#tab.replace(hash, note);
    else this.#tab.push(hash, note);
  }

  /** The tab moved within its history, was reloaded, or its address was typed. */
  #follow(): void {
    const { page, place } = routeOf(this.#tab.hash());
    const position = positionOf(this.#tab.note());
    this.#navigation.page = page;
    if (page) this.#browser.at(position ?? this.#browser.position);
    else this.#browser.comeTo(place, position);
    // An address that means something else than it says gets the one of what is shown.
    const { entry } = this.#browser;
    this.#tab.replace(hashOf({ page, place: entry }), { position: this.#browser.position });
  }
}

/** Whether the tab kept something of this peer, or nothing. */
const ofPeer = (kept: unknown, me: string): boolean => typeof kept !== 'object' || kept === null || (kept as { me?: unknown }).me === me;
