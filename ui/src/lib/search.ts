import type { PeerCard } from '../api/types/PeerCard';
import { fold } from './names';

/** More than a list has: then all is forgotten, rather than kept of everybody who ever was there. */
const MAX_FOLDED = 20_000;

/** Folded texts. What people are found by hardly ever changes, and a list of thousands is searched many times a second. */
const folded = new Map<string, string>();

/** The peers whose name, e-mail or id holds every word typed. */
export function search(peers: readonly PeerCard[], text: string): readonly PeerCard[] {
  const words = fold(text).split(/\s+/).filter(Boolean);
  if (words.length === 0) return peers;
  return peers.filter((peer) => {
    const hay = foldedOnce(`${peer.name} ${peer.label} ${peer.email} ${peer.id}`);
    return words.every((word) => hay.includes(word));
  });
}

function foldedOnce(text: string): string {
  const known = folded.get(text);
  if (known !== undefined) return known;
  if (folded.size >= MAX_FOLDED) folded.clear();
  const value = fold(text);
  folded.set(text, value);
  return value;
}
