// A snapshot as what is new in it: of thousands of peers most are as they were, and of the others little changed.

import type { PeerCard } from '../api/types/PeerCard';
import type { Snapshot } from '../api/types/Snapshot';
import { equal } from './equal';

/** The place a peer had in the snapshot before, and what changed of it since. */
type Changed = readonly [place: number, now: Partial<PeerCard>];

/** A peer that is as it was is only its place. */
export interface Changes extends Omit<Snapshot, 'peers'> {
  readonly peers: readonly (PeerCard | number | Changed)[];
}

export function changes(before: readonly PeerCard[], { peers, ...rest }: Snapshot): Changes {
  const places = new Map(before.map(({ id }, place) => [id, place]));
  const short = (peer: PeerCard): PeerCard | number | Changed => {
    const place = places.get(peer.id) ?? -1;
    const old = before[place];
    if (!old) return peer;
    const now = Object.entries(peer).filter(([key, value]) => !equal(old[key as keyof PeerCard], value));
    return now.length === 0 ? place : [place, Object.fromEntries(now)];
  };
  return { ...rest, peers: peers.map(short) };
}

/** Peers that are as they were are the objects they were, and so is the list where nothing in it changed. */
export function whole(before: PeerCard[], { peers, ...rest }: Changes): Snapshot {
  if (peers.length === before.length && peers.every((peer, place) => peer === place)) return { ...rest, peers: before };
  const long = (peer: PeerCard | number | Changed): PeerCard | undefined => {
    if (typeof peer === 'number') return before[peer];
    if (!Array.isArray(peer)) return peer as PeerCard;
    const old = before[peer[0]];
    return old && { ...old, ...peer[1] };
  };
  return { ...rest, peers: peers.map(long).filter((peer) => peer !== undefined) };
}
