// What a typed or pasted text means: one field takes a name, a link, a network address, a rendezvous or a web address.

import { isMultiaddr, looksLikeAddress } from './address';
import { siteLabel } from './id';

/**
 * `link` leads to a page of a site, `network` is an address of a computer, `connect` a link to a rendezvous, `web` an address of
 * the web, which may be that of a rendezvous; anything else is a `name`.
 */
export type Meaning = 'name' | 'link' | 'network' | 'connect' | 'web';

/** Host names with a dot, IPv4 addresses and `localhost`; a port and a path may follow. */
const HOST = /^(localhost|(\d{1,3}\.){3}\d{1,3}|([\p{L}\p{N}_-]+\.)+\p{L}{2,})(:\d{1,5})?([/?#]\S*)?$/iu;
/** A host in one word, which only a port tells from a name. */
const WORD = /^[a-z0-9-]+:\d{2,5}(\/\S*)?$/i;
/** A link or an id, as far as its id. */
const ID = /^(?:goop:\/\/|https?:\/\/[^/]+\/p\/)?([^/?#]+)/i;

export function meaning(text: string): Meaning {
  const typed = text.trim();
  if (isMultiaddr(typed)) return 'network';
  if (/^goop:\/\/connect\b/i.test(typed)) return 'connect';
  if (/^https?:/i.test(typed)) return /^https?:\/\/[^/]*\/p\/|^https?:\/\/[^/]*\.localhost\b/i.test(typed) ? 'link' : 'web';
  if (looksLikeAddress(typed) || caseLost(typed)) return 'link';
  return HOST.test(typed) || WORD.test(typed) ? 'web' : 'name';
}

/** The web address that a text means; null when it is not one. */
export function webAddress(text: string): string | null {
  const typed = text.trim();
  if (meaning(typed) !== 'web') return null;
  const whole = /^https?:/i.test(typed) ? typed : `https://${typed}`;
  return URL.canParse(whole) ? new URL(whole).href : null;
}

/** Whether the id in a link was changed to lower or upper case on its way: which letters it had cannot be known then. */
export function caseLost(text: string): boolean {
  const id = ID.exec(text.trim())?.[1] ?? '';
  return /^(12d3koo[1-9a-z]{40,50}|16uiu2ha[1-9a-z]{40,50}|qm[1-9a-z]{44})$/i.test(id) && siteLabel(id) === null && (id === id.toLowerCase() || id === id.toUpperCase());
}
