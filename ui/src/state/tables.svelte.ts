// The tables of the user's site: which there are, and what is done to them.

import type { Stop, TableInfo, TablesApi, Undo } from '../api';
import { words } from './failure';
import { RowWindow, type RowView } from './rows.svelte';
import type { Toasts } from './toasts.svelte';

/** How often the peer is asked for what changed while the tables are shown; it answers from memory when nothing did. */
const LOOK_MS = 3000;

export type TablesDialog = 'new' | 'column' | 'policy' | 'export' | 'import' | 'drop' | 'row' | 'add' | 'author';

export class Tables {
  /** null until the first answer. */
  all = $state.raw<readonly TableInfo[] | null>(null);
  problem = $state('');
  name = $state<string | null>(null);
  dialog = $state<TablesDialog | null>(null);
  selected = $state.raw<readonly RowView[]>([]);
  /** Rows that were new when the table was opened. */
  fresh = $state(0);
  readonly api: TablesApi;
  readonly rows: RowWindow;
  readonly toasts: Toasts;

  readonly current = $derived(this.all?.find(({ name }) => name === this.name) ?? null);

  constructor(api: TablesApi, toasts: Toasts) {
    this.api = api;
    this.toasts = toasts;
    this.rows = new RowWindow(api);
  }

  start(): Stop {
    void this.load();
    const timer = setInterval(() => document.hidden || void this.load(), LOOK_MS);
    return () => clearInterval(timer);
  }

  async load(): Promise<void> {
    try {
      const all = await this.api.all();
      const before = this.current;
      this.problem = '';
      if (JSON.stringify(all) === JSON.stringify(this.all)) return;
      this.all = all;
      if (!this.current) this.open(all.find(({ fresh }) => fresh > 0)?.name ?? all[0]?.name ?? null);
      else if (before && JSON.stringify(before) !== JSON.stringify(this.current)) this.#changed(before, this.current);
    } catch (thrown) {
      this.problem = words(thrown);
    }
  }

  /** Shows a table, the newest rows first. */
  open(name: string | null): void {
    this.name = name;
    this.selected = [];
    this.fresh = this.current?.fresh ?? 0;
    if (name === null) return;
    this.rows.show(name);
    if (this.fresh > 0) void this.#seen(name);
  }

  /** Does something to tables, shows what came of it, and offers to undo it. */
  async change(act: () => Promise<Undo | void>): Promise<void> {
    const undo = await act();
    await this.refresh();
    if (undo) this.toasts.show(undo.message, () => void this.#undo(undo.id));
  }

  /** As `change`, and says in a toast when it fails. */
  async attempt(act: () => Promise<Undo | void>): Promise<void> {
    await this.change(act).catch((thrown: unknown) => this.toasts.show(words(thrown)));
  }

  async refresh(): Promise<void> {
    await Promise.all([this.load(), this.rows.refresh()]);
  }

  /** What came while the table was shown is new until it is opened again. */
  #changed(before: TableInfo, now: TableInfo): void {
    if (now.fresh > 0) {
      this.fresh += now.fresh;
      void this.#seen(now.name);
    }
    if (before.rows !== now.rows || now.fresh > 0) void this.rows.refresh();
  }

  async #seen(name: string): Promise<void> {
    await this.api.seen(name).catch(() => {});
    this.all = this.all?.map((table) => (table.name === name ? { ...table, fresh: 0 } : table)) ?? null;
  }

  async #undo(id: string): Promise<void> {
    await this.api.undo(id).catch((thrown: unknown) => this.toasts.show(words(thrown)));
    await this.refresh();
  }
}
