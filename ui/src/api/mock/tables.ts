// Invented tables: a guestbook with new entries, one with half a million rows, one that is nearly full and one that is empty. What is
// done to them works as in a peer, as far as the window can tell.

import { Refusal, type Cell, type ColumnKind, type NewColumn, type Policy, type Rows, type RowsQuery, type TableColumn, type TableInfo, type TablesApi, type Undo } from '..';

type Row = readonly [id: number, ...cells: Cell[]];

/** Rows are made when they are first asked for: most windows never show them. */
class Table {
  info: Omit<TableInfo, 'rows'>;
  #count: number;
  #make: (at: number) => Row;
  #rows: Row[] | null = null;

  constructor(info: Omit<TableInfo, 'rows'>, count: number, make: (at: number) => Row) {
    this.info = info;
    this.#count = count;
    this.#make = make;
  }

  get count(): number {
    return this.#rows?.length ?? this.#count;
  }

  get rows(): Row[] {
    this.#rows ??= Array.from({ length: this.#count }, (_, at) => this.#make(at));
    return this.#rows;
  }

  set rows(rows: Row[]) {
    this.#rows = rows;
  }
}

const MANY = 500_000;
const DAY = 86_400_000;
const MESSAGES = ['The heron came back.', 'Lovely pictures!', 'I walked there last week. The water is higher than it was in spring.', 'How do you get so close?', '=1+1', '<b>Hello</b> & good morning', 'ملاحظات جميلة من الحديقة'];

/** `people` are the ids and names of those who write; `me` is the owner. */
export function mockTables(empty: boolean, me: string, people: readonly { id: string; label: string }[]): TablesApi {
  const authors = new Map(people.map(({ id, label }) => [id, label]));
  const ids = [...authors.keys()];
  const written = (number: number, author: string): Cell[] => [author, '', when(number), when(number)];
  const visitor = (number: number): string => ids[number % ids.length] ?? me;
  const tables = new Map<string, Table>();
  const add = (name: string, policy: string, more: Partial<TableInfo>, columns: TableColumn[], count: number, cells: (number: number) => Cell[]): void => {
    const row = (at: number): Row => [at + 1, ...written(count - at, policy === 'owner' ? me : visitor(at)), ...cells(at)];
    const info = { name, policy, restricted: false, bytes: count * 120, full: 0.02, fresh: 0, columns: [...SYSTEM, ...columns], ...more };
    tables.set(name, new Table(info, count, row));
  };
  if (!empty) {
    add('guestbook', 'public', { fresh: 3 }, [column('name', 'text'), column('message', 'text', true)], 128, (at) => [authors.get(visitor(at)) ?? '', MESSAGES[at % MESSAGES.length] ?? '']);
    add('posts', 'owner', {}, [column('title', 'text', true), column('body', 'text'), column('published', 'yes_no')], 12, (at) => [`Autumn notes ${at + 1}`, 'Most mornings I walk around the marsh. '.repeat(4), at % 3 ? 1 : 0]);
    add('answers', 'open', { full: 0.93, fresh: 1000 }, [column('question', 'whole'), column('answer', 'text'), column('day', 'date')], 40, (at) => [at === 7 ? { $int: '9223372036854775807' } : at, at === 9 ? { $cut: 'A long answer, of which this is the beginning', bytes: 9000 } : 'Yes', '2026-11-30']);
    add('sightings', 'owner', {}, [column('species', 'text'), column('count', 'whole'), column('weight', 'number'), column('picture', 'other')], MANY, (at) => [`Bird ${at % 977}`, at, at / 7, at % 5 ? null : { $blob: 48_200 }]);
    add('wishes', 'email', {}, [column('wish', 'text')], 0, () => []);
  }
  return new MockTables(tables, me, authors).api;
}

class MockTables {
  #tables: Map<string, Table>;
  #me: string;
  #authors: ReadonlyMap<string, string>;
  #undone = new Map<string, () => void>();
  #undos = 0;

  constructor(tables: Map<string, Table>, me: string, authors: ReadonlyMap<string, string>) {
    this.#tables = tables;
    this.#me = me;
    this.#authors = authors;
  }

