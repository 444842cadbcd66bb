// Goop.ui: messages, and questions in the browser's own dialog, which supports keyboards and screen readers.

const css = `
.goop-toasts { position: fixed; inset: auto 1rem 1rem auto; z-index: 2147483647; display: grid; gap: .5rem; max-width: min(24rem, calc(100vw - 2rem)); }
.goop-toast, .goop-dialog { color-scheme: light dark; font: 1rem/1.4 system-ui, sans-serif; color: CanvasText; background: Canvas;
  border: 1px solid color-mix(in srgb, CanvasText 25%, Canvas); border-radius: .5rem; box-shadow: 0 .25rem 1rem rgb(0 0 0 / .2); }
.goop-toast { padding: .625rem .875rem; overflow-wrap: anywhere; }
.goop-toast strong { display: block; }
.goop-dialog { padding: 1.25rem; min-width: min(20rem, 90vw); max-width: min(32rem, 90vw); }
.goop-dialog::backdrop { background: rgb(0 0 0 / .4); }
.goop-dialog h2 { margin: 0 0 .5rem; font-size: 1.125rem; }
.goop-dialog p { margin: 0 0 1rem; overflow-wrap: anywhere; white-space: pre-line; }
.goop-dialog input { box-sizing: border-box; width: 100%; margin: 0 0 1rem; padding: .375rem .5rem; font: inherit; }
.goop-dialog form > div { display: flex; justify-content: flex-end; gap: .5rem; }
.goop-dialog button { padding: .375rem 1rem; font: inherit; }
`;

/** Milliseconds a message stays, unless the page specifies a duration. */
const TOAST = 4000;

function toast(message) {
  style("ui", css);
  const { title, message: text = "", duration = TOAST } = typeof message === "object" && message ? message : { message };
  let area = document.querySelector(".goop-toasts");
  if (!area) {
    area = element("div", { className: "goop-toasts", role: "status", ariaLive: "polite" });
    document.body.append(area);
  }
  const box = element("div", { className: "goop-toast" }, ...(title ? [element("strong", { textContent: title })] : []), String(text));
  area.append(box);
  setTimeout(() => box.remove(), duration);
}

/** Resolves to the result of `answer` if the dialog was confirmed, otherwise to null. */
function ask(message, title, input, answer) {
  style("ui", css);
  const dialog = element("dialog", { className: "goop-dialog", ariaLabel: title || String(message) });
  const cancel = element("button", { type: "button", textContent: "Cancel", onclick: () => dialog.close() });
  const form = element("form", { method: "dialog" });
  if (title) form.append(element("h2", { textContent: title }));
  form.append(element("p", { textContent: message }), ...input, element("div", {}, cancel, element("button", { value: "ok", textContent: "OK" })));
  dialog.append(form);
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "ok" ? answer() : null);
    });
    dialog.showModal();
    (input[0] ?? form.querySelector("[value=ok]")).focus();
  });
}

Goop.ui = {
  toast,
  confirm: (message, title) => ask(message, title, [], () => true),
  prompt(message, value = "", title = "") {
    const input = element("input", { value: value ?? "", ariaLabel: String(message) });
    return ask(message, title, [input], () => input.value);
  },
  theme: () => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"),
};
