//! `/metrics` in the text format of Prometheus: counts only, nothing about anyone.

use std::{fmt::Write, sync::atomic::Ordering::Relaxed};

use super::App;

pub(crate) fn text(app: &App) -> String {
    let counters = &app.hub.counters;
    let (peers, proved) = {
        let table = app.hub.table();
        (table.len(), table.proved())
    };
    let subscribers = app.seats.taken();
    let gauges = [
        ("peers", "Peers online.", peers as u64),
        ("peers_proved", "Peers online that sign.", proved as u64),
        ("subscribers", "Open event streams.", subscribers as u64),
    ];
    let counts = [
        ("published", "Messages taken.", &counters.published),
        (
            "refused",
            "Messages that were not valid.",
            &counters.refused,
        ),
        ("throttled", "Requests over a limit.", &counters.throttled),
        (
            "unproved",
            "Unsigned messages in the name of a peer that signs.",
            &counters.unproved,
        ),
        (
            "replayed",
            "Signed messages that were sent again.",
            &counters.replayed,
        ),
        (
            "delivered",
            "Messages written to subscribers.",
            &counters.delivered,
        ),
        (
            "delivered_bytes",
            "Bytes written to subscribers.",
            &counters.delivered_bytes,
        ),
        (
            "resynchronised",
            "Subscribers that fell behind and got a snapshot.",
            &counters.resynchronised,
        ),
        (
            "stalled",
            "Subscribers that took nothing and were closed.",
            &counters.stalled,
        ),
    ];
    let mut text = String::new();
    let mut write = |name: &str, kind: &str, help: &str, value: u64| {
        let _in_memory = write!(
            text,
            "# HELP goop2_rendezvous_{name} {help}\n# TYPE goop2_rendezvous_{name} {kind}\ngoop2_rendezvous_{name} {value}\n"
        );
    };
    for (name, help, value) in gauges {
        write(name, "gauge", help, value);
    }
    for (name, help, value) in counts {
        write(
            &format!("{name}_total"),
            "counter",
            help,
            value.load(Relaxed),
        );
    }
    text
}
