//! Streams and places for requests.

use std::{fs::File, sync::Arc};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt, stream};
use goop2_hostile::{Hoard, STREAMS, negotiated, undecided};
use goop2_node::{Config, Keypair, Node, Stream};
use goop2_proto::{Multiaddr, http, site};

use super::{Held, during, during_an_attack, meet, page};
use crate::{
    measured,
    support::{
        lab::Lan,
        peer::{Folder, Peer},
        promise,
    },
};

/// Peers that read slowly, and streams that each asks for: more than any of them gets.
const READERS: usize = 8;
const WANTED: usize = 128;
/// Connections of each identity that hoards.
const CONNECTIONS: usize = 8;
/// What an owner may hold for streams that nobody reads: over TCP 2,048 windows of 256 KiB, over
/// QUIC 160 of 2 MiB, and what handles them.
const UNREAD: f64 = 640.0 * 1024.0 * 1024.0;

#[test]
fn slow_readers_keep_nobody_waiting() {
    measured("siege::streams::slow_readers_keep_nobody_waiting", || {
        let mut lan = Lan::new(1);
        let hosts = [(); 4].map(|()| lan.host());
        let folders = ["owner", "visitor", "newcomer"].map(|label| Folder::new(label, "goop-mdns"));
        let large = File::create(folders[0].path().join("site/large.bin")).unwrap();
        large.set_len(1 << 30).unwrap();
        let owner = Peer::start(&folders[0], Some(&hosts[0]));
        let visitor = Peer::start(&folders[1], Some(&hosts[1]));
        meet(&visitor, &owner);
        let id = owner.id();
        page(&visitor, &id);
        let quiet = page(&visitor, &id);
        let before = Held::of(&owner);
        let address = owner.address(hosts[0].address());
        let crowd = async {
            let readers = stream::iter(0..READERS).map(|one| slow_reader(&address, one));
            readers.buffer_unordered(READERS).collect::<Vec<_>>().await
        };
        during(&hosts[3], crowd, || {
            during_an_attack("a page next to slow readers", quiet, page(&visitor, &id));
            let newcomer = Peer::start(&folders[2], Some(&hosts[2]));
            meet(&newcomer, &owner);
            let first = page(&newcomer, &id);
            during_an_attack("a newcomer's first page next to slow readers", quiet, first);
        });
        before.comes_back(&owner);
    });
}

/// Asks for a large file on many streams, and reads only the first bytes of the answers.
async fn slow_reader(address: &str, number: usize) -> (Node, Vec<Stream>) {
    let (protocol, request) = if number.is_multiple_of(2) {
        (http::SITE, "GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n")
    } else {
        (site::PROTOCOL, "GET /large.bin\n")
    };
    let config = Config {
        keypair: Keypair::generate_ed25519(),
        listen_port: 0,
        mdns_tag: None,
        topic: "hoarder".into(),
        protocols: vec![],
    };
    let (node, _, _) = goop2_node::spawn(config).await.unwrap();
    let owner = node.add_address(address.parse().unwrap()).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..WANTED {
        let mut stream = node.open(owner, protocol).await.unwrap();
        // A stream beyond its share is reset.
        if stream.write_all(request.as_bytes()).await.is_ok() && stream.flush().await.is_ok() {
            held.push(stream);
        }
    }
    let first = held[0].read(&mut [0; 16]).await.unwrap();
    assert!(first > 0, "at least one is served");
    (node, held)
}

#[test]
fn streams_that_nobody_takes_fill_no_memory() {
    measured(
        "siege::streams::streams_that_nobody_takes_fill_no_memory",
        || fill_memory("TCP"),
    );
}

#[test]
fn streams_over_quic_fill_no_memory() {
    measured("siege::streams::streams_over_quic_fill_no_memory", || {
        fill_memory("QUIC");
    });
}

fn fill_memory(carrier: &str) {
    let identities = if promise::measuring() { 48 } else { 4 };
    let mut lan = Lan::new(1);
    let hosts = [(); 4].map(|()| lan.host());
    let folders = ["owner", "visitor", "newcomer"].map(|label| Folder::new(label, "goop-mdns"));
    let owner = Peer::start(&folders[0], Some(&hosts[0]));
    let visitor = Peer::start(&folders[1], Some(&hosts[1]));
    meet(&visitor, &owner);
    let id = owner.id();
    page(&visitor, &id);
    let (quiet, before) = (page(&visitor, &id), Held::of(&owner));
    let resident = owner.memory("VmRSS:");
    let mut address = owner.address(hosts[0].address());
    if carrier == "QUIC" {
        // The same port.
        address = address
            .replace("/tcp/", "/udp/")
            .replace("/p2p/", "/quic-v1/p2p/");
    }
    let attack = format!("{identities} × {CONNECTIONS} × {STREAMS} streams over {carrier}");
    during(
        &hosts[2],
        hoards(address.parse().unwrap(), identities),
        || {
            let attacked = page(&visitor, &id);
            let what = format!("a page next to {attack}");
            during_an_attack(&what, quiet, attacked);
            let newcomer = Peer::start(&folders[2], Some(&hosts[3]));
            meet(&newcomer, &owner);
            let what = format!("a newcomer's first page next to {attack}");
            during_an_attack(&what, quiet, page(&newcomer, &id));
        },
    );
    let grown = owner.memory("VmHWM:") - resident;
    let what = format!("MiB for {attack}");
    promise::at_most(&what, grown / 1024.0 / 1024.0, UNREAD / 1024.0 / 1024.0);
    before.comes_back(&owner);
}

/// One half never agree on a protocol, the other half begin a request and do not end it: streams are
/// kept for as long as there is hope. The attack stands once some of those who came first were given
/// up, and others have taken their place.
async fn hoards(at: Multiaddr, identities: usize) -> Vec<Hoard> {
    let mut request = negotiated(http::SITE);
    request.extend(b"GET / HTTP/1.1\r\nHost: x\r\nCookie: ");
    request.resize(http::MAX_HEAD - 1024, b'x');
    let words = [undecided(), request.into()];
    let mut hoards = Vec::new();
    for words in words.iter().cycle().take(identities) {
        let key = Keypair::generate_ed25519();
        for _ in 0..CONNECTIONS {
            // Beyond its share, a connection is refused.
            hoards.extend(Hoard::start(at.clone(), &key, Arc::clone(words)).await);
        }
    }
    // Those who came first have all that one household may have.
    let first = hoards.first_mut().expect("it has got in");
    first.given_up().await;
    hoards
}
