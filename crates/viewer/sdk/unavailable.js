// Sent for scripts of existing peers that this version has not: every call says so, and the rest of the page goes on.

const name = "__NAME__";
const refuse = () => Promise.reject(new Error(`Goop.${name} is not available in this version of Goop2`));

/** Also what it has is missing, however deep; only a Promise it is not. */
const missing = new Proxy(refuse, {
  get: (_, key) => (key === "then" || typeof key === "symbol" ? undefined : missing),
});

Goop[name] ??= missing;
