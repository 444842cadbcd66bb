//! How many subscribers a rendezvous holds, how many messages it delivers and accepts, and how that
//! grows with the number of peers: `goop2 rendezvous` as a separate process on loopback, and this
//! program as all clients, which is not counted but shares the processors.
//!
//! Each figure is shown with its target and that of existing servers on two processors.
//! Everything is bounded in number and in time. `make bench BENCH=rendezvous`; without `--bench` a
//! small run only shows that all of it still works.

mod cost;
mod crowd;
mod publish;
mod server;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::time::Duration;

use crowd::{Crowd, Heard, Stream};
use publish::{Author, Publishers, say, stamps};
use server::Server;

/// Existing servers refuse the next event stream, and need this much for each.
const EXISTING_HELD: f64 = 1024.0;
const EXISTING_BYTES_EACH: [f64; 2] = [24.0 * 1024.0, 29.0 * 1024.0];
/// An existing server with 1,000 subscribers: at ease, and at its limit.
const EXISTING_DELIVERIES: f64 = 40_000.0;
const EXISTING_DELIVERIES_MOST: f64 = 78_000.0;
const EXISTING_AT_EASE: &str = "40,000/s at p99 16 ms";
const EXISTING_AT_ITS_LIMIT: &str = "78,000/s at p99 370 ms";

const AIM_MEMORY: f64 = 200e6;
const AIM_DELIVERIES: f64 = 150_000.0;
const AIM_LATE: Duration = Duration::from_millis(200);
const AIM_PUBLISHES: f64 = 4000.0;

/// How much of everything.
pub(crate) struct Scale {
    /// Subscribers held at once: as many as the usual descriptor limit of 20,000 allows.
    held: usize,
    /// Subscribers for the rates of deliveries, as many as existing servers were measured with.
    listeners: usize,
    /// Messages published in a second, for so many seconds each.
    rates: &'static [u32],
    seconds: u32,
    /// Signed messages: so many authors, so many of each.
    authors: usize,
    messages: usize,
    /// Numbers of peers that are compared, and the counted heartbeats of each.
    peers: &'static [usize],
    heartbeats: usize,
}

const FULL: Scale = Scale {
    held: 18_000,
    listeners: 1000,
    rates: &[40, 78, 150, 250, 400],
    seconds: 10,
    authors: 3000,
    messages: 14,
    peers: &[100, 300, 1000, 3000],
    heartbeats: 12,
};

/// Seconds, in a build without optimization.
const SMALL: Scale = Scale {
    held: 60,
    listeners: 20,
    rates: &[20],
    seconds: 1,
    authors: 20,
    messages: 5,
    peers: &[5, 20],
    heartbeats: 3,
};

fn main() {
    let args: Vec<_> = std::env::args().skip(1).collect();
    if args.iter().any(|arg| arg == "--bench") {
        run(&FULL);
    } else if args.is_empty() {
        println!("small run: only shows that it works");
        run(&SMALL);
    }
    // A selection of tests does not include this.
}

fn run(scale: &Scale) {
    line("", "ours", "aim", "existing servers");
    held(scale);
    deliveries(scale);
    publishes(scale);
    cost::compare(scale);
}

/// Subscribers in one process, the cost of each, and the cost of a message to all of them.
fn held(scale: &Scale) {
    let server = Server::start();
    let before = server.memory("VmRSS");
    let crowd = Crowd::join(&server, scale.held, Stream::Changes);
    let took = server.memory("VmRSS") - before;
    let each = took / scale.held as f64;
    line(
        "subscribers held",
        &count(scale.held as f64),
        "18,000",
        &format!("× {:.1} of 1,024", scale.held as f64 / EXISTING_HELD),
    );
    line(
        "  memory of the server",
        &megabytes(server.memory("VmRSS")),
        &format!("< {}", megabytes(AIM_MEMORY)),
        "",
    );
    let [least, most] = EXISTING_BYTES_EACH.map(|bytes| each / bytes);
    line(
        "  for each of them",
        &format!("{each:.0} bytes"),
        "",
        &format!("× {most:.2}–{least:.2} of 24–29 KiB"),
    );
    // As many as reach the target, at least one.
    let rate = (AIM_DELIVERIES / scale.held as f64).ceil().min(20.0) as u32;
    told(&server, &crowd, rate, scale.seconds, "");
    line(
        "  most memory ever",
        &megabytes(server.memory("VmHWM")),
        &format!("< {}", megabytes(AIM_MEMORY)),
        "",
    );
}

