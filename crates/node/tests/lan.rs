//! Discovery with real multicast, between network namespaces joined by a bridge.
//!
//! Each test runs itself again inside a namespace of its own, as the root of that namespace, builds
//! a little network there and starts peers in it: processes of this same binary. No rights are
//! needed outside, but the kernel must allow user namespaces; where it does not, the tests fail and
//! say so.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;
#[path = "lan/lab.rs"]
mod lab;
#[path = "lan/process.rs"]
mod process;
#[path = "../../../tests/support/promise.rs"]
mod promise;

use std::time::{Duration, Instant};

use lab::Lab;

/// Existing peers need 5 s, and sometimes never connect.
#[test]
fn peers_connect_fast_and_only_under_their_tag() {
    lab::inside("peers_connect_fast_and_only_under_their_tag", || {
        let lab = Lab::new(&["a", "b", "c"]);
        let mut other = lab.start("c", "another-tag");
        let other_id = other.ready();
        let mut times = Vec::new();
        for _ in 0..20 {
            let started = Instant::now();
            let (mut a, mut b) = (lab.start("a", "goop-mdns"), lab.start("b", "goop-mdns"));
            let (a_id, b_id) = (a.ready(), b.ready());
            a.line(&format!("connected {b_id}"));
            b.line(&format!("connected {a_id}"));
            times.push(started.elapsed());
            assert_eq!(a.tell(&format!("ask {b_id}"), "answered"), "answered ok");
            assert_eq!(b.tell(&format!("ask {a_id}"), "answered"), "answered ok");
            a.stop();
            b.stop();
            assert!(
                !a.seen(&other_id) && !b.seen(&other_id),
                "a peer under another tag was found"
            );
        }
        assert!(
            !other.seen("connected"),
            "a peer under another tag was found"
        );
        other.stop();
        times.sort();
        println!(
            "from both processes' start to both connected: median {:?}, slowest {:?}",
            times[10], times[19]
        );
        let [second, five] = [1, 5].map(Duration::from_secs);
        promise::time("two processes connect, the median of 20", times[10], second);
        promise::time("two processes connect, the slowest of 20", times[19], five);
    });
}

#[test]
fn a_change_of_address_is_followed() {
    lab::inside("a_change_of_address_is_followed", || {
        let lab = Lab::new(&["a", "b", "ear"]);
        let mut ear = lab.listen("ear", "goop-mdns");
        ear.line("listening");
        let (mut a, mut b) = (lab.start("a", "goop-mdns"), lab.start("b", "goop-mdns"));
        let (a_id, b_id) = (a.ready(), b.ready());
        a.line(&format!("connected {b_id}"));
        b.line(&format!("connected {a_id}"));
        let changed = Instant::now();
        lab.run("ip -n b addr del 10.77.0.2/24 dev eth0; ip -n b addr add 10.77.0.99/24 dev eth0");
        a.line(&format!("at {b_id} 10.77.0.99"));
        let followed = changed.elapsed();
        assert_eq!(a.tell(&format!("ask {b_id}"), "answered"), "answered ok");
        assert_eq!(b.tell(&format!("ask {a_id}"), "answered"), "answered ok");
        let used = changed.elapsed();
        println!("followed after {followed:?}, in use after {used:?}");
        promise::time("a new address is used", used, Duration::from_secs(5));
        ear.line(&format!("goodbye {b_id} 10.77.0.2"));
        ear.line(&format!("found {b_id} 10.77.0.99"));
        // The connection to the old address is closed, not kept until it times out.
        a.line(&format!("left {b_id} 10.77.0.2"));
        a.stop();
        b.stop();
        ear.kill();
    });
}

#[test]
fn a_peer_that_stops_says_goodbye() {
    lab::inside("a_peer_that_stops_says_goodbye", || {
        let lab = Lab::new(&["a", "ear"]);
        let mut ear = lab.listen("ear", "goop-mdns");
        ear.line("listening");
        let mut a = lab.start("a", "goop-mdns");
        let a_id = a.ready();
        ear.line(&format!("found {a_id} 10.77.0.1"));
        a.stop();
        ear.line(&format!("goodbye {a_id} 10.77.0.1"));
        ear.kill();
    });
}

#[test]
fn without_multicast_a_peer_serves_by_address_and_recovers() {
    lab::inside(
        "without_multicast_a_peer_serves_by_address_and_recovers",
        || {
            let lab = Lab::new(&["a", "b"]);
            lab.run("ip -n a link set eth0 down");
            let mut a = lab.start("a", "goop-mdns");
            let a_id = a.ready();
            a.line("multicast off");
            let mut b = lab.start("b", "off");
            b.ready();
            b.line("multicast off");
            lab.run("ip -n a link set eth0 up");
            a.line("multicast working");
            b.say(&format!("add /ip4/10.77.0.1/tcp/{}/p2p/{a_id}", a.port()));
            b.line(&format!("connected {a_id}"));
            assert_eq!(b.tell(&format!("ask {a_id}"), "answered"), "answered ok");
            a.stop();
            b.stop();
        },
    );
}

/// The processes the tests start; nothing to test when nobody asks for a role.
#[test]
fn process() {
    process::main();
}
