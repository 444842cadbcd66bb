// The requests about tables, which are the same for every skin: an operation by name, with its arguments.

import type { Cell, Rows, Saved, Format, TableInfo, TablesApi, Undo } from './index';

/** Runs one operation of `TablesRequest` in crates/peer/src/api/tables.rs. */
type Run = <T>(request: { op: string; [argument: string]: unknown }) => Promise<T>;

/** How a skin carries operations, and saves a file. */
export function tables(run: Run, save: (table: string, format: Format) => Promise<Saved>): TablesApi {
  return {
    all: () => run<TableInfo[]>({ op: 'all' }),
    rows: (query) => run<Rows>({ op: 'rows', query }),
    row: (table, id) => run<Cell[]>({ op: 'row', table, id }),
    update: (table, id, values) => run<Undo>({ op: 'update', table, id, values }),
    insert: (table, values) => run<number>({ op: 'insert', table, values }),
    remove: (table, ids) => run<Undo>({ op: 'remove', table, ids }),
    undo: (id) => run<void>({ op: 'undo', id }),
    removeAuthor: (peer, block) => run<Undo>({ op: 'remove_author', peer, block }),
    create: (name, columns, policy) => run<void>({ op: 'create', name, columns, policy }),
    addColumn: (table, column) => run<void>({ op: 'add_column', table, column }),
    setPolicy: (table, policy) => run<void>({ op: 'set_policy', table, policy }),
    drop: (table) => run<Undo>({ op: 'drop', table }),
    import: (table, format, text) => run<Undo>({ op: 'import', table, format, text }),
    seen: (table) => run<void>({ op: 'seen', table }),
    export: save,
  };
}
