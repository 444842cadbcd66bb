// A snapshot as what is new in it: of thousands of peers most are as they were.

import type { PeerCard } from '../api/types/PeerCard';
import type { Snapshot } from '../api/types/Snapshot';
import { equal } from './equal';

/** A peer that is as it was is the place it had in the snapshot before. */
export interface Changes extends Omit<Snapshot, 'peers'> {
  readonly peers: readonly (PeerCard | number)[];
}

export function changes(before: readonly PeerCard[], { peers, ...rest }: Snapshot): Changes {
  const places = new Map(before.map(({ id }, place) => [id, place]));
  const short = (peer: PeerCard): PeerCard | number => {
    const place = places.get(peer.id);
    return place !== undefined && equal(before[place], peer) ? place : peer;
  };
  return { ...rest, peers: peers.map(short) };
}

export function whole(before: readonly PeerCard[], { peers, ...rest }: Changes): Snapshot {
  return { ...rest, peers: peers.map((peer) => (typeof peer === 'number' ? before[peer] : peer)).filter((peer) => peer !== undefined) };
}
