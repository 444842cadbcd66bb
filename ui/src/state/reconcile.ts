// A snapshot arrives whole; most of it is what was there before. Handing the old objects on where nothing changed lets
// the list touch only the rows that did, which is what keeps thousands of peers smooth.

import type { PeerCard } from '../api/types/PeerCard';
import type { Snapshot } from '../api/types/Snapshot';
import { equal } from '../lib/equal';

export function reconcile(old: Snapshot | null, next: Snapshot): Snapshot {
  if (!old) return next;
  let index: Map<string, PeerCard> | undefined;
  const known = (id: string): PeerCard | undefined => (index ??= new Map(old.peers.map((peer) => [peer.id, peer]))).get(id);
  // Most stand where they stood; only those who moved are looked for.
  const peers = next.peers.map((peer, at) => keep(old.peers[at]?.id === peer.id ? old.peers[at] : known(peer.id), peer));
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

/** The parts of the list, top down. */
export const SECTIONS = [
  ['favourites', 'Favourites'],
  ['nearby', 'Nearby'],
  ['elsewhere', 'Elsewhere'],
  ['earlier', 'Seen earlier'],
] as const satisfies readonly (readonly ['favourites' | PeerCard['group'], string])[];

/** The list in its parts: favourites first, wherever they are, those who are there before those who are not. */
export function sectioned(peers: readonly PeerCard[]): Record<(typeof SECTIONS)[number][0], PeerCard[]> {
  const sections: Record<(typeof SECTIONS)[number][0], PeerCard[]> = { favourites: [], nearby: [], elsewhere: [], earlier: [] };
  for (const peer of peers) sections[peer.favourite ? 'favourites' : peer.group].push(peer);
  return sections;
}

const keep = <T>(old: T | undefined, next: T): T => (old !== undefined && equal(old, next) ? old : next);

const sameItems = (a: readonly unknown[], b: readonly unknown[]): boolean => a.length === b.length && a.every((item, i) => item === b[i]);
