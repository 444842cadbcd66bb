//! Strangers with many connections, who open all the streams there may be and fill them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod common;

use std::sync::Arc;

use common::{ECHO, ask, echo, start};
use goop2_hostile::{Hoard, STREAMS, filled, undecided};
use goop2_node::Keypair;
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_nobody_takes_end_and_others_are_served() {
    let (server, polite) = (start().await, start().await);
    let keys = [(); 2].map(|()| Keypair::generate_ed25519());
    let mut hoards = Vec::new();
    for words in [undecided(), filled(ECHO)] {
        for key in &keys {
            let hoard = Hoard::start(server.tcp(), key, Arc::clone(&words)).await;
            hoards.push(hoard.unwrap());
        }
    }
    // Nobody takes what arrives at this node, so only those on their way to its application stay.
    let taken = 64;
    for hoard in &mut hoards {
        hoard.ended(STREAMS - taken).await;
    }
    let all: usize = hoards.iter().map(|hoard| hoard.gone()).sum();
    println!("{all} of {} have ended", hoards.len() * STREAMS);
    let mut servers = JoinSet::new();
    let (id, at) = (server.id(), server.tcp());
    servers.spawn(echo(server.inbound));
    polite.node.add_address(at).await.unwrap();
    ask(&polite.node, id, b"hello").await.unwrap();
}
