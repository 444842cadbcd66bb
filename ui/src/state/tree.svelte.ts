// The tree of files: which folders are open, which row has the focus, and which rows are selected.

import { SvelteSet } from 'svelte/reactivity';
import type { SiteEntry } from '../api';
import { parentOf } from '../lib/paths';
import { folders, rows, targetFolder, type Row } from '../lib/tree';

/** How a row is chosen: alone, as well as others, or all up to it. */
export type How = 'only' | 'toggle' | 'range';

export class FileTree {
  readonly open = new SvelteSet<string>();
  /** The paths that are selected. */
  selected = $state.raw<readonly string[]>([]);
  focused = $state<string | null>(null);
  /** Where a range begins. */
  #anchor: string | null = null;
  #entries: () => readonly SiteEntry[];

  readonly folders = $derived.by(() => folders(this.#entries()));
  readonly rows: Row[] = $derived.by(() => rows(this.folders, this.open));
  /** The row that Tab stops at. */
  readonly stop = $derived.by(() => Math.max(0, this.#at(this.focused)));
  readonly chosen = $derived.by(() => {
    const wanted = new Set(this.selected);
    return wanted.size === 0 ? [] : this.#entries().filter(({ path }) => wanted.has(path));
  });
  /** The folder that something new goes to. */
  readonly target = $derived.by(() => targetFolder(this.chosen.length === 1 ? this.chosen[0] : undefined));

  constructor(entries: () => readonly SiteEntry[]) {
    this.#entries = entries;
  }

  #at(path: string | null): number {
    return path === null ? -1 : this.rows.findIndex(({ entry }) => entry.path === path);
  }

  choose(path: string | null, how: How = 'only'): void {
    if (path === null) {
      this.selected = [];
      return;
    }
    this.focused = path;
    if (how === 'range') {
      const ends = [this.#at(this.#anchor ?? path), this.#at(path)].sort((a, b) => a - b);
      this.selected = this.rows.slice(Math.max(0, ends[0] ?? 0), (ends[1] ?? 0) + 1).map(({ entry }) => entry.path);
      return;
    }
    this.#anchor = path;
    const on = this.selected.includes(path);
    if (how === 'only') this.selected = [path];
    else this.selected = on ? this.selected.filter((other) => other !== path) : [...this.selected, path];
  }

  chooseAll(): void {
    this.selected = this.rows.map(({ entry }) => entry.path);
  }

  toggle(path: string): void {
    if (!this.open.delete(path)) this.open.add(path);
  }

  /** To a row, counted from the first; selects it as `how` says. */
  go(at: number, how: How): void {
    const row = this.rows[Math.max(0, Math.min(at, this.rows.length - 1))];
    if (row) this.choose(row.entry.path, how);
  }

  /** Into a closed folder's row, or down into an open one. */
  right(): void {
    const row = this.rows[this.stop];
    if (row?.open === false) this.open.add(row.entry.path);
    else if (row?.open) this.go(this.stop + 1, 'only');
  }

  /** Closes a folder, or goes to the one around. */
  left(): void {
    const row = this.rows[this.stop];
    if (row?.open) this.open.delete(row.entry.path);
    else if (row && parentOf(row.entry.path) !== '') this.choose(parentOf(row.entry.path));
  }

  /** The next row whose name begins with a letter. */
  find(letter: string): void {
    const begins = ({ name }: Row): boolean => name.toLocaleLowerCase().startsWith(letter.toLocaleLowerCase());
    const after = this.rows.findIndex((row, at) => at > this.stop && begins(row));
    const at = after >= 0 ? after : this.rows.findIndex(begins);
    if (at >= 0) this.go(at, 'only');
  }

  /** Opens the folders around a path, and selects it. */
  reveal(path: string): void {
    for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder)) this.open.add(folder);
    this.choose(path);
  }

  /** What is there once these are gone: the row after the last of them, or the one before the first. */
  after(gone: readonly string[]): string | null {
    const stays = ({ entry }: Row): boolean => !gone.some((path) => entry.path === path || entry.path.startsWith(`${path}/`));
    const last = this.rows.findLastIndex((row) => !stays(row));
    return (this.rows.slice(last + 1).find(stays) ?? this.rows.findLast(stays))?.entry.path ?? null;
  }

  clear(): void {
    this.open.clear();
    this.selected = [];
    this.focused = null;
  }
}
