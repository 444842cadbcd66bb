// Sent before every script of the SDK, in the same closure.

const Goop = (globalThis.Goop ??= {});

/** The peer whose site this page belongs to: from the path, or from the site's origin when a root-relative link led here. */
const sitePeer =
  /^\/p\/([^/]+)\//.exec(location.pathname)?.[1] ?? /^([a-z0-9]+)\.localhost$/.exec(location.hostname)?.[1];

/** The answer as JSON. A failed request throws an Error with the answer's text. */
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

/** Adopts the style sheet, which works under any Content-Security-Policy. `key` prevents adopting it twice. */
function style(key, css) {
  const adopted = (Goop.styles ??= new Set());
  if (adopted.has(key)) return;
  adopted.add(key);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}
