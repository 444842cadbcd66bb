// A snapshot as a difference: of thousands of peers, most have not changed, and the others only a little.

import type { PeerCard } from '../api/types/PeerCard';
import type { Snapshot } from '../api/types/Snapshot';
import { equal } from './equal';

/** The index of a peer in the previous snapshot, and the fields that changed. */
type Changed = readonly [place: number, now: Partial<PeerCard>];

/** An unchanged peer is only its index. */
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

/** Unchanged peers stay the same objects, and so does the list if nothing in it changed. */
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
