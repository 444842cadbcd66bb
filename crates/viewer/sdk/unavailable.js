// Sent for scripts of existing peers that this version lacks: every call says so, and the rest of the page keeps working.

const name = "__NAME__";
const refuse = () => Promise.reject(new Error(`Goop.${name} is not available in this version of Goop2`));

/** Its properties are missing too, at any depth. It must not look like a Promise. */
const missing = new Proxy(refuse, {
  get: (_, key) => (key === "then" || typeof key === "symbol" ? undefined : missing),
});

Goop[name] ??= missing;
