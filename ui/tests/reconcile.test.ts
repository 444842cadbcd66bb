import { expect, it } from 'vitest';
import type { PeerCard, Snapshot } from '../src/api';
import { changes, whole } from '../src/lib/changes';
import { reconcile } from '../src/state/reconcile';

const HOSTING = { state: 'off', problem: null, port: 8787, bind: '', relay_port: 0, public_page: '', admin_page: '', peers: 0, relayed: null, messages_per_second: 0 } as const;
const peer = (id: string, more: Partial<PeerCard> = {}): PeerCard => ({ id, label: id, name: '', favourite: false, email: '', avatar_hash: '', group: 'nearby', verified: true, last_seen: 0, path: { kind: 'lan', transport: 'tcp', rtt_ms: 1, relay: null }, ...more });
const snapshot = (...peers: PeerCard[]): Snapshot => ({ me: { id: 'me', label: 'Mira', email: '', avatar_hash: '', listen: ['/ip4/10.0.0.1/tcp/1'] }, peers, notices: [], network: { verdict: 'good', headline: '', facts: [], testing: false }, rendezvous: { joined: [], hosting: { ...HOSTING, connect_urls: [] } }, live: { readers: 0, today: 0, month: 0, pages: [], counting: true, reloading: true } });

/** As it arrives: the changes, from a worker. */
const arrive = (old: Snapshot, next: Snapshot): Snapshot => reconcile(old, whole(old.peers, structuredClone(changes(old.peers, next))));

it('takes the first snapshot as it is', () => {
  const first = snapshot(peer('a'));
  expect(reconcile(null, first)).toBe(first);
});

it('keeps everything that did not change', () => {
  const old = snapshot(peer('a'), peer('b'));
  const next = arrive(old, structuredClone(old));
  expect(next.me).toBe(old.me);
  expect(next.peers).toBe(old.peers);
  expect(next.notices).toBe(old.notices);
});

it('replaces only the peers that changed, in the new order', () => {
  const old = snapshot(peer('a'), peer('b'), peer('gone'));
  const next = arrive(old, snapshot(peer('b', { path: null }), peer('a'), peer('new')));
  expect(next.peers.map((one) => one.id)).toEqual(['b', 'a', 'new']);
  expect(next.peers[0]).not.toBe(old.peers[1]);
  expect(next.peers[0]?.path).toBeNull();
  expect(next.peers[1]).toBe(old.peers[0]);
});

it('is transferred as changes, and restored whole', () => {
  const old = snapshot(peer('a'), peer('b'), peer('gone'));
  const next = snapshot(peer('b'), peer('a', { path: null }), peer('new'));
  const carried = changes(old.peers, next);
  expect(carried.peers).toEqual([1, [0, { path: null }], peer('new')]);
  expect(whole(old.peers, structuredClone(carried))).toEqual(next);
  expect(changes([], next)).toEqual(next);
});
