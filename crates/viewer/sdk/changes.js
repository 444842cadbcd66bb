// Sent before the scripts that follow changes of the site, after core.js: what its owner tells about files and tables.
//
// A browser has six connections to an origin, so of all its pages of one site, one listens, and passes on what it hears.
// The page that holds the lock is that one; when it goes, the next has the lock.

/** Milliseconds until the first new attempt when the owner is away, and the longest between two. */
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 15_000;
/** Messages kept for pages that open later. */
const KEPT = 32;

const CHANGES = Symbol.for("goop.changes");

/** Calls `listener` with each message, until the returned function is called. */
function onChanges(listener) {
  const shared = (Goop[CHANGES] ??= sitePeer && globalThis.origin !== "null" ? follow() : { listeners: new Set() });
  shared.listeners.add(listener);
  return () => shared.listeners.delete(listener);
}

function follow() {
  const listeners = new Set();
  const me = randomId();
  const recent = [];
  let channel, source, missed, retry, last, leads, release;
  let wait = FIRST_WAIT;
  let over = false;

  /** Of the page, in milliseconds, whichever clock stood still. */
  const age = () => Math.ceil(Math.max(performance.now(), Date.now() - performance.timeOrigin));

  function tell(message) {
    last = message.id;
    for (const listener of [...listeners]) {
      try {
        listener(message);
      } catch (error) {
        reportError(error);
      }
    }
  }

  function stream() {
    const query = new URLSearchParams({ age: age(), ...(last && { last }) });
    return new EventSource(`/api/p/${sitePeer}/changes?${query}`);
  }

  const messageIn = ({ data, lastEventId }) => ({ ...JSON.parse(data), id: lastEventId });

  function connect() {
    clearTimeout(retry);
    source = stream();
    source.addEventListener("open", () => (wait = FIRST_WAIT));
    // An owner who does not tell.
    source.addEventListener("none", stop);
    source.addEventListener("message", (event) => {
      const message = messageIn(event);
      recent.push({ at: Date.now(), message });
      if (recent.length > KEPT) recent.shift();
      channel?.postMessage({ message });
      tell(message);
    });
    source.addEventListener("error", () => {
      source.close();
      if (over) return;
      retry = setTimeout(connect, wait);
      wait = Math.min(2 * wait, LONGEST_WAIT);
    });
  }

  function stop() {
    over = true;
    source?.close();
  }

  /** Until the page goes. */
  function lead() {
    leads = true;
    connect();
    return new Promise((resolve) => (release = resolve));
  }

  function hear({ data: { message, since, from, to } }) {
    if (to && to !== me) return;
    if (message) tell(message);
    if (!since || !leads) return;
    const missed = recent.filter(({ at }) => at >= since);
    for (const { message } of missed) channel.postMessage({ to: from, message });
  }

  function start() {
    if (!navigator.locks) return void lead();
    channel = new BroadcastChannel("goop-changes");
    channel.addEventListener("message", hear);
    channel.postMessage({ from: me, since: performance.timeOrigin });
    navigator.locks.request("goop-changes", lead).catch(() => {});
  }

  function end() {
    clearTimeout(retry);
    missed?.close();
    source?.close();
    channel?.close();
    leads = false;
    release?.();
  }

  /** Back, with what it missed: the page that listens may have been loaded since, and not know it. */
  function comeBack() {
    if (over) return;
    start();
    missed = stream();
    missed.addEventListener("message", (event) => {
      missed.close();
      tell(messageIn(event));
    });
    missed.addEventListener("error", () => missed.close());
  }

  // A page that a browser puts aside must not keep the stream from the others. Where pages can be frozen, that says it.
  // Elsewhere "pagehide" does; a browser that knows both would wait for it when a page that hangs is left.
  if ("onfreeze" in document) {
    document.addEventListener("freeze", end);
    document.addEventListener("resume", comeBack);
  } else {
    addEventListener("pagehide", ({ persisted }) => persisted && end());
    addEventListener("pageshow", ({ persisted }) => persisted && comeBack());
  }
  // Somebody looks, or the network is back: that is a good moment to try.
  const hurry = () => leads && source?.readyState === EventSource.CLOSED && !over && !document.hidden && connect();
  addEventListener("online", hurry);
  addEventListener("focus", hurry);
  // The site's own policy may forbid it.
  document.addEventListener("securitypolicyviolation", ({ blockedURI }) => blockedURI.includes(`/api/p/${sitePeer}/changes`) && stop());
  start();
  return { listeners };
}
