// A snapshot arrives whole, and most of it has not changed. Reusing the old objects lets the page update only what did, which
// keeps thousands of peers smooth. The peers arrive that way already (lib/changes.ts).

import type { PeerCard } from '../api/types/PeerCard';
import type { Snapshot } from '../api/types/Snapshot';
import { equal } from '../lib/equal';
import { distinct } from '../lib/keyed';

export function reconcile(old: Snapshot | null, next: Snapshot): Snapshot {
  const peers = distinct(next.peers, ({ id }) => id);
  if (!old) return peers === next.peers ? next : { ...next, peers };
  return {
    me: keep(old.me, next.me),
    peers,
    notices: keep(old.notices, next.notices),
    rendezvous: keep(old.rendezvous, next.rendezvous),
    network: keep(old.network, next.network),
    live: keep(old.live, next.live),
  };
}

/** The sections of the list, from the top. */
export const SECTIONS = [
  ['favorites', 'Favorites'],
  ['nearby', 'Nearby'],
  ['elsewhere', 'Other networks'],
  ['earlier', 'Seen earlier'],
] as const satisfies readonly (readonly ['favorites' | PeerCard['group'], string])[];

/** The list in its parts: favorites first, wherever they are, those who are there before those who are not. */
export function sectioned(peers: readonly PeerCard[]): Record<(typeof SECTIONS)[number][0], PeerCard[]> {
  const sections: Record<(typeof SECTIONS)[number][0], PeerCard[]> = { favorites: [], nearby: [], elsewhere: [], earlier: [] };
  for (const peer of peers) sections[peer.favourite ? 'favorites' : peer.group].push(peer);
  return sections;
}

const keep = <T>(old: T | undefined, next: T): T => (old !== undefined && equal(old, next) ? old : next);
