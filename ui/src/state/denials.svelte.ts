// What the page tried and was denied. The browser reports it, and the site could fake it: a short list of texts.

import type { Denied } from '../api/types/Denied';

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

  add(denied: Denied): void {
    const known = this.list.some(({ kind, target }) => kind === denied.kind && target === denied.target);
    if (denied.peer !== this.#peer || known || this.list.length >= MAX_DENIALS) return;
    this.list = [...this.list, denied];
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
};

/** "Picture from http://192.168.1.1". */
export const denialText = ({ kind, target }: Denied): string => `${KINDS[kind] ?? (kind || 'Something')} — ${target || 'unknown'}`;
