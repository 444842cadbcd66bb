// What shows the page: the tab of a browser, with its address and history, or the app's window, which has neither. Both keep
// values until they are closed, so that a reload comes back to what was shown.

import type { Tab } from './index';

const HISTORY = 'goop2.history';
const ENTRY = 'goop2.entry';

const kept = (): unknown => stored(HISTORY);
const keep = (value: unknown): void => store(HISTORY, value);

/** The tab of a browser. */
export const tab: Tab = {
  hash: () => location.hash.slice(1),
  note: () => history.state as unknown,
  push: (hash, note) => history.pushState(note, '', address(hash)),
  replace: (hash, note) => history.replaceState(note, '', address(hash)),
  onMoved: (callback) => {
    window.addEventListener('popstate', callback);
    return () => window.removeEventListener('popstate', callback);
  },
  kept,
  keep,
};

interface Kept {
  readonly hash?: unknown;
  readonly note?: unknown;
}

const entry = (): Kept => (stored(ENTRY) as Kept | null) ?? {};
const set = (hash: string, note: unknown): void => store(ENTRY, { hash, note });

/** The app's window, which loads its page again when the local pages get another address. */
export const appWindow: Tab = {
  hash: () => {
    const { hash } = entry();
    return typeof hash === 'string' ? hash : '';
  },
  note: () => entry().note ?? null,
  push: set,
  replace: set,
  onMoved: () => () => {},
  kept,
  keep,
};

const address = (hash: string): string => `${location.pathname}${location.search}${hash && `#${hash}`}`;

function stored(name: string): unknown {
  try {
    return JSON.parse(sessionStorage.getItem(name) ?? 'null');
  } catch {
    return null;
  }
}

function store(name: string, value: unknown): void {
  try {
    sessionStorage.setItem(name, JSON.stringify(value));
  } catch {
    /* only forgotten */
  }
}
