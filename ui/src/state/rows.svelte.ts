// The rows of one table that are seen, of however many there are. They come in blocks; those that were seen lately are kept.

import type { Cell, TablesApi } from '../api';
import { words } from './failure';

/** Rows in one request. */
const BLOCK = 100;
/** Blocks that are kept: some thousand rows around those that are seen. */
const MAX_BLOCKS = 40;
/** Requests in progress at once: where a scroll bar is dragged, most of what it passes is never asked for. */
const MAX_ASKED = 2;

export interface RowView {
  readonly id: number;
  readonly cells: readonly Cell[];
}

export class RowWindow {
  total = $state(0);
  /** There was an answer for the table and filter that are shown. */
  ready = $state(false);
  problem = $state('');
  filter = $state('');
  sort = $state<string | null>(null);
  descending = $state(true);
  /** Counts answers, so that what is shown follows. */
  version = $state(0);
  authors = $state.raw<Readonly<Record<string, string>>>({});
  #api: TablesApi;
  #table = '';
  #blocks = new Map<number, readonly RowView[]>();
  #asked = new Map<number, number>();
  /** Answers of an earlier order are not shown. */
  #order = 0;
  #wanted: readonly [number, number] = [0, 1];

  constructor(api: TablesApi) {
    this.#api = api;
  }

  show(table: string): void {
    this.#table = table;
    this.filter = '';
    this.sort = null;
    this.descending = true;
    this.#begin();
  }

  filterBy(text: string): void {
    this.filter = text;
    this.#begin();
  }

  sortBy(column: string | null, descending: boolean): void {
    this.sort = column;
    this.descending = descending;
    this.#begin();
  }

  /** Asks again for what is seen, which stays until the answer is there. */
  async refresh(): Promise<void> {
    this.#order++;
    this.#asked.clear();
    const [first, last] = this.#wanted;
    const seen = blocks(first, last);
    for (const block of [...this.#blocks.keys()]) if (!seen.includes(block)) this.#blocks.delete(block);
    await Promise.all(seen.map((block) => this.#ask(block)));
  }

  row(at: number): RowView | undefined {
    return this.#blocks.get(Math.floor(at / BLOCK))?.[at % BLOCK];
  }

  /** The rows from `first` to before `last` are seen. */
  want(first: number, last: number): void {
    this.#wanted = [first, last];
    this.#fill();
  }

  #begin(): void {
    this.#order++;
    this.#asked.clear();
    this.#blocks.clear();
    this.ready = false;
    this.#wanted = [0, 1];
    void this.#ask(0);
  }

  #fill(): void {
    if (!this.ready) return;
    for (const block of blocks(...this.#wanted)) {
      if (this.#asked.size >= MAX_ASKED) return;
      if (!this.#blocks.has(block) && !this.#asked.has(block)) void this.#ask(block);
    }
  }

  async #ask(block: number): Promise<void> {
    const order = this.#order;
    this.#asked.set(block, order);
    try {
      const { sort, descending, filter } = this;
      const answer = await this.#api.rows({ table: this.#table, sort, descending, filter, offset: block * BLOCK, limit: BLOCK });
      if (order !== this.#order) return;
      const cells = answer.rows as Cell[][];
      this.#blocks.delete(block);
      this.#blocks.set(block, answer.ids.map((id, at) => ({ id, cells: cells[at] ?? [] })));
      const oldest = this.#blocks.keys().next();
      if (this.#blocks.size > MAX_BLOCKS && !oldest.done) this.#blocks.delete(oldest.value);
      this.authors = { ...this.authors, ...(answer.authors as Record<string, string>) };
      this.total = answer.total;
      this.ready = true;
      this.problem = '';
      this.version++;
    } catch (thrown) {
      if (order === this.#order) this.problem = words(thrown);
    } finally {
      if (this.#asked.get(block) === order) this.#asked.delete(block);
    }
    if (order === this.#order && this.problem === '') this.#fill();
  }
}

function blocks(first: number, last: number): number[] {
  const [from, to] = [Math.floor(first / BLOCK), Math.floor(Math.max(first, last - 1) / BLOCK)];
  return Array.from({ length: to - from + 1 }, (_, at) => from + at);
}
