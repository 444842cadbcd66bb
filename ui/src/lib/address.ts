// Places as text: the address people share, and the address the frame loads.

import type { Place } from '../api/types/Place';
import { siteLabel } from './id';

export const home = (peer: string): Place => ({ peer, path: '/' });

/** `goop://<peer id>/<path>`: what is shown, copied and pasted. */
export const link = (place: Place): string => `goop://${place.peer}${tidy(place.path)}`;

/** The origin that a peer's site has by its name; null when the peer id is invalid. The user's own has another one for a `stranger`. */
export function siteOrigin(peer: string, port: number, stranger = false): string | null {
  const label = siteLabel(peer);
  return label && `http://${stranger ? 'v' : ''}${label}.localhost:${port}`;
}

export const frameUrl = (place: Place, origin: string): string => `${origin}/p/${place.peer}${tidy(place.path)}`;

/** Whether a path looks like a page, which a frame shows, rather than a download. */
export const isPage = (path: string): boolean => /(\/|\/[^/.]+|\.html?)$/i.test(path.split(/[?#]/, 1)[0] ?? '');

/** One spelling per path: absolute, escaped as URLs are, so that typed and fetched paths compare equal. */
export function tidy(path: string): string {
  try {
    const url = new URL(`http://site${path.startsWith('/') ? '' : '/'}${path}`);
    return url.pathname + url.search + url.hash;
  } catch {
    return '/';
  }
}

/** The same document: fragments stay in the browser and are never reported back. */
export function sameDocument(a: Place, b: Place): boolean {
  return a.peer === b.peer && withoutFragment(a.path) === withoutFragment(b.path);
}

/** Readable: unescaped where possible. */
export function readable(path: string): string {
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

/** Whether a text is meant as an address rather than a name to search for. */
export function looksLikeAddress(text: string): boolean {
  const trimmed = text.trim();
  return (
    /^(goop|https?):/i.test(trimmed) ||
    isMultiaddr(trimmed) ||
    /^k[0-9a-z]{40,}(\.localhost|$)/.test(trimmed) ||
    siteLabel(trimmed.split('/')[0] ?? '') !== null
  );
}

export const isMultiaddr = (text: string): boolean => /^\/(ip[46]|dns[46]?|dnsaddr)\//.test(text.trim());

const withoutFragment = (path: string): string => tidy(path).split('#', 1)[0] ?? '/';
