// Files on their way into the site: how far they are, and the one question about names that are taken.

import { Refusal, type Clash, type Incoming, type Progress, type SiteApi, type Undo } from '../api';
import { words } from './failure';

interface Asked {
  /** The paths that are taken. */
  readonly names: readonly string[];
  readonly files: Incoming;
  readonly into: string;
}

export class Adding {
  progress = $state.raw<Progress | null>(null);
  /** Waits for the user's choice. */
  clash = $state.raw<Asked | null>(null);
  problem = $state('');
  #api: SiteApi;
  #done: (undo: Undo) => void;
  #cancel: AbortController | null = null;

  constructor(api: SiteApi, done: (undo: Undo) => void) {
    this.#api = api;
    this.#done = done;
  }

  async add(files: Incoming, into: string, clash: Clash = 'ask'): Promise<void> {
    this.clash = null;
    if (files.length === 0) return;
    if (this.#cancel) {
      this.problem = 'Wait until the files before are there.';
      return;
    }
    const cancel = (this.#cancel = new AbortController());
    this.problem = '';
    this.progress = { file: '', done: 0, total: 0 };
    try {
      const { added, skipped, undo } = await this.#api.add(files, into, clash, (progress) => (this.progress = progress), cancel.signal);
      if (added.length > 0) this.#done(undo);
      else if (skipped.length > 0) this.problem = 'Nothing was added: those files are there already, or are never published.';
    } catch (thrown) {
      const refusal = Refusal.from(thrown, words(thrown));
      if (refusal.code === 'exists' && clash === 'ask') this.clash = { names: refusal.message.split('\n'), files, into };
      else if (!cancel.signal.aborted) this.problem = refusal.message;
    } finally {
      this.#cancel = null;
      this.progress = null;
    }
  }

  answer(clash: Clash): void {
    const asked = this.clash;
    if (asked) void this.add(asked.files, asked.into, clash);
  }

  cancel(): void {
    this.clash = null;
    this.#cancel?.abort();
  }
}
