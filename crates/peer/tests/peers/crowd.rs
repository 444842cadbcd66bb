//! Thousands at a rendezvous.

use std::{io::ErrorKind, net::TcpListener};

use goop2_proto::roster::MAX_ONLINE;
use tokio::time::Instant;

use crate::{
    strangers::{listing, stranger},
    world::{TestPeer, get},
};

#[tokio::test(flavor = "multi_thread")]
async fn thousands_at_a_rendezvous_hide_no_neighbor_and_have_nothing_dialed() {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    door.set_nonblocking(true).unwrap();
    let knocked = || match door.accept() {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::WouldBlock => false,
        Err(error) => panic!("{error}"),
    };
    let addr = format!("/dns4/localhost/tcp/{}", door.local_addr().unwrap().port());
    let strangers: Vec<_> = (0..4600).map(stranger).collect();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = listing(server, &strangers, &addr);
    let (watcher, early) = (
        TestPeer::start("Watcher").await,
        TestPeer::start("Early").await,
    );
    let begun = Instant::now();
    watcher.connect(&early).await;
    let quiet = begun.elapsed();
    watcher
        .peer
        .update_config(move |config| config.presence.rendezvous_wan = url)
        .await
        .unwrap();
    watcher
        .until(|snapshot| snapshot.peers.len() >= MAX_ONLINE)
        .await;

    let newcomer = TestPeer::start("Newcomer").await;
    let begun = Instant::now();
    watcher.connect(&newcomer).await;
    println!(
        "a neighbor: {quiet:?} without, {:?} with 4600 strangers at a rendezvous",
        begun.elapsed()
    );
    assert!(!knocked(), "an address was dialed that nobody asked for");
    let _nobody = watcher.peer.fetch(strangers[0], get("/")).await;
    assert!(knocked(), "it is dialed for a visit");
    for peer in [watcher, early, newcomer] {
        peer.stop().await;
    }
}
