//! Peers that no local network joins meet at a rendezvous, which one of them may host.

use std::{net::TcpListener, time::Duration};

use goop2_peer::{Hosted, api::Group};
use goop2_store::config::Presence;
use tokio::time::timeout;

use crate::world::{TestPeer, card};

#[tokio::test]
async fn peers_meet_at_a_server_that_is_joined_and_left_while_they_run() {
    let dir = tempfile::tempdir().unwrap();
    let server = Hosted::bind(
        dir.path(),
        &Presence {
            rendezvous_bind: "127.0.0.1".into(),
            rendezvous_port: 0,
            ..Presence::default()
        },
    )
    .await
    .unwrap();
    let url = format!("http://{}", server.local_addrs()[0]);
    let (stays, moves) = (
        TestPeer::start("Stays").await,
        TestPeer::start("Moves").await,
    );
    for peer in [&stays, &moves] {
        let url = url.clone();
        peer.peer
            .update_config(move |config| config.presence.rendezvous_wan = url)
            .await
            .unwrap();
    }
    let seen = stays
        .until(|snapshot| card(snapshot, &moves).is_some_and(|card| card.group == Group::Elsewhere))
        .await;
    assert_eq!(
        card(&seen, &moves).map(|card| (card.label.as_str(), card.verified)),
        Some(("Moves", true))
    );
    moves
        .until(|snapshot| card(snapshot, &stays).is_some())
        .await;

    moves
        .peer
        .update_config(|config| config.profile.label = "Renamed".into())
        .await
        .unwrap();
    stays
        .until(|snapshot| card(snapshot, &moves).is_some_and(|card| card.label == "Renamed"))
        .await;

    moves
        .peer
        .update_config(|config| config.presence.rendezvous_wan.clear())
        .await
        .unwrap();
    stays
        .until(|snapshot| card(snapshot, &moves).is_some_and(|card| card.group == Group::Earlier))
        .await;
    moves
        .until(|snapshot| card(snapshot, &stays).is_some_and(|card| card.group == Group::Earlier))
        .await;
    moves.stop().await;
    stays.stop().await;
    server.shutdown().await;
}

#[tokio::test]
async fn hosting_is_toggled_five_times_and_leaves_no_port_behind() {
    let (host, guest) = (
        TestPeer::start("Host").await,
        TestPeer::start("Guest").await,
    );
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    guest
        .peer
        .update_config(move |config| {
            config.presence.rendezvous_wan = format!("http://127.0.0.1:{port}")
        })
        .await
        .unwrap();
    for _ in 0..5 {
        host.peer
            .update_config(move |config| {
                config.presence.rendezvous_bind = "127.0.0.1".into();
                config.presence.rendezvous_port = port;
                config.presence.rendezvous_host = true;
            })
            .await
            .unwrap();
        guest
            .until(|snapshot| {
                card(snapshot, &host).is_some_and(|card| card.group == Group::Elsewhere)
            })
            .await;
        host.peer
            .update_config(|config| config.presence.rendezvous_host = false)
            .await
            .unwrap();
        guest
            .until(|snapshot| {
                card(snapshot, &host).is_some_and(|card| card.group == Group::Earlier)
            })
            .await;
        timeout(Duration::from_secs(5), async {
            while TcpListener::bind(("127.0.0.1", port)).is_err() {
                tokio::task::yield_now().await
            }
        })
        .await
        .expect("the port is free again");
    }
    guest.stop().await;
    host.stop().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_and_the_peer_goes_on() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let peer = TestPeer::start("Host").await;
    let hosting = move |config: &mut goop2_peer::Config| {
        config.presence.rendezvous_bind = "127.0.0.1".into();
        config.presence.rendezvous_port = port;
        config.presence.rendezvous_host = true;
    };
    peer.peer.update_config(hosting).await.unwrap();
    let snapshot = peer
        .until(|snapshot| {
            snapshot
                .notices
                .iter()
                .any(|notice| notice.code == "rendezvous-host")
        })
        .await;
    assert!(
        snapshot
            .notices
            .iter()
            .any(|notice| notice.message.contains(&port.to_string())),
        "{:?}",
        snapshot.notices
    );
    peer.stop().await;
}
