// What a peer is called on screen. Labels are chosen by strangers: any length, any script, any control character.

import { shortId } from './id';

/** More characters than any window shows; a label may have thousands. */
const MAX_NAME_CHARS = 160;

/** How many avatar colors tokens.css has. */
const HUES = 12;

const segmenter = new Intl.Segmenter();

/** The user's name for a peer, else its own name, else its id. */
export function displayName(peer: { id: string; label: string; name?: string }): string {
  const name = (peer.name || peer.label)
    .slice(0, MAX_NAME_CHARS)
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]+/gu, ' ')
    .trim();
  return name || shortId(peer.id);
}

/** The first letter, number or symbol of a name as a reader counts it. */
export function initial(name: string): string {
  for (const { segment } of segmenter.segment(name)) {
    if (/[\p{L}\p{N}\p{Extended_Pictographic}]/u.test(segment)) return segment.toLocaleUpperCase();
  }
  return '?';
}

/** A color derived from the id, so that it stays when the name changes (FNV-1a). */
export function hue(id: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % HUES;
}

/** For a search that ignores case and accents. */
export function fold(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}+/gu, '').toLowerCase();
}
