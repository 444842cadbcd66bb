// Whom the user blocked. Snapshots leave these people out, so the list is asked for where someone unknown is shown.

import type { Api, BlockedPeer } from '../api';
import { displayName, isolated } from '../lib/names';
import type { Backend } from './backend.svelte';
import { words } from './failure';
import type { Toasts } from './toasts.svelte';

export class People {
  blocked = $state.raw<readonly BlockedPeer[]>([]);
  #api: Api;
  #backend: Backend;
  #toasts: Toasts;

  constructor(api: Api, backend: Backend, toasts: Toasts) {
    this.#api = api;
    this.#backend = backend;
    this.#toasts = toasts;
  }

  async load(): Promise<void> {
    this.blocked = await this.#api.settings.all().then(
      ({ blocked }) => blocked,
      () => this.blocked,
    );
  }

  /** A peer in the list of peers is not blocked, whatever was known before. */
  isBlocked(peer: string): boolean {
    return !this.#backend.peer(peer) && this.blocked.some(({ id }) => id === peer);
  }

  /** The name of anyone known, blocked or not; undefined for a stranger. */
  name(id: string): string | undefined {
    const { me } = this.#backend.snapshot ?? {};
    const peer = me?.id === id ? me : (this.#backend.peer(id) ?? this.blocked.find((blocked) => blocked.id === id));
    return peer && displayName(peer);
  }

  /** Rejects with a refusal to show. */
  async block(peer: string, name: string): Promise<void> {
    await this.#note(peer, true);
    this.#toasts.show(`${isolated(name)} is blocked.`, () => this.#again(peer, false));
  }

  /** Reports in a toast, also why it failed. */
  async unblock(peer: string, name: string): Promise<void> {
    try {
      await this.#note(peer, false);
      this.#toasts.show(`${isolated(name)} is no longer blocked.`, () => this.#again(peer, true));
    } catch (thrown) {
      this.#toasts.show(words(thrown));
    }
  }

  async #note(peer: string, blocked: boolean): Promise<void> {
    await this.#api.people.note(peer, { blocked });
    if (!blocked) this.blocked = this.blocked.filter(({ id }) => id !== peer);
    await this.load();
  }

  #again(peer: string, blocked: boolean): void {
    void this.#note(peer, blocked).catch((thrown: unknown) => this.#toasts.show(words(thrown)));
  }
}
