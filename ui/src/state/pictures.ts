// Avatars, loaded once per picture. The hash identifies the content, so an answer never goes stale.

import type { Api } from '../api';

/** More pictures than fit on any screen; the oldest are dropped first. */
const MAX_PICTURES = 512;

export class Pictures {
  #known = new Map<string, Promise<string | null>>();
  #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  load(peer: string, hash: string): Promise<string | null> {
    const key = `${peer} ${hash}`;
    const known = this.#known.get(key);
    if (known) return known;
    const asked = this.#api.avatar(peer, hash).catch(() => null);
    this.#known.set(key, asked);
    // A picture that failed to load is requested again when it is next needed.
    void asked.then((url) => url === null && this.#known.delete(key));
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_PICTURES && oldest !== undefined) this.#forget(oldest);
    return asked;
  }

  #forget(key: string): void {
    void this.#known.get(key)?.then((url) => url?.startsWith('blob:') && URL.revokeObjectURL(url));
    this.#known.delete(key);
  }
}
