// Goop.forms: the rows of any table, and a form for a new row, generated from the table's description.

const path = sitePeer ? `/api/p/${sitePeer}/data` : "/api/data";
const run = (suffix, body, id) => operate(`${path}/${suffix}`, body, id);
/** The most rows shown. */
const LIMIT = 200;

const css = `
.goop-table { border-collapse: collapse; font: inherit; }
.goop-table th, .goop-table td { padding: .25rem .625rem; text-align: start; vertical-align: top; overflow-wrap: anywhere;
  border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent); }
.goop-insert { display: grid; gap: .75rem; max-width: 32rem; margin-block: 1rem; }
.goop-insert label { display: grid; gap: .25rem; }
.goop-insert input, .goop-insert button { padding: .375rem .5rem; font: inherit; }
.goop-insert button { justify-self: start; }
.goop-insert output { min-height: 1.4em; }
`;

const at = (target) => (typeof target === "string" ? document.querySelector(target) : target);

/** The columns that people fill in, without those every table has. */
async function columns(table) {
  const description = await run("tables/describe", { table });
  const all = Array.isArray(description) ? description : (description?.columns ?? description?.schema?.columns ?? []);
  return all.filter(({ name }) => !name.startsWith("_"));
}

const numeric = ({ type = "" }) => /INT|REAL|NUM|FLOA|DOUB/i.test(type);

function value(column, text) {
  if (text === "" && !column.not_null) return null;
  if (!numeric(column) || text === "") return text;
  return isLarge(text) ? BigInt(text) : Number(text);
}

const shown = (value) => (value instanceof Uint8Array ? `${value.length} bytes` : (value ?? ""));

async function insertForm(target, table, onInserted) {
  style("forms", css);
  const fields = await columns(table);
  const inputs = fields.map((column) =>
    element("input", { name: column.name, type: numeric(column) ? "number" : "text", step: "any", required: Boolean(column.not_null) && column.default == null }),
  );
  const labels = inputs.map((input) => element("label", {}, input.name, input));
  const message = element("output", { role: "status" });
  const form = element("form", { className: "goop-insert" }, ...labels, element("button", { textContent: "Add" }), message);
  const sent = ids();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    message.value = "";
    try {
      const row = Object.fromEntries(fields.map((column, index) => [column.name, value(column, inputs[index].value)]));
      const inserted = await run("insert", { table, data: row }, sent.of(row));
      sent.done();
      form.reset();
      onInserted?.(inserted);
    } catch (error) {
      message.value = error.message;
    }
  });
  at(target).replaceChildren(form);
}

async function listing(table) {
  const rows = (await run("query", { table, limit: LIMIT })) ?? [];
  if (!rows.length) return element("p", { textContent: "Nothing here yet." });
  const names = (await columns(table)).map(({ name }) => name);
  const cell = (tag) => (text) => element(tag, { textContent: shown(text) });
  const head = element("thead", {}, element("tr", {}, ...names.map(cell("th"))));
  const body = element("tbody", {}, ...rows.map((row) => element("tr", {}, ...names.map((name) => cell("td")(row[name])))));
  return element("table", { className: "goop-table" }, head, body);
}

async function render(target, table) {
  style("forms", css);
  const form = element("div");
  const list = element("div");
  at(target).replaceChildren(list, form);
  const refresh = async () => list.replaceChildren(await listing(table));
  await refresh();
  await insertForm(form, table, refresh);
}

Goop.forms = { render, insertForm };
