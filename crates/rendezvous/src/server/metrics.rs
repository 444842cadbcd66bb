//! `/metrics` in the text format of Prometheus: counts only, nothing about anyone.

use std::{fmt::Write, sync::atomic::Ordering::Relaxed};

use goop2_proto::relay::{Refusal, Usage};

use super::{app::App, cluster::state::Cluster};
use crate::registration::Registrations;

pub(crate) fn text(app: &App) -> String {
    let counters = &app.hub.counters;
    let (peers, proved) = {
        let table = app.hub.table();
        (table.len(), table.proved())
    };
    let subscribers = app.seats.taken();
    let cluster = app.cluster.as_ref();
    let connected = cluster.is_some_and(Cluster::connected).into();
    let others = cluster.map_or(0, Cluster::others) as u64;
    let registrations = app.registrations.as_ref();
    let changeable = registrations.is_some_and(Registrations::changeable);
    let gauges = [
        ("peers", "Peers online.", peers as u64),
        ("peers_proved", "Peers online that sign.", proved as u64),
        ("subscribers", "Open event streams.", subscribers as u64),
        ("cluster_connected", "1 while connected to NATS.", connected),
        ("cluster_instances", "Other instances connected.", others),
        (
            "registrations_changeable",
            "1 while people can register or be removed.",
            changeable.into(),
        ),
    ];
    let counts = [
        ("published", "Messages accepted.", &counters.published),
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
            "Signed messages older than the last known one.",
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
            "Subscribers disconnected because they read nothing.",
            &counters.stalled,
        ),
        (
            "cluster_in",
            "Frames from other instances.",
            &counters.cluster_in,
        ),
        (
            "cluster_out",
            "Frames to other instances.",
            &counters.cluster_out,
        ),
        (
            "cluster_refused",
            "Frames and lines of other instances that were not valid, or not allowed here.",
            &counters.cluster_refused,
        ),
        (
            "cluster_resyncs",
            "Snapshots requested from other instances.",
            &counters.cluster_resyncs,
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
    if let Some(relay) = app.relay() {
        text.push_str(&of_relay(&relay.usage));
    }
    text
}

/// The relay of this server, with a prefix of its own.
fn of_relay(usage: &Usage) -> String {
    let reservations: usize = usage.guests.iter().map(|guest| guest.reservations).sum();
    let figures = [
        (
            "connections",
            "gauge",
            "Open connections.",
            usage.connections as u64,
        ),
        (
            "reservations",
            "gauge",
            "Reservations held.",
            reservations as u64,
        ),
        (
            "circuits",
            "gauge",
            "Open circuits.",
            usage.circuits.len() as u64,
        ),
        (
            "reservations_total",
            "counter",
            "Reservations made.",
            usage.reserved,
        ),
        (
            "circuits_total",
            "counter",
            "Circuits opened.",
            usage.connected,
        ),
        ("bytes_total", "counter", "Bytes carried.", usage.bytes),
    ];
    let mut text = String::new();
    for (name, kind, help, value) in figures {
        let _in_memory = write!(
            text,
            "# HELP goop2_relay_{name} {help}\n# TYPE goop2_relay_{name} {kind}\ngoop2_relay_{name} {value}\n"
        );
    }
    text.push_str("# HELP goop2_relay_refused_total Requests refused, by reason.\n");
    text.push_str("# TYPE goop2_relay_refused_total counter\n");
    for reason in Refusal::ALL {
        let count = usage.refused.get(&reason).copied().unwrap_or_default();
        let _in_memory = writeln!(
            text,
            "goop2_relay_refused_total{{reason=\"{}\"}} {count}",
            reason.name()
        );
    }
    text
}
