//! A long download whose path dies in the middle of it: the file arrives whole and once, and the
//! reader notices nothing.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
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
pub(crate) const LEN: usize = 50_000_000;
/// How much is read before anything happens.
pub(crate) const FIRST: usize = 3 << 20;
/// Bytes read at a time.
const PIECE: usize = 1 << 16;
/// Bytes of the words that the file consists of: each is its own number.
const WORD: usize = 8;
/// A path that died is noticed and replaced within this.
const HEALED: Duration = Duration::from_secs(3);
/// A download moves over to another path once, and a few times more if what it finds breaks, too.
const MOST_REQUESTS: usize = 6;
/// What may be on its way in pieces when a path dies (`sites/http/pieces.rs`): it is asked for again.
const ON_ITS_WAY: usize = 8 << 20;

#[test]
fn the_interface_of_the_owner_goes_down() {
    measured("transfer::the_interface_of_the_owner_goes_down", || {
        one_goes_down("of the owner goes down", |_, owner| owner, DOWN);
    });
}

#[test]
fn the_interface_of_the_visitor_goes_down() {
    measured("transfer::the_interface_of_the_visitor_goes_down", || {
        one_goes_down("of the visitor goes down", |visitor, _| visitor, DOWN);
    });
}

#[test]
fn the_cable_of_the_owner_is_pulled() {
    measured("transfer::the_cable_of_the_owner_is_pulled", || {
        one_goes_down("of the owner loses its cable", |_, owner| owner, UNPLUGGED);
    });
}

#[test]
fn the_cable_of_the_visitor_is_pulled() {
    measured("transfer::the_cable_of_the_visitor_is_pulled", || {
        one_goes_down(
            "of the visitor loses its cable",
            |visitor, _| visitor,
            UNPLUGGED,
        );
    });
}

/// How an interface with this name and address ends.
type End = fn(&Lan, &Host, &str, &str);
const DOWN: End = |_, host, name, _| drop(host.ip(&["link", "set", name, "down"]));
/// Nobody is told.
const UNPLUGGED: End = |lan, host, _, address| lan.unplug(host, address);

/// `chosen` of the visitor and the owner has two interfaces on one network; the one that carries a
/// download ends.
fn one_goes_down(whose: &str, chosen: impl for<'a> Fn(&'a Host, &'a Host) -> &'a Host, end: End) {
    let mut lan = Lan::new(1);
    let (here, there) = (lan.host_ipv4(), lan.host_ipv4());
    let twofold = chosen(&here, &there);
    let second = lan.plug_again(twofold);
    let (visitor, owner, _folders) = peers(&here, &there);
    let mut download = Download::begin(&visitor, &here, &owner.id());
    download.read(FIRST);
    let address = local_end(twofold);
    let carrier = if address == second { "eth1" } else { "eth0" };
    end(&lan, twofold, carrier, &address);
    let down = Instant::now();
    let longest = download.read(LEN);
    println!(
        "the interface that carries a download ({carrier}) {whose}: the longest pause is {}, the rest came within {}",
        millis(longest),
        millis(down.elapsed())
    );
    download.came_once(&owner);
    promise::time(
        &format!("the pause of a download when the interface {whose}"),
        longest,
        HEALED,
    );
}

