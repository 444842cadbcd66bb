// The user's own site: its files, and what is done with them. It outlives its page, and so do an unsaved text and an upload.

import { type Incoming, type SiteApi, type SiteFiles, type Undo } from '../api';
import { fileName, joined, nameOf, outermost, parentOf, within } from '../lib/paths';
import { newPage } from '../lib/page';
import { Adding } from './adding.svelte';
import { Editing } from './editing.svelte';
import { nameWords, words } from './failure';
import { FileTree } from './tree.svelte';
import type { Toasts } from './toasts.svelte';

export type SiteTab = 'pages' | 'tables' | 'backup';

/** The dialog over the page. */
export type SiteDialog =
  | { readonly is: 'page' | 'folder' | 'change' | 'live' }
  | { readonly is: 'rename'; readonly path: string }
  | { readonly is: 'move'; readonly paths: readonly string[] }
  | { readonly is: 'bring'; readonly files: Incoming; readonly folder: string; readonly name: string };

export class Site {
  files = $state.raw<SiteFiles | null>(null);
  /** Why the files cannot be shown; empty where they can. */
  problem = $state('');
  tab = $state<SiteTab>('pages');
  /** The text that is edited. */
  editing = $state.raw<Editing | null>(null);
  /** The user has put off the first question. */
  later = $state(false);
  dialog = $state.raw<SiteDialog | null>(null);
  /** The site is shown as a visitor sees it. */
  visiting = $state(false);
  /** The dialog for the link is open; 'first' right after the site went online. */
  sharing = $state<'first' | 'again' | null>(null);
  readonly tree: FileTree;
  readonly adding: Adding;
  readonly api: SiteApi;
  #toasts: Toasts;
  /** Only the newest answer counts. */
  #asked = 0;

  constructor(api: SiteApi, toasts: Toasts) {
    this.api = api;
    this.#toasts = toasts;
    this.tree = new FileTree(() => this.files?.entries ?? []);
    this.adding = new Adding(api, (added) => void this.#done(added));
  }

  /** Nobody has put anything there yet. */
  readonly asks = $derived(this.files !== null && this.files.untouched && !this.later);

  async load(): Promise<void> {
    const asked = ++this.#asked;
    try {
      const files = await this.api.files();
      if (asked !== this.#asked) return;
      this.files = files;
      this.problem = '';
    } catch (thrown) {
      if (asked === this.#asked) this.problem = words(thrown);
    }
  }

  /** Opens a text in the editor; the caller has asked about an unsaved one. Resolves to whether it could be read. */
  async edit(path: string): Promise<boolean> {
    if (this.editing?.path === path) return true;
    try {
      this.editing = new Editing(this.api, await this.api.read(path), () => void this.load());
      return true;
    } catch (thrown) {
      this.#toasts.show(words(thrown));
      return false;
    }
  }

  /** Rejects with a refusal to show at the title. */
  async makePage(folder: string, title: string): Promise<string> {
    const styled = this.files?.entries.some(({ path }) => path === 'style.css') ?? false;
    const path = joined(folder, fileName(title));
    const depth = folder === '' ? 0 : folder.split('/').length;
    await this.api.write(path, newPage(title, styled ? `${'../'.repeat(depth)}style.css` : null), null);
    await this.#shown(path);
    return path;
  }

  async makeFolder(folder: string, name: string): Promise<void> {
    const path = joined(folder, name);
    await this.api.makeFolder(path);
    await this.#shown(path);
  }

  /** Rejects with a refusal to show at the name. */
  async rename(path: string, name: string): Promise<void> {
    await this.#move(path, joined(parentOf(path), name));
  }

  async moveInto(paths: readonly string[], folder: string): Promise<void> {
    for (const path of outermost(paths)) {
      if (parentOf(path) === folder || within(folder, path)) continue;
      await this.attempt(() => this.#move(path, joined(folder, nameOf(path))));
    }
  }

  async remove(paths: readonly string[]): Promise<void> {
    const next = this.tree.after(paths);
    await this.attempt(async () => this.#done(await this.api.remove(outermost(paths))));
    if (this.editing && paths.some((path) => within(this.editing?.path ?? '', path)) && !this.editing.dirty) this.editing = null;
    this.tree.choose(next);
  }

  /** Shows what failed. */
  async attempt(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (thrown) {
      this.#toasts.show(nameWords(thrown));
      return false;
    }
  }

  /** Rejects with a refusal to show. */
  async setFolder(path: string | null): Promise<void> {
    const before = this.files;
    await this.api.setFolder(path);
    this.tree.clear();
    await this.load();
    const back = before === null ? undefined : () => void this.attempt(() => this.setFolder(before.own ? null : before.root));
    this.#toasts.show(path === null ? 'Your site is in the folder inside Goop2 again.' : `Your site is ${path} now.`, back);
  }

  async apply(starter: string): Promise<void> {
    await this.#done(await this.api.apply(starter));
    this.editing = null;
    this.tree.clear();
  }

  async #move(from: string, to: string): Promise<void> {
    const undo = await this.api.move(from, to);
    if (this.editing && within(this.editing.path, from)) this.editing.moved(to + this.editing.path.slice(from.length));
    await this.#done(undo);
    this.tree.reveal(to);
  }

  async #shown(path: string): Promise<void> {
    await this.load();
    this.tree.reveal(path);
  }

  async #done({ id, message }: Undo): Promise<void> {
    this.#toasts.show(message, () => void this.attempt(() => this.#undo(id)));
    await this.load();
  }

  async #undo(id: string): Promise<void> {
    await this.api.undo(id);
    await this.load();
  }
}
