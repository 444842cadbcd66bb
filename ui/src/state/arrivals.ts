// Favorites that come online, for notifications.

import type { PeerCard } from '../api/types/PeerCard';

/** Favorites that are online now and were not before. The first snapshot has no arrivals. */
export function arrivals(before: readonly PeerCard[] | null, now: readonly PeerCard[]): PeerCard[] {
  if (!before) return [];
  const here = now.filter((peer) => peer.favourite && peer.group !== 'earlier');
  return here.filter(({ id }) => !before.some((peer) => peer.id === id && peer.group !== 'earlier'));
}
