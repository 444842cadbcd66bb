//! What Goop2 promises in time. The same tests run in two ways. In `make test` they run beside
//! other work and show that a thing happens at all: only what takes ten times as long as promised
//! fails. `make measure` runs those that promise something one at a time, and writes each figure
//! down beside its promise for the table at the end.

#![allow(dead_code, reason = "each test program uses its part of this")]

use std::{env, fs::OpenOptions, io::Write, time::Duration};

use serde_json::{Value, json};

/// Names the file that figures are appended to, one JSON object a line.
const MEASURE: &str = "GOOP2_MEASURE";
/// How much more than a promise still passes where other work shares the processors.
const SLACK: u32 = 10;

/// Whether promises count, and not only that a thing happens.
pub(crate) fn measuring() -> bool {
    env::var_os(MEASURE).is_some()
}

/// How long something promised within `limit` may take in this run.
pub(crate) fn allowed(limit: Duration) -> Duration {
    if measuring() { limit } else { limit * SLACK }
}

/// A time that is at most `limit`.
pub(crate) fn time(what: &str, seen: Duration, limit: Duration) {
    let shown = |time: Duration| format!("{:.3} s", time.as_secs_f64());
    note(
        what,
        &shown(seen),
        &format!("at most {}", shown(limit)),
        seen <= limit,
    );
    assert!(
        seen <= limit * SLACK,
        "{what}: {seen:?}, more than {SLACK} times the promised {limit:?}"
    );
}

/// A figure that is at least `least`, whatever its unit.
pub(crate) fn at_least(what: &str, seen: f64, least: f64) {
    note(
        what,
        &format!("{seen:.2}"),
        &format!("at least {least}"),
        seen >= least,
    );
    assert!(
        seen >= least / f64::from(SLACK),
        "{what}: {seen:.2}, less than a tenth of the promised {least}"
    );
}

/// A figure that is at most `most`, whatever its unit.
pub(crate) fn at_most(what: &str, seen: f64, most: f64) {
    note(
        what,
        &format!("{seen:.1}"),
        &format!("at most {most}"),
        seen <= most,
    );
    assert!(
        seen <= most * f64::from(SLACK),
        "{what}: {seen:.1}, more than {SLACK} times the promised {most}"
    );
}

fn note(what: &str, seen: &str, promised: &str, kept: bool) {
    println!("{what}: {seen} ({promised} promised)");
    let Some(path) = env::var_os(MEASURE) else {
        return;
    };
    let figure: Value = json!({ "what": what, "seen": seen, "promised": promised, "kept": kept });
    let file = OpenOptions::new().create(true).append(true).open(path);
    let mut file = file.expect("`make measure` names a file that can be written");
    writeln!(file, "{figure}").expect("the disk has room");
}
