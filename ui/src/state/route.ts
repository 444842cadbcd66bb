// What the window shows, as the fragment of the address that a browser has for it.

import type { Place } from '../api/types/Place';
import { tidy } from '../lib/address';
import { siteLabel } from '../lib/id';
import type { Entry, History } from './history';
import { PAGE_NAMES, type Page } from './navigation.svelte';

/** One of Goop2's pages over the browser, or else what the browser shows. */
export interface Route {
  readonly page: Page | null;
  readonly place: Entry;
}

/** `/settings`, `/p/<peer id>/<path>`, or nothing for the welcome page. */
export function hashOf({ page, place }: Route): string {
  if (page) return `/${page}`;
  return place ? `/p/${place.peer}${tidy(place.path)}` : '';
}

/** Anything else is the welcome page: the address may come from anywhere. */
export function routeOf(hash: string): Route {
  const name = hash.slice(1);
  if (Object.hasOwn(PAGE_NAMES, name)) return { page: name as Page, place: null };
  const [, peer = '', path = '/'] = /^\/p\/([^/?#]+)(.*)$/.exec(hash) ?? [];
  return { page: null, place: siteLabel(peer) === null ? null : { peer, path: tidy(path) } };
}

/** The position in the history that an entry of the tab notes; null without one. */
export function positionOf(note: unknown): number | null {
  const { position } = (typeof note === 'object' && note !== null ? note : {}) as { position?: unknown };
  return typeof position === 'number' && Number.isSafeInteger(position) && position >= 0 ? position : null;
}

/** What the tab kept of the history; null if it kept nothing sound. */
export function historyOf(kept: unknown): History | null {
  const { entries, index } = (typeof kept === 'object' && kept !== null ? kept : {}) as { entries?: unknown; index?: unknown };
  if (!Array.isArray(entries) || typeof index !== 'number' || !entries.every(isEntry) || !(index in entries)) return null;
  return { entries, index, redirected: false };
}

function isEntry(value: unknown): value is Entry {
  if (value === null) return true;
  const { peer, path, at } = (typeof value === 'object' ? value : {}) as Partial<Record<keyof Place | 'at', unknown>>;
  return typeof peer === 'string' && siteLabel(peer) !== null && typeof path === 'string' && (at === undefined || Number.isFinite(at));
}
