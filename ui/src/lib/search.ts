import type { PeerCard } from '../api/types/PeerCard';
import { fold } from './names';

/** More than a list has: then the cache is cleared, rather than kept for everyone ever seen. */
const MAX_FOLDED = 20_000;

/** The folded text of each peer, by id. It rarely changes, and a list of thousands is searched many times a second. */
const folded = new Map<string, { readonly peer: PeerCard; readonly hay: string }>();

/** The peers whose name, email or id holds every word typed. */
export function search(peers: readonly PeerCard[], text: string): readonly PeerCard[] {
  const words = fold(text).split(/\s+/).filter(Boolean);
  if (words.length === 0) return peers;
  return peers.filter((peer) => {
    const hay = foldedOnce(peer);
    return words.every((word) => hay.includes(word));
  });
}

function foldedOnce(peer: PeerCard): string {
  const known = folded.get(peer.id);
  if (known?.peer === peer) return known.hay;
  const { name, label, email, id } = peer;
  const same = known && known.peer.name === name && known.peer.label === label && known.peer.email === email;
  const hay = same ? known.hay : fold(`${name} ${label} ${email} ${id}`);
  if (!known && folded.size >= MAX_FOLDED) folded.clear();
  folded.set(id, { peer, hay });
  return hay;
}
