// Favourites that come online, to be told of.

import type { PeerCard } from '../api/types/PeerCard';

/** Which of the favourites are online now and were not before. The first look is no arrival: they were there already. */
export function arrivals(before: readonly PeerCard[] | null, now: readonly PeerCard[]): PeerCard[] {
  if (!before) return [];
  const here = now.filter((peer) => peer.favourite && peer.group !== 'earlier');
  return here.filter(({ id }) => !before.some((peer) => peer.id === id && peer.group !== 'earlier'));
}
