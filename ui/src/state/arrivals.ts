// Favourites that come online, to be told of.

import type { PeerCard } from '../api/types/PeerCard';

/** Which of the favourites are online now and were not before. The first look is no arrival: they were there already. */
export function arrivals(before: readonly PeerCard[] | null, now: readonly PeerCard[]): PeerCard[] {
  if (!before) return [];
  const online = new Set(before.filter((peer) => peer.group !== 'earlier').map((peer) => peer.id));
  return now.filter((peer) => peer.favourite && peer.group !== 'earlier' && !online.has(peer.id));
}
