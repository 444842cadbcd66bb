// A snapshot arrives whole; most of it is what was there before. Handing the old objects on where nothing changed lets the page touch
// only what did, which is what keeps thousands of peers smooth. The peers themselves arrive so already (lib/changes.ts).

import type { PeerCard } from '../api/types/PeerCard';
import type { Snapshot } from '../api/types/Snapshot';
import { equal } from '../lib/equal';

export function reconcile(old: Snapshot | null, next: Snapshot): Snapshot {
  if (!old) return next;
  return {
    me: keep(old.me, next.me),
    peers: next.peers,
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

/** The parts of the list, top down. */
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
