// The viewer's page about a form that was not sent: going back in the history keeps what was written.

document.querySelector("#back")?.addEventListener("click", (event) => {
  if (history.length < 2) return;
  event.preventDefault();
  history.back();
});
