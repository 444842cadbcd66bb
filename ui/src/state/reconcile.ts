// A snapshot arrives whole; most of it is what was there before. Handing the old objects on where nothing changed lets
// the list touch only the rows that did, which is what keeps thousands of peers smooth.

import type { PeerCard } from '../api/types/PeerCard';
import type { Snapshot } from '../api/types/Snapshot';

export function reconcile(old: Snapshot | null, next: Snapshot): Snapshot {
  if (!old) return next;
  const known = new Map(old.peers.map((peer) => [peer.id, peer]));
  const peers = next.peers.map((peer) => keep(known.get(peer.id), peer));
  return {
    me: keep(old.me, next.me),
    peers: sameItems(old.peers, peers) ? old.peers : peers,
    notices: keep(old.notices, next.notices),
    rendezvous: keep(old.rendezvous, next.rendezvous),
    network: keep(old.network, next.network),
  };
}

/** The list in its groups, each in the order the snapshot gave. */
export function grouped(peers: readonly PeerCard[]): Record<PeerCard['group'], PeerCard[]> {
  const groups: Record<PeerCard['group'], PeerCard[]> = { nearby: [], elsewhere: [], earlier: [] };
  for (const peer of peers) groups[peer.group].push(peer);
  return groups;
}

const keep = <T>(old: T | undefined, next: T): T => (old !== undefined && equal(old, next) ? old : next);

const sameItems = (a: readonly unknown[], b: readonly unknown[]): boolean => a.length === b.length && a.every((item, i) => item === b[i]);

/** Deep equality of JSON values. */
function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => equal(left[key], right[key]));
}
