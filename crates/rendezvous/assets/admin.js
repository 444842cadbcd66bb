// The admin page. What peers say is only ever set as text.
"use strict";

const PAUSE = 2000;
const SILENT = "The rendezvous doesn’t answer.";
const byId = (id) => document.getElementById(id);
let last = null;

function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

/** Leaves unchanged text alone, so that a selection stays. */
function set(shown, text) {
  if (shown.textContent !== text) shown.textContent = text;
  shown.hidden = text === "";
}

/** A text without invisible characters, for places without an element around it: button names, questions. */
const plain = (text) => text.replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim();

function button(text, act) {
  const made = element("button", text);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Goop2-Admin": "1" },
    body: JSON.stringify(body),
  });
  set(byId("problem"), answer.ok ? "" : `That didn’t work: ${(await answer.text()).trim()}`);
  await refresh();
}

/** With separators: 1,234. */
const number = (value) => value.toLocaleString("en");

const counted = (value, one, many) => `${number(value)} ${value === 1 ? one : many}`;

/** A number above its name, which has a singular. */
function figure(id, value) {
  const shown = byId(id);
  const { one, many } = shown.nextElementSibling.dataset;
  set(shown, number(value));
  if (many) set(shown.nextElementSibling, value === 1 ? one : many);
}

function ago(ms) {
  const s = Math.max(0, Math.round((Date.now() - ms) / 1000));
  if (s < 90) return `${s} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  return s < 129600 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} d`;
}

/** A list item with its buttons. What strangers say is in a `bdi`, so that its direction of writing affects nothing around it. */
function item(parts, buttons) {
  const row = element("li");
  const what = element("div");
  what.append(...parts);
  row.append(what);
  if (buttons.length) {
    const acts = element("span", "", "actions");
    acts.append(...buttons);
    row.append(acts);
  }
  return row;
}

function title(name, tag) {
  const line = element("b");
  line.append(name);
  return [line, tag];
}

function verdict(tag, good, goodText, badText) {
  set(tag, good ? goodText : badText);
  tag.className = good ? "tag" : "tag unverified";
}

function peerRow({ id }) {
  const [name, email] = [element("bdi"), element("bdi")];
  const [tag, twin, mail, since] = [element("span"), element("small"), element("small"), element("small")];
  const [more, summary, addrs] = [element("details"), element("summary"), element("div")];
  mail.append(email);
  more.append(summary, addrs);
  let label = "";
  const kick = button("Kick", () => post("admin/kick", { peer: id }));
  const block = button("Block", () => {
    if (confirm(`Block ${label}? They won’t be shown here again until you unblock them.`)) post("admin/block", { peer: id });
  });
  const row = item([...title(name, tag), element("code", id), twin, mail, since, more], [kick, block]);
  row.update = (peer) => {
    label = plain(peer.label) || id;
    set(name, plain(peer.label) ? peer.label : "(no name)");
    verdict(tag, peer.verified, "verified", "not verified");
    set(twin, peer.twin ? "Online on two computers, or as two copies of one folder. Visitors reach one of the two by chance." : "");
    set(email, peer.email);
    set(since, `online for ${ago(peer.since)}, last seen ${ago(peer.last_seen)} ago, from ${peer.from}`);
    more.hidden = peer.addrs.length === 0;
    set(summary, counted(peer.addrs.length, "address", "addresses"));
    if (addrs.dataset.shown !== peer.addrs.join("\n")) addrs.replaceChildren(...peer.addrs.map((addr) => element("code", addr)));
    addrs.dataset.shown = peer.addrs.join("\n");
    kick.setAttribute("aria-label", `Kick ${label}`);
    block.setAttribute("aria-label", `Block ${label}`);
  };
  return row;
}

function blockedRow(id) {
  const unblock = button("Unblock", () => post("admin/unblock", { peer: id }));
  unblock.setAttribute("aria-label", `Unblock ${id}`);
  return item([element("code", id)], [unblock]);
}

function registrationRow({ email }) {
  const [tag, since, peer] = [element("span"), element("small"), element("code")];
  const remove = button("Remove", () => {
    if (confirm(`Remove ${plain(email)}?`)) post("admin/unregister", { email });
  });
  remove.setAttribute("aria-label", `Remove ${plain(email)}`);
  const row = item([...title(element("bdi", email), tag), since, peer], [remove]);
  row.update = (one) => {
    verdict(tag, one.verified_at > 0, "verified", "not confirmed yet");
    set(since, `requested ${new Date(one.created_at).toLocaleString()}`);
    set(peer, one.peer ?? "");
  };
  return row;
}

