import type { PeerCard } from '../api/types/PeerCard';
import { fold } from './names';

/** The peers whose name, e-mail or id holds every word typed. */
export function search(peers: readonly PeerCard[], text: string): readonly PeerCard[] {
  const words = fold(text).split(/\s+/).filter(Boolean);
  if (words.length === 0) return peers;
  return peers.filter((peer) => {
    const hay = fold(`${peer.name} ${peer.label} ${peer.email} ${peer.id}`);
    return words.every((word) => hay.includes(word));
  });
}
