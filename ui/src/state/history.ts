// The pages this window has shown. The frame shows another origin, so the browser's own history can neither be read nor
// trusted to belong to us: this list is the history, and the viewer reports which documents the frame really requested.
//
// Plain values and pure functions; `browser.svelte.ts` holds the current one.

import type { Place } from '../api/types/Place';
import { sameDocument } from '../lib/address';

/** null is the welcome page; `at` is when the page was opened, in Unix milliseconds. */
export type Entry = (Place & { readonly at?: number }) | null;

export interface History {
  readonly entries: readonly Entry[];
  readonly index: number;
  /** The current document answered with a redirect: the next one replaces its entry. */
  readonly redirected: boolean;
}

/** Older entries are forgotten; nobody goes back further. */
const MAX_ENTRIES = 200;

export const start: History = { entries: [null], index: 0, redirected: false };

export const current = (history: History): Entry => history.entries[history.index] ?? null;
export const canGo = (history: History, by: number): boolean => history.index + by >= 0 && history.index + by < history.entries.length;

/** The user opened a place: the forward entries are dropped. */
export function visit(history: History, entry: Entry): History {
  const entries = [...history.entries.slice(0, history.index + 1), entry].slice(-MAX_ENTRIES);
  return { entries, index: entries.length - 1, redirected: false };
}

export function go(history: History, by: number): History {
  return canGo(history, by) ? { ...history, index: history.index + by, redirected: false } : history;
}

/** Everything but the current entry is forgotten. */
export const cleared = (history: History): History => ({ entries: [current(history)], index: 0, redirected: false });

/** The frame requested a document: by a link, a form, a redirect, its own back button, or because we sent it there. */
export function reported(history: History, place: NonNullable<Entry>, status: number | null): History {
  const redirected = status !== null && status >= 300 && status < 400 && status !== 304;
  const here = current(history);
  if (here && sameDocument(here, place)) return { ...history, redirected };
  if (here && history.redirected) return { ...replace(history, place), redirected };
  for (const by of [-1, 1]) {
    const neighbor = history.entries[history.index + by];
    if (neighbor && sameDocument(neighbor, place)) return { ...go(history, by), redirected };
  }
  return { ...visit(history, place), redirected };
}

function replace(history: History, entry: Entry): History {
  return { ...history, entries: history.entries.with(history.index, entry) };
}