function size(bytes) {
  const steps = ["bytes", "kB", "MB", "GB", "TB"];
  const step = Math.min(steps.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  return `${step ? (bytes / 1000 ** step).toPrecision(3) : bytes} ${steps[step]}`;
}

function guestRow({ id }) {
  const use = element("small");
  const row = item([element("code", id), use], []);
  row.update = (guest) => set(use, `${guest.reservations ? "reachable" : "visiting"}, ${size(guest.sent)} sent, ${size(guest.received)} received`);
  return row;
}

function visitRow({ from, to }) {
  const time = element("small");
  const row = item([element("code", from), element("code", `to ${to}`), time], []);
  row.update = ({ seconds }) => set(time, `for ${ago(Date.now() - 1000 * seconds)}`);
  return row;
}

function showRelay(relay) {
  byId("relay-use").hidden = !relay;
  if (!relay) return set(byId("relay"), "This rendezvous has no relay.");
  set(byId("relay"), `${relay.peer_id}, at ${relay.addrs.join(", ")}`);
  for (const name of ["reachable", "circuits", "connections"]) figure(`relay-${name}`, relay[name]);
  set(byId("relay-bytes"), size(relay.bytes));
  const refused = relay.refused.map(([why, times]) => `${why} (${number(times)})`);
  set(byId("relay-refused"), refused.length ? `Refused: ${refused.join("; ")}.` : "");
  keep(byId("relay-guests"), relay.shown_guests, (guest) => guest.id, guestRow);
  // Two peers may have several open visits.
  const visits = relay.shown_circuits.map((visit, index) => ({ ...visit, key: `${visit.from} ${visit.to} ${index}` }));
  keep(byId("relay-visits"), visits, (visit) => visit.key, visitRow);
}

function mails(mail) {
  if (!mail) return "";
  const sent = counted(mail.sent, "mail sent", "mails sent");
  const failed = mail.failed ? `, ${number(mail.failed)} failed. The last problem: ${mail.last}` : "";
  return `${sent}${failed}.`;
}

function limitRow([name, value]) {
  const row = element("tr");
  const head = element("th", name);
  head.scope = "row";
  row.append(head, element("td", value.replace(/\d+/g, (digits) => number(Number(digits)))));
  return row;
}

// A row stays the same element as long as its subject is listed, so that the focus, a selection and an open list of addresses
// stay where they are.
function keep(parent, items, key, make) {
  const held = parent.contains(document.activeElement);
  const keys = new Set(items.map(key));
  for (const row of [...parent.children]) if (!keys.has(row.dataset.key)) row.remove();
  const rows = new Map([...parent.children].map((row) => [row.dataset.key, row]));
  let next = parent.firstElementChild;
  for (const one of items) {
    const row = rows.get(key(one)) ?? make(one);
    row.dataset.key = key(one);
    row.update?.(one);
    if (row === next) next = next.nextElementSibling;
    else parent.insertBefore(row, next);
  }
  // The row that was acted on is gone; keyboard users continue at its list.
  if (held && !parent.contains(document.activeElement)) parent.focus();
}

const count = (shown, all) => shown < all ? `Showing the newest ${number(shown)} of ${number(all)}.` : all ? "" : "None.";

function show(state) {
  const now = Date.now();
  figure("total", state.total);
  figure("proved", state.proved);
  figure("subscribers", state.subscribers);
  if (last) set(byId("rate"), `${number(Math.round(1000 * (state.delivered - last.delivered) / (now - last.now)))}/s`);
  last = { delivered: state.delivered, now };
  set(byId("count"), count(state.peers.length, state.matching));
  keep(byId("peers"), state.peers, (peer) => peer.id, peerRow);
  byId("blocked-card").hidden = state.blocked.length === 0;
  set(byId("blocked-note"), state.blocks_stay ? "" : "Blocks are lost when this rendezvous stops. To keep them, set presence.peer_db_path.");
  keep(byId("blocked"), state.blocked, (id) => id, blockedRow);
  set(byId("registered"), count(state.registrations.length, state.registered));
  keep(byId("registrations"), state.registrations, (one) => one.email, registrationRow);
  set(byId("mail"), mails(state.mail));
  showRelay(state.relay);
  keep(byId("limits"), state.limits, ([name]) => name, limitRow);
  const log = byId("log");
  if (getSelection().isCollapsed || !log.contains(getSelection().anchorNode)) set(log, [...state.log].reverse().join("\n"));
  set(byId("status"), `Up for ${ago(now - 1000 * state.uptime_seconds)}. ${counted(state.throttled, "request", "requests")} over a limit.`);
}

async function refresh() {
  try {
    const answer = await fetch(`admin/state.json?q=${encodeURIComponent(byId("search").value)}`);
    if (answer.status === 401) { location.reload(); return; }
    show(await answer.json());
    if (byId("problem").textContent === SILENT) set(byId("problem"), "");
  } catch {
    set(byId("problem"), SILENT);
  }
}

async function loop() {
  if (!document.hidden) await refresh();
  setTimeout(loop, PAUSE);
}

byId("search").addEventListener("input", refresh);
byId("logout").addEventListener("click", async () => {
  await fetch("admin/logout", { method: "POST", headers: { "Goop2-Admin": "1" } });
  location.reload();
});
loop();
