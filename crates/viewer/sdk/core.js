// Sent before every script of the SDK, in the same closure.

const Goop = (globalThis.Goop ??= {});

/**
 * The peer whose site this page belongs to: from the path, or from the site's origin when a root-relative link led here. Its owner
 * looks at it as a stranger where a `v` stands before.
 */
const sitePeer =
  /^\/p\/([^/]+)\//.exec(location.pathname)?.[1] ?? /^v?(k[a-z0-9]+)\.localhost$/.exec(location.hostname)?.[1];

/** The most that a column keeps as a whole number; a larger one is a 64-bit float, as Numbers are. */
const LARGEST = 2n ** 63n - 1n;
/** The texts and numbers of JSON. */
const tokens = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g;

const isLarge = (number) =>
  /^-?\d+$/.test(number) && !Number.isSafeInteger(Number(number)) && BigInt(number) <= LARGEST && BigInt(number) >= -LARGEST - 1n;
const isBlob = (value) => typeof value?.$blob === "string" && Object.keys(value).length === 1;
const fromBase64 = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
const toBase64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
/** 32 hexadecimal digits. */
const randomId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** JSON as values, none of them rounded: whole numbers beyond ±(2^53 − 1) are BigInts, BLOBs are Uint8Arrays. */
function read(text) {
  const mark = `${randomId()}:`;
  const marked = /\d{16}/.test(text) ? text.replace(tokens, (token) => (isLarge(token) ? `"${mark}${token}"` : token)) : text;
  if (marked === text && !text.includes('"$blob"')) return JSON.parse(text);
  return JSON.parse(marked, (_, value) => {
    if (typeof value === "string" && value.startsWith(mark)) return BigInt(value.slice(mark.length));
    return isBlob(value) ? fromBase64(value.$blob) : value;
  });
}

/** The reverse of `read`. */
function write(value) {
  const mark = `${randomId()}:`;
  const text = JSON.stringify(value, (_, item) => {
    if (typeof item === "bigint") return `${mark}${item}`;
    if (item instanceof ArrayBuffer) return { $blob: toBase64(new Uint8Array(item)) };
    return item instanceof Uint8Array ? { $blob: toBase64(item) } : item;
  });
  return text.replace(new RegExp(`"${mark}(-?\\d+)"`, "g"), "$1");
}

/** The answer as JSON. A failed request throws an Error with the answer's text. */
async function request(url, options) {
  const response = await fetch(url, { cache: "no-store", ...options });
  const text = await response.text();
  if (!response.ok) throw new Error(text.trim() || `${response.status} ${response.statusText}`);
  return text.trim() ? read(text) : null;
}

function post(url, body = {}) {
  return request(url, { method: "POST", headers: { "Content-Type": "application/json" }, body: write(body) });
}

/** A data operation, exact in both directions. With an id in `write`, it happens once however often it is sent. */
const operate = (url, body, id) => post(url, { ...body, goop2: { blobs: true, write: id } });

/** Ids for what a form writes: the same again for the same values, until `done`. */
function ids() {
  let last;
  return {
    of(values) {
      const text = write(values);
      if (last?.text !== text) last = { text, id: randomId() };
      return last.id;
    },
    done: () => (last = undefined),
  };
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
