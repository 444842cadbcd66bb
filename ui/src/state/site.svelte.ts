// The user's own site: its files, and what is done with them. It outlives its page, and so do an unsaved text and an upload.

import { type Incoming, type SiteApi, type SiteFiles, type Undo } from '../api';
import { files } from '../lib/counts';
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
    this.adding = new Adding(api, ({ message, id }) => void this.#done(message, [id]));
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
    const to = joined(parentOf(path), name);
    const { id, message } = await this.#move(path, to);
    await this.#done(message, [id]);
    this.tree.reveal(to);
  }

  async moveInto(paths: readonly string[], folder: string): Promise<void> {
    const moving = outermost(paths).filter((path) => parentOf(path) !== folder && !within(folder, path));
    const undos: Undo[] = [];
    await this.attempt(async () => {
      for (const path of moving) undos.push(await this.#move(path, joined(folder, nameOf(path))));
    });
    const [first] = undos;
    if (!first) return;
    const message = undos.length === 1 ? first.message : `${files(undos.length)} moved to ${folder || 'the top'}.`;
    await this.#done(message, undos.map(({ id }) => id));
    this.tree.reveal(joined(folder, nameOf(moving[0] ?? '')));
  }

  async remove(paths: readonly string[]): Promise<void> {
    const next = this.tree.after(paths);
    await this.attempt(async () => {
      const { message, id } = await this.api.remove(outermost(paths));
      await this.#done(message, [id]);
    });
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
    const { message, id } = await this.api.apply(starter);
    await this.#done(message, [id]);
    this.editing = null;
    this.tree.clear();
  }

  async #move(from: string, to: string): Promise<Undo> {
    const undo = await this.api.move(from, to);
    if (this.editing && within(this.editing.path, from)) this.editing.moved(to + this.editing.path.slice(from.length));
    return undo;
  }

  async #shown(path: string): Promise<void> {
    await this.load();
    this.tree.reveal(path);
  }

  async #done(message: string, ids: readonly string[]): Promise<void> {
    this.#toasts.show(message, () => void this.attempt(() => this.#undo(ids)));
    await this.load();
  }

  async #undo(ids: readonly string[]): Promise<void> {
    for (const id of ids.toReversed()) await this.api.undo(id);
    await this.load();
  }
}
