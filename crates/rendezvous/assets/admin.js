// The admin page. What peers say is only ever set as text.
"use strict";

const PAUSE = 2000;
const byId = (id) => document.getElementById(id);
let last = null;

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function button(text, label, act) {
  const made = element("button", text);
  made.type = "button";
  made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}

async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Goop2-Admin": "1" },
    body: JSON.stringify(body ?? {}),
  });
  if (!answer.ok) say(`That did not work: ${(await answer.text()).trim()}`);
  await refresh();
}

function say(text) {
  if (byId("status").textContent !== text) byId("status").textContent = text;
}

function ago(ms, now) {
  const s = Math.max(0, Math.round((now - ms) / 1000));
  if (s < 90) return `${s} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  return s < 129600 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} d`;
}

function peerRow(peer, now) {
  const row = element("div", undefined, "peer");
  const what = element("div");
  what.append(element("b", peer.label || "(no name)"));
  what.append(peer.verified ? element("span", "verified", "tag") : element("span", "not verified", "tag unverified"));
  what.append(element("code", peer.id));
  const since = `here for ${ago(peer.since, now)}, last heard ${ago(peer.last_seen, now)} ago, from ${peer.from}`;
  what.append(element("small", peer.email ? `${peer.email} · ${since}` : since));
  if (peer.addrs.length) {
    const more = element("details");
    more.append(element("summary", peer.addrs.length === 1 ? "1 address" : `${peer.addrs.length} addresses`));
    for (const addr of peer.addrs) more.append(element("code", addr));
    what.append(more);
  }
  const name = peer.label || peer.id;
  row.append(what, button("Kick", `Kick ${name}`, () => post("/admin/kick", { peer: peer.id })),
    button("Block", `Block ${name}`, () => {
      if (confirm(`Block ${name}? It is not shown here again until you unblock it.`)) post("/admin/block", { peer: peer.id });
    }));
  return row;
}

// Rows are replaced only when they differ, so that the focus and an open list of addresses stay where they are.
function keep(parent, items, make) {
  const text = JSON.stringify(items);
  if (parent.dataset.shown === text || (parent.contains(document.activeElement) && parent.dataset.count === String(items.length))) return;
  parent.dataset.shown = text;
  parent.dataset.count = items.length;
  const open = new Set([...parent.querySelectorAll("details[open]")].map((d) => d.dataset.key));
  parent.replaceChildren(...items.map(make));
  for (const d of parent.querySelectorAll("details")) if (open.has(d.dataset.key)) d.open = true;
}

function show(state) {
  const now = Date.now();
  byId("total").textContent = state.total;
  byId("proved").textContent = state.proved;
  byId("subscribers").textContent = state.subscribers;
  if (last) byId("rate").textContent = `${Math.round(1000 * (state.delivered - last.delivered) / (now - last.now))}/s`;
  last = { delivered: state.delivered, now };
  byId("count").textContent = state.peers.length < state.matching ? `The newest ${state.peers.length} of ${state.matching}.`
    : state.matching ? "" : "Nobody.";
  keep(byId("peers"), state.peers, (peer) => {
    const row = peerRow(peer, now);
    for (const d of row.querySelectorAll("details")) d.dataset.key = peer.id;
    return row;
  });
  byId("blocked-card").hidden = state.blocked.length === 0;
  keep(byId("blocked"), state.blocked, (id) => {
    const row = element("div", undefined, "peer");
    const what = element("div");
    what.append(element("code", id));
    row.append(what, button("Unblock", `Unblock ${id}`, () => post("/admin/unblock", { peer: id })));
    return row;
  });
  byId("relay").textContent = state.relay ? `${state.relay.peer_id}, at ${state.relay.addrs.join(", ")}` : "No relay runs beside this rendezvous.";
  keep(byId("limits"), state.limits, ([name, value]) => {
    const row = element("tr");
    row.append(element("td", name), element("td", value));
    return row;
  });
  const log = byId("log");
  const text = [...state.log].reverse().join("\n");
  if (log.textContent !== text) log.textContent = text;
  say(`Up for ${ago(now - 1000 * state.uptime_seconds, now)}. ${state.throttled} requests over a limit.`);
}

async function registrations() {
  const answer = await fetch("/registrations.json");
  const all = answer.ok ? (await answer.json()) ?? [] : [];
  keep(byId("registrations"), all.length ? all : [null], (one) => {
    if (!one) return element("p", "None.");
    const row = element("div", undefined, "peer");
    const what = element("div");
    what.append(element("b", one.email));
    what.append(one.verified_at ? element("span", "confirmed", "tag") : element("span", "waiting", "tag unverified"));
    what.append(element("small", `since ${new Date(one.created_at).toLocaleString()}`));
    row.append(what, button("Remove", `Remove ${one.email}`, () => {
      if (confirm(`Remove ${one.email}?`)) post("/admin/unregister", { email: one.email });
    }));
    return row;
  });
}

async function refresh() {
  try {
    const answer = await fetch(`/admin/state.json?q=${encodeURIComponent(byId("search").value)}`);
    if (answer.status === 401) { location.reload(); return; }
    show(await answer.json());
    await registrations();
  } catch {
    say("The rendezvous does not answer.");
  }
}

async function loop() {
  if (!document.hidden) await refresh();
  setTimeout(loop, PAUSE);
}

byId("search").addEventListener("input", refresh);
byId("logout").addEventListener("click", async () => {
  await fetch("/admin/logout", { method: "POST", headers: { "Goop2-Admin": "1" } });
  location.reload();
});
loop();
