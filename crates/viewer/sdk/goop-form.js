// Goop.form: a form for one row. The fields define the table: when the owner first opens the page, what is missing is created.

const path = sitePeer ? `/api/p/${sitePeer}/data` : "/api/data";
const run = (suffix, body, id) => operate(`${path}/${suffix}`, body, id);

const css = `
.goop-form { display: grid; gap: .75rem; max-width: 32rem; font: inherit; }
.goop-form label { display: grid; gap: .25rem; }
.goop-form label.goop-check { grid-auto-flow: column; justify-content: start; align-items: center; }
.goop-form input:not([type=checkbox], [type=radio]), .goop-form select, .goop-form textarea { padding: .375rem .5rem; font: inherit; }
.goop-form textarea { min-height: 6rem; }
.goop-form fieldset { border: 1px solid color-mix(in srgb, currentColor 30%, transparent); border-radius: .25rem; }
.goop-form button { justify-self: start; padding: .375rem 1rem; font: inherit; }
.goop-form output { min-height: 1.4em; }
`;

/** Creates the table, or its missing columns. Visitors cannot, and need not once the owner has opened the page. */
async function prepare(table, fields) {
  const known = ((await request(`${path}/tables`)) ?? []).some(({ name }) => name === table);
  const wanted = fields.map(({ name }) => ({ name, type: "TEXT" }));
  if (!known) return run("tables/create", { name: table, columns: wanted });
  const description = await run("tables/describe", { table });
  const columns = Array.isArray(description) ? description : (description?.columns ?? description?.schema?.columns ?? []);
  const names = new Set(columns.map(({ name }) => name));
  for (const column of wanted) if (names.size && !names.has(column.name)) await run("tables/add-column", { table, column });
}

/** The visitor's earlier answer, if only one is allowed. */
async function earlier(table) {
  const { id } = await request("/api/self");
  const rows = await run("query", { table, where: "_owner = ?", args: [id], limit: 1 });
  return rows?.[0];
}

const choices = (field) => (field.options ?? []).map((option) => (typeof option === "object" ? option : { value: option, label: option }));

function control(field, value) {
  const { name, type = "text", placeholder = "", required = false } = field;
  const common = { name, required };
  if (type === "textarea") return element("textarea", { ...common, placeholder, value });
  if (type === "checkbox") return element("input", { ...common, type, checked: ["1", "true", "on"].includes(value) });
  if (type !== "select") return element("input", { ...common, type, placeholder, value });
  const first = element("option", { value: "", textContent: placeholder || "Choose…" });
  const select = element("select", common, first, ...choices(field).map((o) => element("option", { value: o.value, textContent: o.label ?? o.value })));
  select.value = value;
  return select;
}

function row(field, value) {
  const { name, label = name, type, required = false } = field;
  if (type !== "radio") return element("label", { className: type === "checkbox" ? "goop-check" : "" }, label, control(field, value));
  const options = choices(field).map((o) => {
    const radio = element("input", { type, name, required, value: o.value, checked: String(o.value) === value });
    return element("label", { className: "goop-check" }, radio, o.label ?? o.value);
  });
  return element("fieldset", {}, element("legend", { textContent: label }), ...options);
}

function values(form, fields) {
  const data = new FormData(form);
  return Object.fromEntries(
    fields.map(({ name, type }) => [name, type === "checkbox" ? (data.has(name) ? "1" : "0") : String(data.get(name) ?? "")]),
  );
}

async function render(target, options) {
  const { table, fields = [], submitLabel = "Submit", singleResponse = false, onDone } = options;
  style("form", css);
  const place = typeof target === "string" ? document.querySelector(target) : target;
  const message = element("output", { role: "status" });
  let answered;
  try {
    await prepare(table, fields);
    if (singleResponse) answered = await earlier(table);
  } catch (error) {
    message.value = error.message;
  }
  const rows = fields.map((field) => row(field, String(answered?.[field.name] ?? "")));
  const button = element("button", { type: "submit", textContent: answered ? "Update" : submitLabel });
  const form = element("form", { className: "goop-form" }, ...rows, button, message);
  const sent = ids();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    message.value = "";
    try {
      const data = values(form, fields);
      const id = sent.of(data);
      if (answered) await run("update", { table, id: answered._id, data }, id);
      else {
        const inserted = await run("insert", { table, data }, id);
        if (singleResponse) answered = { _id: inserted.id };
        else form.reset();
      }
      sent.done();
      if (singleResponse) button.textContent = "Update";
      message.value = "Saved.";
      onDone?.(data);
    } catch (error) {
      message.value = error.message;
    } finally {
      button.disabled = false;
    }
  });
  place.replaceChildren(form);
}

Goop.form = { render };