  readonly api: TablesApi = {
    all: async () => [...this.#tables.values()].map(({ info, count }) => ({ ...info, rows: count })),
    rows: async (query) => this.#select(query),
    row: async (table, id) => cells(this.#row(this.#table(table), id)),
    update: async (name, id, values) => {
      const table = this.#table(name);
      const before = this.#row(table, id);
      const at = table.rows.indexOf(before);
      table.rows[at] = [id, ...table.info.columns.slice(1).map(({ name: column }, i) => (column in values ? (values[column] ?? null) : (before[i + 1] ?? null)))];
      return this.#undo('Row changed.', () => (table.rows[at] = before));
    },
    insert: async (name, values) => {
      const table = this.#table(name);
      const missing = table.info.columns.find((column) => column.not_null && !column.system && (values[column.name] ?? '') === '');
      if (missing) throw new Refusal({ code: 'invalid', message: `“${missing.name}” can’t be empty.` });
      const id = (table.rows.at(-1)?.[0] ?? 0) + 1;
      table.rows.push([id, this.#me, '', when(0), when(0), ...table.info.columns.slice(SYSTEM.length).map((column) => values[column.name] ?? null)]);
      return id;
    },
    remove: async (name, ids) => this.#remove(`${count(ids.length)} removed.`, [this.#table(name)], ([id]) => ids.includes(id)),
    undo: async (id) => void this.#undone.get(id)?.(),
    removeAuthor: async (peer, block) => this.#remove(block ? 'Blocked, and all they wrote removed.' : 'All they wrote removed.', [...this.#tables.values()], (row) => row[1] === peer),
    create: async (name, columns, policy) => {
      if (this.#tables.has(name)) throw new Refusal({ code: 'exists', message: `There is already a table “${name}”.` });
      const info = { name, policy, restricted: false, bytes: 0, full: 0, fresh: 0, columns: [...SYSTEM, ...columns.map(made)] };
      this.#tables.set(name, new Table(info, 0, () => [0]));
    },
    addColumn: async (name, column) => {
      const table = this.#table(name);
      table.info = { ...table.info, columns: [...table.info.columns, made(column)] };
      table.rows = table.rows.map((row) => [...row, null]);
    },
    setPolicy: async (name, policy: Policy) => void (this.#table(name).info.policy = policy),
    drop: async (name) => {
      const table = this.#table(name);
      this.#tables.delete(name);
      return this.#undo(`“${name}” removed.`, () => this.#tables.set(name, table));
    },
    export: async (table, format) => ({ path: `/home/mira/Downloads/${table}.${format}` }),
    import: async (name, _, text) => {
      if (text === '') throw new Refusal({ code: 'invalid', message: 'Line 1: The first line must name the columns.' });
      return this.#undo(`${count(text.split('\n').length - 1)} added to “${name}”.`, () => {});
    },
    seen: async (name) => void (this.#table(name).info.fresh = 0),
  };

  #table(name: string): Table {
    const table = this.#tables.get(name);
    if (!table) throw new Refusal({ code: 'not-found', message: `There is no table “${name}” anymore.` });
    return table;
  }

  #row(table: Table, id: number): Row {
    const row = table.rows.find(([own]) => own === id);
    if (!row) throw new Refusal({ code: 'not-found', message: 'This row no longer exists.' });
    return row;
  }

  #select({ table: name, sort, descending, filter, offset, limit }: RowsQuery): Rows {
    const { info, rows } = this.#table(name);
    const wanted = filter.toLowerCase();
    const named = (cell: Cell | undefined): string => text(this.#authors.get(text(cell)) ?? cell).toLowerCase();
    const found = wanted === '' ? [...rows] : rows.filter((row) => row.slice(1).some((cell) => named(cell).includes(wanted)));
    const by = info.columns.findIndex((column) => column.name === sort);
    if (by > 0) found.sort((a, b) => (typeof a[by] === 'number' && typeof b[by] === 'number' ? a[by] - b[by] : text(a[by]).localeCompare(text(b[by]))));
    if (descending) found.reverse();
    const page = found.slice(offset, offset + limit);
    return { total: found.length, ids: page.map(([id]) => id), rows: page.map(cells), authors: Object.fromEntries(this.#authors) };
  }

  #remove(message: string, tables: Table[], matches: (row: Row) => boolean): Undo {
    const before = tables.map((table) => table.rows);
    for (const table of tables) table.rows = table.rows.filter((row) => !matches(row));
    return this.#undo(message, () => tables.forEach((table, at) => (table.rows = before[at] ?? [])));
  }

  #undo(message: string, back: () => unknown): Undo {
    const id = String(++this.#undos);
    this.#undone.set(id, () => void back());
    return { id, message };
  }
}

const column = (name: string, kind: ColumnKind | 'other', not_null = false): TableColumn => ({ name, kind, not_null, system: name.startsWith('_') });
const made = ({ name, kind, not_null }: NewColumn): TableColumn => column(name, kind, not_null);
const SYSTEM = [column('_id', 'whole'), column('_owner', 'text', true), column('_owner_email', 'text'), column('_created_at', 'date'), column('_updated_at', 'date')];

const cells = (row: Row): Cell[] => [...row];
const count = (rows: number): string => (rows === 1 ? '1 row' : `${rows} rows`);
const text = (cell: Cell | undefined): string => (typeof cell === 'string' || typeof cell === 'number' ? String(cell) : JSON.stringify(cell ?? ''));
const when = (days: number): string => new Date(Date.now() - days * (DAY / 9)).toISOString().slice(0, 19).replace('T', ' ');
