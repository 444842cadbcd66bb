// Goop.log: log lines of a page, for its owner during development. Never fails, never waits.

const say = (level) => (source, message) => {
  console[level](`[${source}]`, message);
  post("/api/logs/client", { level, source: String(source), message: String(message) }).catch(() => {});
};

Goop.log = { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") };
