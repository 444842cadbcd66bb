// Added by Goop2 to each page that a person opens: says what the page was refused, where a browser only writes it into its log.
// Within Goop2's window, the window says it.

const REFUSED = Symbol.for("goop.refused");
/** Characters shown of an address. */
const MAX_ADDRESS = 120;

/** By the directive that refused it; what a page only loads is not worth a word over it. */
const texts = {
  "form-action": (to) => `Goop2 didn’t send this form to ${to}: on a site, forms can only be sent to its owner.`,
  "frame-src": (to) => `Goop2 didn’t show a page of ${to}: sites can only embed pages from the public web.`,
  "object-src": (to) => `Goop2 didn’t show a document of ${to}: sites can only embed their own.`,
};
const NO_WORKERS = "This site wants to work offline. Goop2 doesn’t allow that: a site is online only while its owner is.";

let box;

/** One at a time: the last is what somebody has just tried. */
function say(text) {
  box ??= notice("goop-refused");
  const close = () => {
    box.getRootNode().host.remove();
    box = undefined;
  };
  box.replaceChildren(element("span", { textContent: text }), element("button", { type: "button", textContent: "Close", onclick: close }));
}

/** The origin of an address, or what a browser tells instead. */
function origin(address) {
  const text = URL.canParse(address) ? new URL(address).origin : address;
  return (text === "null" ? address : text).slice(0, MAX_ADDRESS);
}

function onViolation({ effectiveDirective, blockedURI, disposition }) {
  const text = disposition === "enforce" && Object.hasOwn(texts, effectiveDirective) ? texts[effectiveDirective] : undefined;
  if (text) say(text(origin(blockedURI)));
}

/** Nothing tells a page that its service worker was refused, except the promise that it gets. */
function watchWorkers() {
  const container = globalThis.ServiceWorkerContainer?.prototype;
  const register = container?.register;
  if (!register) return;
  container.register = function (...wanted) {
    const registered = register.apply(this, wanted);
    registered.catch((error) => error instanceof TypeError && say(NO_WORKERS));
    return registered;
  };
}

if (!globalThis[REFUSED] && globalThis.top === globalThis) {
  globalThis[REFUSED] = true;
  document.addEventListener("securitypolicyviolation", onViolation);
  watchWorkers();
}
