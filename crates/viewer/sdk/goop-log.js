// Goop.log: a page's own log lines, for its owner's eyes while developing. Never fails, never waits.

const say = (level) => (source, message) => {
  console[level](`[${source}]`, message);
  post("/api/logs/client", { level, source: String(source), message: String(message) }).catch(() => {});
};

Goop.log = { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };
