// The tab of a browser: its address, its history, and what it keeps until it is closed.

import type { Tab } from './index';

const KEPT = 'goop2.history';

export const tab: Tab = {
  hash: () => location.hash.slice(1),
  note: () => history.state as unknown,
  push: (hash, note) => history.pushState(note, '', address(hash)),
  replace: (hash, note) => history.replaceState(note, '', address(hash)),
  onMoved: (callback) => {
    window.addEventListener('popstate', callback);
    return () => window.removeEventListener('popstate', callback);
  },
  kept: () => {
    try {
      return JSON.parse(sessionStorage.getItem(KEPT) ?? 'null') as unknown;
    } catch {
      return null;
    }
  },
  keep: (value) => {
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(value));
    } catch {
      /* only forgotten */
    }
  },
};

const address = (hash: string): string => `${location.pathname}${location.search}${hash && `#${hash}`}`;
