// Sent before every script of the SDK, in its closure.

const Goop = (globalThis.Goop ??= {});

/** The peer whose site this page is: from the path, or from the site's own origin when a root-relative link led here. */
const sitePeer =
  /^\/p\/([^/]+)\//.exec(location.pathname)?.[1] ?? /^([a-z0-9]+)\.localhost$/.exec(location.hostname)?.[1];

/** The answer as JSON; a refusal is an Error with the answer's text. */
async function request(url, options) {
  const response = await fetch(url, { cache: "no-store", ...options });
  const text = await response.text();
  if (!response.ok) throw new Error(text.trim() || `${response.status} ${response.statusText}`);
  return text.trim() ? JSON.parse(text) : null;
}

function post(url, body = {}) {
  return request(url, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

/** Adopted, not inserted: works under any Content-Security-Policy. `key` keeps it from being adopted twice. */
function style(key, css) {
  const adopted = (Goop.styles ??= new Set());
  if (adopted.has(key)) return;
  adopted.add(key);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}
