// What a peer is called on screen. Labels are chosen by strangers: any length, any script, any control character.

import { shortId } from './id';

/** More characters than any window shows; a label may have thousands. */
const MAX_NAME_CHARS = 160;

/** How many avatar colors tokens.css has. */
const HUES = 12;

const segmenter = new Intl.Segmenter();

/** Breaks and tabs, and what turns or hides the text around it. Joiners stay: names of many scripts, and emoji, need them. */
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]+/gu;
/** Anything that is seen. */
const VISIBLE = /[^\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/u;
/** Letters that are written from right to left. */
const LEFTWARD = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}\p{Script=Mandaic}\p{Script=Samaritan}\p{Script=Hanifi_Rohingya}]/u;

/** A text by a stranger without what moves the text around it: each a space, so that nothing is joined. */
export const plain = (text: string): string => text.replace(CONTROLS, ' ');

/** A text by a stranger on one line, without controls; empty if nothing of it is seen. */
export function oneLine(text: string): string {
  const line = plain(text.slice(0, MAX_NAME_CHARS)).trim();
  return VISIBLE.test(line) ? line : '';
}

/** The user's name for a peer, else its own name, else its id. */
export function displayName(peer: { id: string; label: string; name?: string }): string {
  return oneLine(peer.name ?? '') || oneLine(peer.label) || shortId(peer.id);
}

/** A name within a sentence where no `<bdi>` can be: a right-to-left one would move the words around it. */
export const isolated = (name: string): string => (LEFTWARD.test(name) ? `\u2068${name}\u2069` : name);

/** One address, as far as that can be known without writing to it. */
export const isEmail = (text: string): boolean => /^[^@\s\p{C}]{1,64}@[^@\s\p{C}]+\.[^@\s.\p{C}]+$/u.test(text.trim());

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
