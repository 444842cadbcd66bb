import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { PeerCard, Snapshot } from '../src/api';
import { distinct, keyed } from '../src/lib/keyed';
import { reconcile } from '../src/state/reconcile';

it('gives each item its own key, which stays when others come', () => {
  const keys = (items: string[]): string[] => keyed(items, (item) => item).map(({ key }) => key);
  expect(keys(['a', 'b', 'a', '0 a'])).toEqual(['0 a', '0 b', '1 a', '0 0 a']);
  expect(new Set(keys(['a', 'a', '1 a', '0 a', 'a'])).size).toBe(5);
});

it('drops what repeats, and keeps the list where nothing does', () => {
  const items = ['a', 'b'];
  expect(distinct(items, (item) => item)).toBe(items);
  expect(distinct(['a', 'b', 'a'], (item) => item)).toEqual(['a', 'b']);
});

it('shows a peer once, even if a snapshot has it twice', () => {
  const snapshot = { peers: [{ id: 'a' }, { id: 'b' }, { id: 'a' }] as PeerCard[] } as Snapshot;
  expect(reconcile(null, snapshot).peers.map(({ id }) => id)).toEqual(['a', 'b']);
  expect(reconcile(snapshot, snapshot).peers.map(({ id }) => id)).toEqual(['a', 'b']);
});

/** Lists that cannot have two equal keys: made by `keyed`, written in the source, or checked where they come from. */
const DISTINCT = /^(keyed\(|\[|BAR|SECTIONS|LEVELS|DRAWINGS|Object\.entries\(|visible\(|tiles$|rows$|recent$|columns$|shownRows$|log\.shown$)/;

const views = (readdirSync(new URL('../src', import.meta.url), { recursive: true }) as string[]).filter((file) => file.endsWith('.svelte'));

it.each(views)('%s uses no data from outside as a key', (file) => {
  const text = readFileSync(new URL(`../src/${file}`, import.meta.url), 'utf8');
  const lists = [...text.matchAll(/\{#each (.+?) as [^}]*?\([^()]*(?:\([^()]*\)[^()]*)*\)\}/g)].map(([, list]) => list ?? '');
  expect(lists.filter((list) => !DISTINCT.test(list))).toEqual([]);
});
