// Goop.data: the tables of the peer whose site this is; outside a site, the user's own.
//
// Nothing is rounded: a whole number beyond ±(2^53 − 1) is a BigInt, up to 2^63 − 1, and may be sent as one. A BLOB is a
// Uint8Array; send a Uint8Array or an ArrayBuffer to store one. A row's `_owner_email` is there for the owner of the site and for
// the author of the row; others get "". `insert`, `update` and `remove` take an id as their last argument, { write: "…" } (16 to 64
// letters, digits, - or _): sent again with the same id and values, the write does not happen a second time.

const base = sitePeer ? `/api/p/${sitePeer}/data` : "/api/data";
const run = (suffix, body, { write } = {}) => operate(`${base}/${suffix}`, body, write);
const rows = async (answer) => (await answer) ?? [];

/** Existing peers describe a table as a list of columns, or as an object that contains the list. */
function columns(description) {
  if (Array.isArray(description)) return description;
  return description?.columns ?? description?.schema?.columns ?? [];
}

Goop.data = {
  tables: () => rows(request(`${base}/tables`)),
  describe: async (table) => columns(await run("tables/describe", { table })),
  query: (table, { columns, where, args, limit, offset } = {}) =>
    rows(run("query", { table, columns, where, args, limit, offset })),
  insert: (table, data, options) => run("insert", { table, data }, options),
  update: (table, id, data, options) => run("update", { table, id, data }, options),
  remove: (table, id, options) => run("delete", { table, id }, options),
  createTable: (name, columns) => run("tables/create", { name, columns }),
  dropTable: (table) => run("tables/delete", { table }),
  addColumn: (table, column) => run("tables/add-column", { table, column }),
  /** Calls back whenever the table is written, by anyone, until the function that this returns is called. */
  subscribe(table, callback) {
    const written = ({ tables = [] }) => tables.some((name) => name === "*" || name.toLowerCase() === String(table).toLowerCase());
    return onChanges((message) => written(message) && callback({ table }));
  },
  call: (name, params) => run("lua/call", { function: name, params: params ?? {} }),
  functions: async () => (await run("lua/list"))?.functions ?? [],
};
