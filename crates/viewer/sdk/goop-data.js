// Goop.data: the tables of the peer whose site this is; outside a site, the user's own.

const base = sitePeer ? `/api/p/${sitePeer}/data` : "/api/data";
const run = (suffix, body) => post(`${base}/${suffix}`, body);
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
  insert: (table, data) => run("insert", { table, data }),
  update: (table, id, data) => run("update", { table, id, data }),
  remove: (table, id) => run("delete", { table, id }),
  createTable: (name, columns) => run("tables/create", { name, columns }),
  dropTable: (table) => run("tables/delete", { table }),
  addColumn: (table, column) => run("tables/add-column", { table, column }),
  call: (name, params) => run("lua/call", { function: name, params: params ?? {} }),
  functions: async () => (await run("lua/list"))?.functions ?? [],
};
