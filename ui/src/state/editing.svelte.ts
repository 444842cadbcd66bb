// A text that is edited: what was read, what it is now, and what someone else made of it.

import { Refusal, type SiteApi, type SiteText } from '../api';
import { words } from './failure';

export class Editing {
  path = $state('');
  text = $state('');
  /** What is on the disk, as far as we know. */
  base = $state.raw<SiteText>({ path: '', text: '', version: '' });
  saving = $state(false);
  problem = $state('');
  /** The file changed on the disk, and so did the text here. */
  conflict = $state.raw<SiteText | null>(null);
  readonly dirty = $derived(this.text !== this.base.text);
  #api: SiteApi;
  #saved: () => void;

  constructor(api: SiteApi, read: SiteText, saved: () => void) {
    this.#api = api;
    this.#saved = saved;
    this.#take(read);
  }

  /** Resolves to whether the text is on the disk. */
  async save(): Promise<boolean> {
    if (this.saving || this.conflict) return false;
    if (!this.dirty) return true;
    // Without a version it is a new file: the old one was deleted.
    return this.#write(this.base.version || null);
  }

  /** Looks whether the file changed on the disk: a text that was not touched here follows it. */
  async look(): Promise<void> {
    if (this.saving || this.conflict) return;
    let now: SiteText;
    try {
      now = await this.#api.read(this.path);
    } catch {
      // It says so when it is saved.
      return;
    }
    if (this.saving || now.path !== this.path || now.version === this.base.version) return;
    if (!this.dirty || now.text === this.text) this.#take(now);
    else this.conflict = now;
  }

  async keepMine(): Promise<boolean> {
    const theirs = this.conflict;
    if (!theirs) return false;
    this.conflict = null;
    return this.#write(theirs.version);
  }

  takeTheirs(): void {
    if (this.conflict) this.#take(this.conflict);
    this.conflict = null;
  }

  moved(path: string): void {
    this.path = path;
    this.base = { ...this.base, path };
  }

  #take(read: SiteText): void {
    this.path = read.path;
    this.text = read.text;
    this.base = read;
    this.problem = '';
  }

  async #write(version: string | null): Promise<boolean> {
    const written = this.text;
    this.saving = true;
    this.problem = '';
    try {
      // What is typed while it is saved stays unsaved.
      this.base = { ...(await this.#api.write(this.path, written, version)), text: written };
      this.#saved();
      return true;
    } catch (thrown) {
      await this.#failed(thrown);
      return false;
    } finally {
      this.saving = false;
    }
  }

  async #failed(thrown: unknown): Promise<void> {
    const refusal = Refusal.from(thrown, words(thrown));
    this.problem = refusal.message;
    if (refusal.code !== 'conflict') return;
    try {
      this.conflict = await this.#api.read(this.path);
      this.problem = '';
    } catch (gone) {
      if (!(gone instanceof Refusal) || gone.code !== 'not-found') return;
      // It was deleted: what is here becomes a new file.
      this.base = { path: this.path, text: '', version: '' };
      this.problem = 'This file was deleted on the disk. Save again to put it back.';
    }
  }
}
