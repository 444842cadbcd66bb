//! A host with two interfaces on one network, of which one goes down.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    PATIENCE, measured,
    support::{
        lab::{Host, Lan},
        millis,
        peer::{Folder, Peer},
        promise,
    },
};

/// More than all that the two sides and the connections between them hold.
const LEN: usize = 96 << 20;
/// When the interface goes down.
const DOWN_AT: usize = 3 << 20;
/// A path that died is noticed, and the transfer goes on.
const HEALED: Duration = Duration::from_secs(8);

#[test]
fn a_transfer_survives_the_interface_of_its_owner() {
    measured(
        "interfaces::a_transfer_survives_the_interface_of_its_owner",
        || survives("of the owner", |_, owner| owner),
    );
}

#[test]
fn a_transfer_survives_the_interface_of_its_visitor() {
    measured(
        "interfaces::a_transfer_survives_the_interface_of_its_visitor",
        || survives("of the visitor", |visitor, _| visitor),
    );
}

/// `chosen` of the visitor and the owner has two interfaces; the one that carries a download goes
/// down in the middle of it.
fn survives(whose: &str, chosen: impl for<'a> Fn(&'a Host, &'a Host) -> &'a Host) {
    let mut lan = Lan::new(1);
    let (here, there) = (lan.host_ipv4(), lan.host_ipv4());
    let twofold = chosen(&here, &there);
    let second = lan.plug_again(twofold);
    let folders = ["visitor", "owner"].map(|label| Folder::new(label, "goop-mdns"));
    let file: Vec<u8> = (0..LEN).map(|at| (at / 4096 % 251) as u8).collect();
    folders[1].write("site/large.bin", &file);
    let visitor = Peer::start(&folders[0], Some(&here));
    let owner = Peer::start(&folders[1], Some(&there));
    let id = owner.id();
    visitor.sees(&id, PATIENCE);

    let mut reading = Download::begin(&visitor, &here, &id, "large.bin");
    let mut got = reading.read(DOWN_AT);
    let reach = visitor.api("network/reach", &json!({ "peer": id })).json();
    let carrier = if reach.to_string().contains(&second) {
        "eth1"
    } else {
        "eth0"
    };
    twofold.ip(&["link", "set", carrier, "down"]);
    let down = Instant::now();
    // What was on the way already comes at once.
    let mut longest = Duration::ZERO;
    while got.len() < LEN {
        let before = Instant::now();
        got.extend(reading.read(1 << 20));
        longest = longest.max(before.elapsed());
    }
    println!(
        "interface {whose} down: the longest pause is {}, the rest came within {}",
        millis(longest),
        millis(down.elapsed())
    );
    assert!(got == file, "the file is not the same");
    promise::time("a transfer whose interface went down", longest, HEALED);
}

/// One download through a viewer, read as slowly as the test wants.
struct Download(TcpStream);

impl Download {
    fn begin(visitor: &Peer, host: &Host, owner: &str, path: &str) -> Self {
        let viewer = visitor.viewer();
        let authority = viewer.trim_start_matches("http://").trim_end_matches('/');
        let mut stream = host.enter(|| TcpStream::connect(authority)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!(
            "GET /p/{owner}/{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        Self(stream)
    }

    /// So many bytes, or what is left.
    fn read(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let read = (&mut self.0).take(len as u64).read_to_end(&mut bytes);
        read.expect("the transfer goes on");
        assert!(!bytes.is_empty(), "the transfer was broken off");
        bytes
    }
}
