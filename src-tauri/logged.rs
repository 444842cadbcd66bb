//! Fills the log that the window shows ([`goop2_peer::log`]), in addition to the one on standard
//! error.

use std::fmt::{self, Write};

use goop2_peer::{api::LogLevel, log};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{EnvFilter, Layer, layer::Context, registry::LookupSpan};

/// What goes into the page: our own parts in detail, everybody else's warnings.
const FILTER: &str = "warn,libp2p=error,rustls_platform_verifier=off,goop2=debug";

/// The layer that writes down lines for the page.
pub(crate) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    Logged.with_filter(EnvFilter::new(FILTER))
}

struct Logged;

impl<S: Subscriber> Layer<S> for Logged {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut line = Line::default();
        event.record(&mut line);
        let Line {
            mut message,
            fields,
        } = line;
        message.push_str(&fields);
        log::add(level(*metadata.level()), metadata.target(), message);
    }
}

/// The message, and behind it the fields.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _never_fails = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

fn level(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        Level::DEBUG => LogLevel::Debug,
        Level::TRACE => LogLevel::Trace,
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn events_become_lines_with_their_fields() {
        let subscriber = tracing_subscriber::registry().with(layer());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(target: "goop2_node::dial", port = 4001, "it listens");
            tracing::debug!(target: "somebody_else", "not looked at");
        });
        let lines = log::since(0);
        let ours: Vec<_> = lines
            .iter()
            .filter(|line| ["goop2_node::dial", "somebody_else"].contains(&line.target.as_str()))
            .map(|line| (line.level, line.text.as_str()))
            .collect();
        assert_eq!(ours, [(LogLevel::Info, "it listens port=4001")]);
    }
}
