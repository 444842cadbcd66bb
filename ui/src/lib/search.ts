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

/** The one peer that a name means: exactly this name, or else the only one found. */
export function named(peers: readonly PeerCard[], text: string): PeerCard | undefined {
  const wanted = fold(text.trim());
  if (wanted === '') return undefined;
  const exact = peers.find((peer) => [peer.name, peer.label].some((name) => fold(name) === wanted));
  const found = exact ? [exact] : search(peers, text);
  return found.length === 1 ? found[0] : undefined;
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