fn peers(here: &Host, there: &Host) -> (Peer, Peer, [Folder; 2]) {
    let folders = ["visitor", "owner"].map(|label| Folder::new(label, "goop-mdns"));
    furnish(&folders[1]);
    let visitor = Peer::talkative(&folders[0], Some(here));
    let owner = Peer::talkative(&folders[1], Some(there));
    let id = owner.id();
    visitor.sees(&id, PATIENCE);
    let asked = Instant::now();
    // Where both dialed at once, one of the connections is closed after a while.
    loop {
        let reach = visitor.api("network/reach", &json!({ "peer": id })).json();
        if reach["links"]
            .as_array()
            .is_some_and(|links| links.len() == 1)
        {
            return (visitor, owner, folders);
        }
        assert!(asked.elapsed() < PATIENCE, "{reach}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// The address of this host that its connection to the other is bound to.
fn local_end(host: &Host) -> String {
    let listed = host.run(
        "ss",
        &["-Htn", "state", "established", "src", "11.77.0.0/16"],
    );
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let local = listed
        .split_whitespace()
        .nth(2)
        .unwrap_or_else(|| panic!("no connection: {listed}"));
    local
        .rsplit_once(':')
        .expect("an address with a port")
        .0
        .to_owned()
}

/// What the owner has to offer.
pub(crate) fn furnish(folder: &Folder) {
    folder.write("site/large.bin", file());
}

/// No two of its words are the same.
fn file() -> Vec<u8> {
    let words = (0..(LEN / WORD) as u64).flat_map(u64::to_be_bytes);
    words.collect()
}

/// One download through a viewer, read as slowly as the test wants.
pub(crate) struct Download {
    stream: TcpStream,
    got: usize,
}

impl Download {
    pub(crate) fn begin(visitor: &Peer, host: &Host, owner: &str) -> Self {
        let viewer = visitor.viewer();
        let authority = viewer.trim_start_matches("http://").trim_end_matches('/');
        let mut stream = host.enter(|| TcpStream::connect(authority)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!(
            "GET /p/{owner}/large.bin HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        Self { stream, got: 0 }
    }

    /// Reads until there are so many bytes in all, each the one that belongs there; the longest
    /// pause.
    pub(crate) fn read(&mut self, until: usize) -> Duration {
        let mut longest = Duration::ZERO;
        let mut piece = vec![0; PIECE];
        while self.got < until {
            let len = PIECE.min(LEN - self.got) / WORD * WORD;
            let asked = Instant::now();
            let read = self.stream.read_exact(&mut piece[..len]);
            longest = longest.max(asked.elapsed());
            read.unwrap_or_else(|error| panic!("broken off at {}: {error}", self.got));
            for word in piece[..len].chunks_exact(WORD) {
                let at = (self.got / WORD) as u64;
                assert_eq!(word, at.to_be_bytes(), "other bytes at {}", self.got);
                self.got += WORD;
            }
        }
        longest
    }

    /// Nothing is left, and by the owner's log no more was asked for again than what was on its way.
    pub(crate) fn came_once(mut self, owner: &Peer) {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty() && self.got == LEN);
        let log = owner.errors();
        let asked = log.lines().filter(|line| line.contains("/large.bin"));
        let ranges: Vec<_> = asked.map(range).collect();
        assert_eq!(ranges.first(), Some(&(0, LEN)), "first for all of it");
        let again: Vec<_> = ranges[1..].iter().map(|(next, _)| *next).collect();
        assert!(!again.contains(&0), "from its beginning: {ranges:?}");
        let to_the_end = ranges.iter().filter(|(_, end)| *end == LEN);
        assert!(to_the_end.count() <= MOST_REQUESTS, "{ranges:?}");
        let pieces = ranges.iter().filter(|(_, end)| *end < LEN);
        let in_pieces: usize = pieces.map(|(next, end)| end - next).sum();
        println!(
            "asked for {} times, {in_pieces} bytes in pieces",
            ranges.len()
        );
        assert!(in_pieces <= LEN + MOST_REQUESTS * ON_ITS_WAY, "{ranges:?}");
    }
}

/// The first byte that a logged request asks for, and the one after the last.
fn range(line: &str) -> (usize, usize) {
    let Some((_, range)) = line.split_once("bytes=") else {
        return (0, LEN);
    };
    let numbers: Vec<usize> = range
        .split(|char: char| !char.is_ascii_digit())
        .map_while(|number| number.parse().ok())
        .collect();
    (numbers[0], numbers[1] + 1)
}
