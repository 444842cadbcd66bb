//! `/metrics` in the text format of Prometheus: counts only, nothing about anyone.

use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Instant,
};

use goop2_proto::relay::{Refusal, Usage};

use super::{app::App, instance::Cluster, presence::hub::Counters};
use crate::{mail::Remedy, registration::Registrations};

pub(crate) fn text(app: &App) -> String {
    let mut text = Text::new("goop2_rendezvous_");
    state(app, &mut text);
    counters(&app.hub.counters, &mut text);
    mails(app, &mut text);
    if let Some(relay) = app.relay() {
        text.prefix = "goop2_relay_";
        usage(&relay.usage, &mut text);
    }
    text.text
}

/// A text that grows by metrics with a common prefix.
struct Text {
    prefix: &'static str,
    text: String,
}

impl Text {
    fn new(prefix: &'static str) -> Self {
        let text = String::new();
        Self { prefix, text }
    }

    fn gauge(&mut self, name: &str, help: &str, value: usize) {
        self.describe(name, help, "gauge");
        let _in_memory = writeln!(self.text, "{}{name} {value}", self.prefix);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.describe(&format!("{name}_total"), help, "counter");
        let _in_memory = writeln!(self.text, "{}{name}_total {value}", self.prefix);
    }

    fn describe(&mut self, name: &str, help: &str, kind: &str) {
        let (text, prefix) = (&mut self.text, self.prefix);
        let _in_memory = writeln!(text, "# HELP {prefix}{name} {help}");
        let _in_memory = writeln!(text, "# TYPE {prefix}{name} {kind}");
    }
}

fn state(app: &App, text: &mut Text) {
    let (peers, proved, twins) = {
        let table = app.hub.table();
        (table.len(), table.proved(), table.twins(Instant::now()))
    };
    text.gauge("peers", "Peers online.", peers);
    text.gauge("peers_proved", "Peers online that sign.", proved);
    text.gauge("twins", "Peers online as two programs at once.", twins);
    text.gauge(
        "subscribers",
        "Open event streams.",
        app.subscribers.taken(),
    );
    let cluster = app.cluster.as_ref();
    let connected = cluster.is_some_and(Cluster::connected);
    text.gauge(
        "cluster_connected",
        "1 while connected to NATS.",
        connected.into(),
    );
    let others = cluster.map_or(0, Cluster::others);
    text.gauge("cluster_instances", "Other instances connected.", others);
    let registrations = app.registrations.as_ref();
    let changeable = registrations.is_some_and(Registrations::changeable);
    let help = "1 while people can register or be removed.";
    text.gauge("registrations_changeable", help, changeable.into());
}

fn counters(counters: &Counters, text: &mut Text) {
    let mut count = |name, help, count: &AtomicU64| text.counter(name, help, count.load(Relaxed));
    count("published", "Messages accepted.", &counters.published);
    count(
        "refused",
        "Messages that were not valid.",
        &counters.refused,
    );
    count("throttled", "Requests over a limit.", &counters.throttled);
    let help = "Unsigned messages in the name of a peer that signs.";
    count("unproved", help, &counters.unproved);
    let help = "Signed messages older than the last known one.";
    count("replayed", help, &counters.replayed);
    count(
        "delivered",
        "Messages written to subscribers.",
        &counters.delivered,
    );
    let help = "Bytes written to subscribers.";
    count("delivered_bytes", help, &counters.delivered_bytes);
    let help = "Subscribers that fell behind and got a snapshot.";
    count("resynchronised", help, &counters.resynchronised);
    let help = "Subscribers disconnected because they read nothing.";
    count("stalled", help, &counters.stalled);
    count(
        "cluster_in",
        "Frames from other instances.",
        &counters.cluster_in,
    );
    count(
        "cluster_out",
        "Frames to other instances.",
        &counters.cluster_out,
    );
    let help = "Frames and lines of other instances that were not valid, or not allowed here.";
    count("cluster_refused", help, &counters.cluster_refused);
    let help = "Snapshots requested from other instances.";
    count("cluster_resyncs", help, &counters.cluster_resyncs);
}

fn mails(app: &App, text: &mut Text) {
    let figures = app.registrations.as_ref().and_then(Registrations::mails);
    let figures = figures.unwrap_or_default();
    let help = "Mails that the mail server accepted.";
    text.counter("mails_sent", help, figures.sent);
    for (remedy, count) in figures.failed {
        let (name, help) = match remedy {
            Remedy::Wait => (
                "mails_delayed",
                "Mails not sent for now: the mail server was away, slow or asked to wait.",
            ),
            Remedy::Address => (
                "mails_undeliverable",
                "Mails not sent because the mail server does not accept the address.",
            ),
            Remedy::Setup => (
                "mails_impossible",
                "Mails not sent because of the login, the certificate or the sender.",
            ),
        };
        text.counter(name, help, count);
    }
}

/// The relay of this server.
fn usage(usage: &Usage, text: &mut Text) {
    let reservations = usage.guests.iter().map(|guest| guest.reservations).sum();
    text.gauge("connections", "Open connections.", usage.connections);
    text.gauge("reservations", "Reservations held.", reservations);
    text.gauge("circuits", "Open circuits.", usage.circuits.len());
    text.counter("reservations", "Reservations made.", usage.reserved);
    text.counter("circuits", "Circuits opened.", usage.connected);
    text.counter("bytes", "Bytes carried.", usage.bytes);
    text.describe("refused_total", "Requests refused, by reason.", "counter");
    for reason in Refusal::ALL {
        let count = usage.refused.get(&reason).copied().unwrap_or_default();
        let (prefix, reason) = (text.prefix, reason.name());
        let line = format!("{prefix}refused_total{{reason=\"{reason}\"}} {count}\n");
        text.text.push_str(&line);
    }
}
