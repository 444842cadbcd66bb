// Sent before scripts that say something over a page of a site, in the same closure.

const css = `
:host { all: initial; position: fixed; inset: auto 0 1rem 0; z-index: 2147483647; display: grid; justify-content: center; pointer-events: none; }
:host(goop-refused) { inset: 1rem 0 auto 0; }
div { max-inline-size: min(40rem, calc(100vw - 3rem)); pointer-events: auto; display: flex; gap: .75rem; align-items: center; padding: .375rem .375rem .375rem .875rem; color-scheme: light dark;
  font: .875rem/1.4 system-ui, sans-serif; color: CanvasText; background: Canvas; border-radius: 2rem;
  border: 1px solid color-mix(in srgb, CanvasText 25%, Canvas); box-shadow: 0 .25rem 1rem rgb(0 0 0 / .2); }
button { padding: .25rem .75rem; font: inherit; color: inherit; background: color-mix(in srgb, CanvasText 10%, Canvas); border: 0; border-radius: 2rem; cursor: pointer; }
`;

/** A region over the page that no style of its reaches; what is put into it then is read out. */
function notice(name) {
  const host = element(name);
  const root = host.attachShadow({ mode: "closed" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  root.adoptedStyleSheets = [sheet];
  const box = element("div", { role: "status" });
  root.append(box);
  document.body.append(host);
  return box;
}
