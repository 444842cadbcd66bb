// Which of Goop2's own pages is on show. They lie over the site browser, which keeps its place beneath them.

export type Page = 'rendezvous' | 'network' | 'settings' | 'log' | 'history';

/** In the order of the bar. */
export const PAGE_NAMES: Record<Page, string> = { rendezvous: 'Rendezvous', network: 'Network', settings: 'Settings', log: 'Log', history: 'History' };

export class Pages {
  /** null is the site browser. */
  current = $state<Page | null>(null);

  show(page: Page): void {
    this.current = page;
  }

  leave(): void {
    this.current = null;
  }
}