/// Messages to many at several rates, over the stream of existing clients.
fn deliveries(scale: &Scale) {
    let server = Server::start();
    let crowd = Crowd::join(&server, scale.listeners, Stream::Everything);
    for &rate in scale.rates {
        let existing = match rate {
            40 => EXISTING_AT_EASE,
            78 => EXISTING_AT_ITS_LIMIT,
            _ => "",
        };
        told(&server, &crowd, rate, scale.seconds, existing);
    }
}

/// Publishes at a rate, and prints what the subscribers received.
fn told(server: &Server, crowd: &Crowd, rate: u32, seconds: u32, existing: &str) {
    let messages = rate * seconds;
    let expected = u64::from(messages) * crowd.len() as u64;
    let gap = Duration::from_secs(1) / rate;
    let publishers = Publishers::connect(server, stamps(messages as usize, gap));
    let cpu = server.cpu();
    crowd.forget();
    publishers.send(gap);
    let heard = crowd.heard(expected);
    let (cpu, took) = (server.cpu() - cpu, heard.time());
    assert_eq!(heard.events, expected, "everyone receives everything, once");
    let per_second = expected as f64 / took.as_secs_f64();
    let compared = if existing.is_empty() {
        format!(
            "× {:.1} of {}/s, their limit",
            per_second / EXISTING_DELIVERIES_MOST,
            count(EXISTING_DELIVERIES_MOST)
        )
    } else {
        format!("{existing}: × {:.1}", per_second / EXISTING_DELIVERIES)
    };
    line(
        &format!("deliveries, {rate}/s to {}", count(crowd.len() as f64)),
        &format!("{}/s", count(per_second)),
        &format!("{}/s", count(AIM_DELIVERIES)),
        &compared,
    );
    line(
        "  after",
        &late(&heard),
        &format!("p99 ≤ {}", support::millis(AIM_LATE)),
        &format!("{:.2} of one processor", cpu.div_duration_f64(took)),
    );
}

/// Signed messages, as fast as the server verifies them.
fn publishes(scale: &Scale) {
    let server = Server::start();
    let mut authors = Author::many(scale.authors);
    let work = say("A peer like many", &mut authors, scale.messages, true);
    let publishers = Publishers::connect(&server, work);
    let cpu = server.cpu();
    let sent = publishers.send(Duration::ZERO);
    let cpu = server.cpu() - cpu;
    let per_second = f64::from(sent.messages) / sent.time.as_secs_f64();
    line(
        "signed messages accepted",
        &format!("{}/s", count(per_second)),
        &format!("{}/s", count(AIM_PUBLISHES)),
        "none is verified",
    );
    line(
        "  processor time for each",
        &format!(
            "{:.0} µs",
            cpu.as_secs_f64() * 1e6 / f64::from(sent.messages)
        ),
        "",
        "",
    );
}

fn late(heard: &Heard) -> String {
    format!(
        "p50 {}, p99 {}",
        support::millis(heard.late(0.5)),
        support::millis(heard.late(0.99))
    )
}

/// One line of the report.
fn line(what: &str, ours: &str, aim: &str, existing: &str) {
    println!("{what:<34}{ours:>24}   {aim:<14}{existing}");
}

fn megabytes(bytes: f64) -> String {
    format!("{:.0} MB", bytes / 1e6)
}

/// A whole number with separators.
fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
