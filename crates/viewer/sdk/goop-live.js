// Added by Goop2 to each page that a person opens, if its owner wants that: when something the page uses changes, the page
// reloads; if that is only a style sheet, the style sheet. Never while somebody fills in a form.

const LIVE = Symbol.for("goop.live");
/** Addresses remembered of a page. */
const MAX_USED = 2000;

/** What this page has loaded from its site, without frames: they have a script like this one. */
const used = new Set();
/** Fields that somebody has typed into or changed. */
const touched = new Set();
/** Style sheets and those that take their places. */
const pending = new Map();
let versions = 0;
let offered;
let leaving = false;

/** The path within the site, as its owner names it; nothing for addresses of other origins and of Goop2. */
function pathOf(address) {
  const { origin, pathname } = new URL(address, location.href);
  if (origin !== location.origin || /^\/(?:api|sdk)\//.test(pathname)) return undefined;
  try {
    return decodeURIComponent(pathname.replace(/^\/p\/[^/]+(?=\/)/, ""));
  } catch {
    return undefined;
  }
}

const covers = (changed, path) => changed === path || (changed.endsWith("/") && path.startsWith(changed));

/** The files that an address may show. */
const files = (path) => (path.endsWith("/") ? [path, `${path}index.html`, `${path}index.htm`] : [path, `${path}.html`]);

const isPage = (changed) => files(pathOf(location.href) ?? "").some((path) => covers(changed, path));
const isUsed = (changed) => [...used].some((path) => covers(changed, path));

function styles(changed) {
  const links = [...document.querySelectorAll('link[rel~="stylesheet"][href]')].filter((link) => ![...pending.values()].includes(link));
  return links.filter((link) => pathOf(link.href) === changed);
}

function onMessage({ paths = [], all = false }) {
  const sheets = paths.map((path) => [path, styles(path)]);
  const more = sheets.some(([path, links]) => isPage(path) || (links.length === 0 && isUsed(path)));
  if (all || more) reload();
  else for (const [, links] of sheets) links.forEach(restyle);
}

/** Loads a style sheet again, and shows the old one until the new one is there. */
function restyle(link) {
  pending.get(link)?.remove();
  const url = new URL(link.href);
  url.searchParams.set("goop-live", ++versions);
  if (link.disabled) return void (link.href = url);
  const next = link.cloneNode();
  next.href = url;
  pending.set(link, next);
  next.addEventListener("load", () => {
    pending.delete(link);
    link.remove();
  });
  next.addEventListener("error", () => {
    pending.delete(link);
    next.remove();
  });
  link.after(next);
}

function reload() {
  if (leaving) return;
  if (isBusy()) return offer();
  leaving = true;
  location.reload();
}

/** Whether somebody would lose what they type, here or in a frame. */
function isBusy() {
  let active = document.activeElement;
  while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
  if (isText(active) || [...touched].some(isDirty)) return true;
  return Array.from({ length: frames.length }, (_, index) => frames[index]).some((frame) => {
    try {
      return frame[LIVE]?.isBusy();
    } catch {
      return false;
    }
  });
}

const keys = new Set(["button", "checkbox", "color", "file", "image", "radio", "range", "reset", "submit"]);

function isText(field) {
  if (field?.localName === "input") return !keys.has(field.type) && !field.readOnly;
  return (field?.localName === "textarea" && !field.readOnly) || Boolean(field?.isContentEditable);
}

function isDirty(field) {
  if (!field.isConnected) return touched.delete(field) && false;
  if (field.localName === "select") {
    const standard = [...field.options].filter((option) => option.defaultSelected);
    if (!standard.length && !field.multiple) return field.selectedIndex > 0;
    return [...field.options].some((option) => option.selected !== option.defaultSelected);
  }
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.type === "file") return field.files.length > 0;
  return "defaultValue" in field ? field.value !== field.defaultValue : true;
}

/** Says that there is something new, and reloads as soon as nothing is lost. */
function offer() {
  if (offered) return;
  offered = notice("goop-live");
  const press = () => {
    leaving = true;
    location.reload();
  };
  offered.append("This page has changed", element("button", { type: "button", textContent: "Reload", onclick: press }));
  const look = () => setTimeout(() => !isBusy() && reload());
  for (const name of ["input", "change", "reset", "submit", "focusout"]) addEventListener(name, look, true);
}

function note(event) {
  const field = event.composedPath()[0];
  if (event.isTrusted && field instanceof Element) touched.add(field.closest("[contenteditable]") ?? field);
}

if (!globalThis[LIVE]) {
  globalThis[LIVE] = { isBusy };
  addEventListener("input", note, true);
  addEventListener("change", note, true);
  new PerformanceObserver((list) => {
    for (const { name, initiatorType } of list.getEntries()) {
      const path = pathOf(name);
      if (path && initiatorType !== "iframe" && initiatorType !== "frame" && used.size < MAX_USED) used.add(path);
    }
  }).observe({ type: "resource", buffered: true });
  onChanges(onMessage);
}
