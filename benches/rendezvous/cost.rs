//! The cost of one heartbeat of all peers by their number: with our clients, and with existing
//! ones. Each peer both publishes and listens.

use std::time::Duration;

use crate::{
    Scale, count,
    crowd::{Crowd, Stream},
    publish::{Author, Publishers, say},
    server::Server,
};

/// Most deliveries per second, so that no subscriber falls behind and skips some.
const DELIVERIES: f64 = 150_000.0;
/// Enough deliveries to measure existing clients.
const ENOUGH: usize = 3_000_000;
/// The allowed growth of the cost of our clients.
const AIM: &str = "aim ≤ n^1.1";
const LABEL: &str = "A peer like many";

/// The cost of one heartbeat of all peers.
#[derive(Clone, Copy)]
struct Cost {
    /// On the wire, in both directions.
    bytes: f64,
    cpu: Duration,
    /// What a new subscriber was sent.
    snapshot: f64,
}

pub(crate) fn compare(scale: &Scale) {
    let [ours, existing] = [Stream::Changes, Stream::Everything].map(|stream| {
        let measure = |&peers| measure(peers, scale.heartbeats, stream);
        scale.peers.iter().map(measure).collect::<Vec<_>>()
    });
    println!("\none heartbeat of every peer, all of them listening");
    let peers: Vec<_> = scale.peers.iter().map(|&peers| peers as f64).collect();
    print(&peers, "peers", &peers, |peers| count(*peers), "");
    let kilobytes = |cost: &Cost| format!("{} kB", count(cost.bytes / 1e3));
    let millis = |cost: &Cost| format!("{:.1} ms", cost.cpu.as_secs_f64() * 1e3);
    for (costs, who, aim) in [
        (&ours, "our clients", AIM),
        (&existing, "existing clients", ""),
    ] {
        print(
            &peers,
            &format!("bytes, {who}"),
            costs,
            kilobytes,
            &grows(&peers, costs, |cost| cost.bytes, aim),
        );
        print(
            &peers,
            &format!("processor, {who}"),
            costs,
            millis,
            &grows(&peers, costs, |cost| cost.cpu.as_secs_f64(), aim),
        );
    }
    let snapshot = |cost: &Cost| format!("{} kB", count(cost.snapshot / 1e3));
    print(
        &peers,
        "what one newcomer is sent",
        &ours,
        snapshot,
        &grows(&peers, &ours, |cost| cost.snapshot, ""),
    );
}

fn measure(peers: usize, heartbeats: usize, stream: Stream) -> Cost {
    let server = Server::start();
    let mut authors = Author::many(peers);
    let ours = stream == Stream::Changes;
    let publish = |work, gap| Publishers::connect(&server, work).send(gap);
    publish(say(LABEL, &mut authors, 1, ours), Duration::ZERO);
    let crowd = Crowd::join(&server, peers, stream);
    let everybody = (peers * peers) as u64;
    let (times, gap, beginning, expected) = if ours {
        (heartbeats, Duration::ZERO, 0, 0)
    } else {
        let times = (ENOUGH / (peers * peers)).clamp(1, heartbeats);
        let gap = Duration::from_secs_f64(peers as f64 / DELIVERIES);
        (times, gap, everybody, everybody * times as u64)
    };
    // Existing clients have no end of the snapshot; the number of messages shows it.
    let beginning = crowd.heard(beginning);
    let publishers = Publishers::connect(&server, say(LABEL, &mut authors, times, ours));
    crowd.forget();
    let cpu = server.cpu();
    let sent = publishers.send(gap);
    let heard = crowd.heard(expected);
    let cpu = server.cpu() - cpu;
    if ours {
        // A change reaches everyone, and nothing came before it.
        publish(
            say("Another name", &mut authors[..1], 1, true),
            Duration::ZERO,
        );
        assert_eq!(crowd.heard(peers as u64).events, peers as u64);
    }
    Cost {
        bytes: (sent.bytes + heard.bytes) as f64 / times as f64,
        cpu: cpu.div_f64(times as f64),
        snapshot: beginning.bytes as f64 / peers as f64,
    }
}

fn print<T>(peers: &[f64], what: &str, figures: &[T], text: impl Fn(&T) -> String, after: &str) {
    debug_assert_eq!(peers.len(), figures.len());
    let figures: String = figures
        .iter()
        .map(|figure| format!("{:>14}", text(figure)))
        .collect();
    println!("{what:<34}{figures}   {after}");
}

/// The exponent by which the figures grow with the number of peers: the slope of the line through
/// their logarithms.
fn grows(peers: &[f64], costs: &[Cost], figure: impl Fn(&Cost) -> f64, aim: &str) -> String {
    let points: Vec<_> = peers
        .iter()
        .zip(costs)
        .map(|(peers, cost)| (peers.ln(), figure(cost).ln()))
        .collect();
    let mean =
        |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
    let (x, y) = (mean(&|point| point.0), mean(&|point| point.1));
    let slope = mean(&|point| (point.0 - x) * (point.1 - y)) / mean(&|point| (point.0 - x).powi(2));
    format!("n^{slope:.2}   {aim}")
}
