// What the window shows: the site browser or one of Goop2's own pages over it, and which dialogs are open.
// The browser keeps its page beneath an open page.

import { tick } from 'svelte';
import type { Place, Stop } from '../api';
import { home } from '../lib/address';
import type { Browser } from './browser.svelte';

export type Page = 'site' | 'rendezvous' | 'network' | 'settings' | 'log' | 'history';

/** What can be opened while the peer is not online. */
export type OfflinePage = Extract<Page, 'site' | 'settings'>;

/** In the order of the bar. */
export const PAGE_NAMES: Record<Page, string> = { site: 'My site', rendezvous: 'Rendezvous', network: 'Network', settings: 'Settings', log: 'Log', history: 'History' };

/** Narrower than this, as zoom makes a window, the list of peers and the rest are shown one at a time. */
const NARROW = '(max-width: 560px)';

/** A page that asks to be left again right after the answer is ignored for this long. */
const QUIET_MS = 1500;

export class Navigation {
  /** null is the site browser. */
  page = $state<Page | null>(null);
  sidebar = $state(true);
  /** The dialog for a network address is open. */
  adding = $state(false);
  /** The list of the user's sites is open. */
  choosing = $state(false);
  /** The peer whose details are open. */
  about = $state<string | null>(null);
  /** Where a site's link leads, outside Goop2. */
  leaving = $state<string | null>(null);
  /** The page that is open while the peer is not online. */
  offlinePage = $state<OfflinePage | null>(null);
  /** The one that the user comes back from. */
  offlineBefore = $state<OfflinePage | null>(null);

  /** The components that take the focus, while they exist. */
  side = $state.raw<{ focusSearch(): void }>();
  site = $state.raw<{ focusPage(): void; editAddress(): void }>();

  #browser: Browser;
  #quietUntil = 0;
  #narrow: MediaQueryList | null = null;
  /** What had the focus when a page opened; it gets it back when the page closes. */
  #before: Element | null = null;

  constructor(browser: Browser) {
    this.#browser = browser;
  }

  /** Follows the width of the window. */
  start(): Stop {
    this.#narrow = matchMedia(NARROW);
    const follow = (): void => void (this.sidebar = !this.#narrow?.matches);
    follow();
    this.#narrow.addEventListener('change', follow);
    return () => this.#narrow?.removeEventListener('change', follow);
  }

  visit(place: Place): void {
    this.page = null;
    this.#uncover();
    this.#browser.visit(place);
  }

  visitHome(peer: string): void {
    this.visit(home(peer));
  }

  welcome(): void {
    this.page = null;
    this.#uncover();
    this.#browser.welcome();
  }

  /** Opens a typed or pasted text; rejects with a refusal to show. */
  async open(text: string): Promise<void> {
    await this.#browser.open(text);
    this.page = null;
    this.#uncover();
  }

  /** Goes to an entry of the history. */
  goTo(entry: number): void {
    this.page = null;
    this.#browser.go(entry - this.#browser.position);
  }

  show(page: Page): void {
    if (this.page === null) this.#before = document.activeElement;
    this.sidebar = !this.#narrow?.matches;
    this.page = page;
  }

  async closePage(): Promise<void> {
    this.page = null;
    await tick();
    if (this.#before instanceof HTMLElement) this.#before.focus();
  }

  showOffline(page: OfflinePage): void {
    this.offlinePage = page;
  }

  closeOffline(): void {
    this.offlineBefore = this.offlinePage;
    this.offlinePage = null;
  }

  /** The peer is online, or about to be. */
  leaveOffline(): void {
    this.offlinePage = null;
    this.offlineBefore = null;
  }

  search(): void {
    this.sidebar = true;
    queueMicrotask(() => this.side?.focusSearch());
  }

  async editAddress(): Promise<void> {
    this.page = null;
    await tick();
    this.site?.editAddress();
  }

  /** Where there is room for one of them only, what was opened comes before the list of peers. */
  #uncover(): void {
    if (this.#narrow?.matches) this.sidebar = false;
  }

  /** A site's link leads outside Goop2: the user is asked. */
  askToLeave(url: string): void {
    if (this.leaving === null && performance.now() > this.#quietUntil) this.leaving = url;
  }

  stay(): void {
    this.leaving = null;
    this.#quietUntil = performance.now() + QUIET_MS;
  }
}
