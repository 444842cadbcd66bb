// What the page tried and was denied. The browser reports it, and the site could fake it: a short list of texts.

import type { Denied } from '../api/types/Denied';
import { isolated } from '../lib/names';

/** Entries kept for a page, which may try any number of things. */
const MAX_DENIALS = 20;

export class Denials {
  list = $state.raw<readonly Denied[]>([]);
  #peer: string | null = null;

  /** Another page is shown. */
  begin(peer: string | null): void {
    this.#peer = peer;
    this.list = [];
  }

  /** Whether the page shown tried it. */
  add(denied: Denied): boolean {
    if (denied.peer !== this.#peer) return false;
    const known = this.list.some(({ kind, target }) => kind === denied.kind && target === denied.target);
    if (!known && this.list.length < MAX_DENIALS) this.list = [...this.list, denied];
    return true;
  }
}

const KINDS: Record<string, string> = {
  'img-src': 'Picture',
  'media-src': 'Sound or video',
  'font-src': 'Font',
  'style-src-elem': 'Style sheet',
  'style-src': 'Style sheet',
  'script-src-elem': 'Script',
  'script-src': 'Script',
  'connect-src': 'Connection',
  'frame-src': 'Embedded page',
  'object-src': 'Plugin',
  'form-action': 'Form',
  'worker-src': 'Background script',
  'service-worker': 'Service worker',
};

/** "Picture from http://192.168.1.1". */
export const denialText = ({ kind, target }: Denied): string => `${KINDS[kind] ?? (kind || 'Something')} — ${target || 'unknown'}`;

/** In words, where somebody has just pressed a button and would see nothing happen; null for all else. */
export const pressed = ({ kind, target }: Denied): string | null =>
  kind === 'form-action' ? `This form wasn’t sent to ${isolated(target || 'another address')}: on a site, forms can only be sent to its owner.` : null;
