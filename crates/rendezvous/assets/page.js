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
