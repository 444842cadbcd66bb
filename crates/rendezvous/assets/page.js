// Links that open the app. Without it nothing happens, and browsers don't say so; then this does, and links to where to get it.
// Copy buttons. Where the clipboard is not available (plain http from another computer) the text is selected instead.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  const source = document.getElementById(button.dataset.copy);
  const told = button.parentElement.querySelector("output");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(source.textContent);
      told.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      told.textContent = document.execCommand("copy") ? "Copied" : "Selected. Press Ctrl+C to copy it.";
    }
    setTimeout(() => { told.textContent = ""; }, 3000);
  });
}

const OPENING = 1500;

for (const link of document.querySelectorAll("[data-open]")) {
  const told = link.parentElement.querySelector("output");
  link.addEventListener("click", () => {
    // A browser that asks first, or an app that opens, takes the focus.
    const left = new AbortController();
    addEventListener("blur", () => left.abort(), { once: true });
    setTimeout(() => {
      if (left.signal.aborted || document.hidden) return;
      const get = document.createElement("a");
      get.textContent = "Get Goop2";
      get.href = document.getElementById("download")?.href ?? "#new";
      told.replaceChildren("Didn’t open? ", get);
    }, OPENING);
  });
}
