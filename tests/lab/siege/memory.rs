//! Goodbyes in the names of peers that were never there, more of them than a rendezvous remembers
//! peers: one that remembered these would forget who was, and believe a recorded message again.

use std::{
    net::IpAddr,
    time::{Duration, Instant, SystemTime},
};

use futures::{StreamExt, stream};
use goop2_proto::{
    Keypair,
    presence::{Kind, Presence},
    time::unix_millis,
};
use reqwest::Client;
use serde_json::json;

use super::{
    Held, during, during_an_attack,
    lines::{give, line},
};
use crate::{
    measured,
    support::{
        http,
        lab::{Host, Lan},
        peer::{Folder, Peer},
        promise::measuring,
    },
};

/// Lines that say goodbye, as many as it takes within the rate of each (`server/config.rs`).
const LINES: u32 = 12;
/// More of them in all than are remembered (`server/presence/memory.rs`), where there is time to
/// sign so many.
const GOODBYES: [u32; 2] = [LINES * 50, LINES * 5500];
const NETWORK: u8 = 80;

#[test]
fn invented_goodbyes_make_no_departed_peer_forgotten() {
    measured(
        "siege::memory::invented_goodbyes_make_no_departed_peer_forgotten",
        || {
            let mut lan = Lan::new(1);
            let [there, honest, greedy] = [(); 3].map(|()| lan.host_ipv4());
            let server = Peer::rendezvous(&Folder::with(&json!({})), Some(&there));
            give(&greedy, NETWORK, &there);
            let url = server.ready().event["connect_urls"][0].clone();
            let url = format!("{}/publish", url.as_str().unwrap());

            let mira = Keypair::generate_ed25519();
            let recorded = signed(&mira, Kind::Online, 0);
            let (status, quiet) = publish(&honest, &url, recorded.clone());
            assert_eq!(status, 204);
            assert_eq!(
                publish(&honest, &url, signed(&mira, Kind::Offline, 1)).0,
                204
            );
            let before = Held::of(&server);
            let crowd = async {
                let each = GOODBYES[usize::from(measuring())] / LINES;
                let lines = (0..LINES).map(|number| say_goodbye(number, each, &url));
                let lines = stream::iter(lines).buffer_unordered(LINES as usize);
                lines.collect::<Vec<_>>().await
            };
            during(&greedy, crowd, || {
                let (replayed, _) = publish(&honest, &url, recorded);
                assert_eq!(replayed, 409, "a departed peer is not online again");
                let (back, seen) = publish(&honest, &url, signed(&mira, Kind::Online, 2));
                assert_eq!(back, 204, "its own word counts");
                during_an_attack("a message next to invented goodbyes", quiet, seen);
            });
            before.comes_back(&server);
        },
    );
}

/// Says goodbye for so many peers that are not there, one after the other.
async fn say_goodbye(number: u32, each: u32, url: &str) {
    let address = IpAddr::from(line(NETWORK, number));
    let client = Client::builder().no_proxy().local_address(address);
    let client = client.build().unwrap();
    for _ in 0..each {
        let body = signed(&Keypair::generate_ed25519(), Kind::Offline, 0);
        let answer = client.post(url).body(body).send().await.unwrap();
        assert_eq!(answer.status(), 204);
    }
}

/// `index` keeps the messages of a peer in order.
fn signed(key: &Keypair, kind: Kind, index: i64) -> Vec<u8> {
    let now = unix_millis(SystemTime::now()) + index;
    let presence = Presence {
        kind,
        ..Presence::offline(key.public().to_peer_id(), now)
    };
    let mut message = presence.message();
    message.sign(key);
    message.encode()
}

/// How a message of this host is answered, and how soon.
fn publish(host: &Host, url: &str, body: Vec<u8>) -> (u16, Duration) {
    let begun = Instant::now();
    let answer = host.enter(|| http::send(|client| client.post(url).body(body)));
    (answer.unwrap().status, begun.elapsed())
}
