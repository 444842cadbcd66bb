import { expect, test } from 'vitest';
import type { Denied, LogLine, PeerCard } from '../src/api';
import { arrivals } from '../src/state/arrivals';
import { Denials, denialText } from '../src/state/denials.svelte';
import { filtered, lineText } from '../src/state/log.svelte';
import { sectioned } from '../src/state/reconcile';

const peer = (id: string, more: Partial<PeerCard> = {}): PeerCard => ({ id, label: id, name: '', favourite: false, email: '', avatar_hash: '', group: 'nearby', verified: true, last_seen: 0, path: null, ...more });

test('a favorite that comes online is reported once, and not if it was online already', () => {
  const anna = peer('anna', { favourite: true });
  const away = { ...anna, group: 'earlier' as const };
  expect(arrivals(null, [anna])).toEqual([]);
  expect(arrivals([away], [anna])).toEqual([anna]);
  expect(arrivals([], [anna, peer('bo')])).toEqual([anna]);
  expect(arrivals([anna], [{ ...anna, group: 'elsewhere' }])).toEqual([]);
});

test('favorites come first, on any network', () => {
  const sections = sectioned([peer('a'), peer('b', { favourite: true, group: 'earlier' }), peer('c', { group: 'elsewhere' })]);
  expect(Object.fromEntries(Object.entries(sections).map(([name, list]) => [name, list.map(({ id }) => id)]))).toEqual({ favorites: ['b'], nearby: ['a'], elsewhere: ['c'], earlier: [] });
});

test('denials are listed once, for the current page only, up to a limit', () => {
  const denials = new Denials();
  const denied = (target: string, peer = 'anna'): Denied => ({ peer, kind: 'img-src', target });
  denials.add(denied('early'));
  denials.begin('anna');
  for (const target of ['a', 'a', 'b']) denials.add(denied(target));
  denials.add(denied('c', 'bo'));
  expect(denials.list.map(({ target }) => target)).toEqual(['a', 'b']);
  for (let i = 0; i < 100; i++) denials.add(denied(String(i)));
  expect(denials.list.length).toBe(20);
  denials.begin('bo');
  expect(denials.list).toEqual([]);
  expect(denialText(denied('http://10.0.0.1'))).toBe('Picture — http://10.0.0.1');
  expect(denialText({ peer: 'x', kind: '', target: '' })).toBe('Something — unknown');
});

test('the log is filtered by level and by words', () => {
  const line = (seq: number, level: LogLine['level'], text: string): LogLine => ({ seq, at: 0, level, target: 'goop2_node', text });
  const lines = [line(0, 'error', 'Cannot write'), line(1, 'info', 'Listening'), line(2, 'debug', 'Connécted')];
  expect(filtered(lines, 'info', '').map(({ seq }) => seq)).toEqual([0, 1]);
  expect(filtered(lines, 'debug', 'node CONNECTED').map(({ seq }) => seq)).toEqual([2]);
  expect(lineText(lines[0] as LogLine)).toBe('1970-01-01 00:00:00.000 ERROR goop2_node: Cannot write');
});
