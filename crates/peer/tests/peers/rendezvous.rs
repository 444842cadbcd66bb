//! Peers on different networks find each other at a rendezvous, which one of them may host.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use goop2_peer::{
    Hosted,
    api::{Group, Host, HostingState, JoinedState, Registration, Snapshot},
};
use goop2_store::config::Presence;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::{
    port,
    world::{TestPeer, card},
};

#[tokio::test]
async fn peers_find_each_other_at_a_server_that_is_joined_and_left_while_they_run() {
    let (_dir, server, url) = serve(Presence::default()).await;
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
    let port = port::unused();
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
async fn a_port_in_use_is_reported_and_the_peer_goes_on() {
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

#[tokio::test]
async fn any_pasted_form_leads_to_the_server_and_its_state_is_shown() {
    let (_dir, server, url) = serve(Presence::default()).await;
    let (ann, bob) = (TestPeer::start("Ann").await, TestPeer::start("Bob").await);
    let pasted = format!("  {url}/register \n");
    assert_eq!(ann.peer.rendezvous_address(&pasted).unwrap(), url);
    assert!(ann.peer.rendezvous_address("ftp://somewhere").is_err());
    for text in [&pasted, &url] {
        assert_eq!(ann.peer.join_rendezvous(text).await.unwrap(), url);
    }
    let link = format!("goop://connect?url={}", url.replace(':', "%3A"));
    assert_eq!(bob.peer.join_rendezvous(&link).await.unwrap(), url);
    let connected = ann
        .until(|snapshot| {
            let joined = &snapshot.rendezvous.joined;
            joined.len() == 1 && joined[0].state == JoinedState::Connected && joined[0].peers == 1
        })
        .await;
    let joined = &connected.rendezvous.joined[0];
    assert_eq!(
        (&joined.url, joined.name.as_str(), &joined.reason),
        (&url, &url["http://".len()..], &None)
    );
    assert!(joined.since.is_some() && joined.next.is_none());
    assert!(ann.peer.is_rendezvous_page(&format!("{url}/register")));
    assert!(!ann.peer.is_rendezvous_page("http://127.0.0.1:1/"));

    ann.peer.leave_rendezvous(&url).await.unwrap();
    ann.until(|snapshot| snapshot.rendezvous.joined.is_empty())
        .await;
    bob.until(|snapshot| snapshot.rendezvous.joined[0].peers == 0)
        .await;
    server.shutdown().await;
    let lost = bob
        .until(|snapshot| snapshot.rendezvous.joined[0].state == JoinedState::Lost)
        .await;
    let lost = &lost.rendezvous.joined[0];
    assert!(
        lost.reason
            .as_deref()
            .is_some_and(|reason| reason.ends_with('.'))
            && lost.next.is_some()
    );
    ann.stop().await;
    bob.stop().await;
}

#[tokio::test]
async fn a_server_that_is_not_a_rendezvous_is_refused() {
    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", web.local_addr().unwrap());
    // Ends with the process; the peer keeps asking it.
    std::thread::spawn(move || {
        for stream in web.incoming() {
            let mut stream = stream.unwrap();
            let _read = stream.read(&mut [0; 4096]);
            let _written = stream.write_all(
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            );
        }
    });
    let peer = TestPeer::start("Lost").await;
    for (text, reason) in [
        (&*url, format!("There is no rendezvous at {url}.")),
        (
            "no-such-name.invalid",
            "no-such-name.invalid was not found. Check the spelling, and whether this computer is online.".into(),
        ),
    ] {
        let refused = peer.peer.join_rendezvous(text).await.unwrap_err();
        let refused = refused.to_string();
        assert!(refused.eq_ignore_ascii_case(&reason), "{refused}");
    }
    assert_eq!(peer.peer.config().presence.rendezvous_wan, "");

    // What was written by hand is asked as long as it is there.
    let written = url.clone();
    let write = move |config: &mut goop2_peer::Config| config.presence.rendezvous_wan = written;
    peer.peer.update_config(write).await.unwrap();
    let snapshot = peer
        .until(|snapshot| {
            snapshot
                .rendezvous
                .joined
                .iter()
                .any(|joined| joined.state == JoinedState::Refused)
        })
        .await;
    assert_eq!(
        snapshot.rendezvous.joined[0].reason,
        Some(format!("There is no rendezvous at {url}."))
    );
    peer.stop().await;
}

#[tokio::test]
async fn a_wrong_clock_is_a_notice_until_it_is_right() {
    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", web.local_addr().unwrap());
    // Which of the two clocks is wrong, neither can tell.
    let ahead = Arc::new(AtomicBool::new(true));
    let clock = Arc::clone(&ahead);
    // Ends with the process; the peer keeps asking it.
    std::thread::spawn(move || {
        for stream in web.incoming() {
            let mut stream = stream.unwrap();
            let _read = stream.read(&mut [0; 4096]);
            let hours = if clock.load(Ordering::Relaxed) { 2 } else { 0 };
            let now = SystemTime::now() + Duration::from_secs(hours * 60 * 60);
            let answer = format!(
                "HTTP/1.1 404 Not Found\r\nDate: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                httpdate::fmt_http_date(now)
            );
            let _written = stream.write_all(answer.as_bytes());
        }
    });
    let peer = TestPeer::start("Late").await;
    let join = move |config: &mut goop2_peer::Config| config.presence.rendezvous_wan = url;
    peer.peer.update_config(join).await.unwrap();
    let notice = |snapshot: &Snapshot| {
        let mut notices = snapshot.notices.iter();
        let clock = notices.find(|notice| notice.code == "clock")?;
        Some(clock.message.clone())
    };
    let snapshot = peer.until(|snapshot| notice(snapshot).is_some()).await;
    assert_eq!(
        notice(&snapshot).unwrap(),
        "This computer's clock is 2 hours slow (by the server's). Set the clock so that others can see you."
    );
    ahead.store(false, Ordering::Relaxed);
    peer.until(|snapshot| notice(snapshot).is_none()).await;
    peer.stop().await;
}

#[tokio::test]
async fn hosting_shows_its_addresses_and_keeps_a_password() {
    let peer = TestPeer::start("Host").await;
    let port = port::unused();
    let at = |on, port, bind: &str| Host {
        on,
        port,
        bind: bind.into(),
        relay_port: 0,
    };
    for wrong in [
        at(true, 0, ""),
        at(true, port, "here"),
        Host {
            relay_port: port,
            ..at(true, port, "")
        },
    ] {
        assert!(peer.peer.host_rendezvous(wrong).await.is_err());
    }
    assert_eq!(peer.peer.admin_password(), "");

    peer.peer
        .host_rendezvous(at(true, port, "127.0.0.1"))
        .await
        .unwrap();
    // The host itself is the first to be online there.
    let on = peer
        .until(|snapshot| {
            let hosting = &snapshot.rendezvous.hosting;
            hosting.state == HostingState::On && hosting.peers == 1
        })
        .await;
    let hosting = &on.rendezvous.hosting;
    assert_eq!(
        (hosting.port, &*hosting.bind, &*hosting.public_page),
        (port, "127.0.0.1", &*format!("http://127.0.0.1:{port}/"))
    );
    assert_eq!(hosting.admin_page, format!("http://127.0.0.1:{port}/admin"));
    assert!(
        hosting.connect_urls.is_empty() && hosting.problem.as_deref().unwrap().contains("only")
    );
    assert!(
        on.rendezvous.joined.is_empty(),
        "your own server is not listed as joined"
    );
    assert!(peer.peer.is_rendezvous_page(&hosting.admin_page));
    let own = peer
        .peer
        .join_rendezvous(&hosting.public_page)
        .await
        .unwrap_err();
    assert!(own.to_string().contains("this computer"), "{own}");
    let password = peer.peer.admin_password();
    assert!(password.len() >= 20, "{password}");

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = taken.local_addr().unwrap().port();
    peer.peer
        .host_rendezvous(at(true, other, "127.0.0.1"))
        .await
        .unwrap();
    let failed = peer
        .until(|snapshot| snapshot.rendezvous.hosting.state == HostingState::Failed)
        .await;
    let problem = failed.rendezvous.hosting.problem.as_deref().unwrap();
    assert!(
        problem.starts_with(&format!("Port {other} is in use by another program")),
        "{problem}"
    );

    peer.peer
        .host_rendezvous(at(false, port, ""))
        .await
        .unwrap();
    peer.until(|snapshot| {
        let hosting = &snapshot.rendezvous.hosting;
        hosting.state == HostingState::Off && hosting.problem.is_none()
    })
    .await;
    assert_eq!(peer.peer.admin_password(), password);
    peer.stop().await;
}

#[tokio::test]
async fn an_unregistered_peer_learns_so_and_registers() {
    let (_dir, server, url) = serve(Presence {
        registration_required: true,
        peer_db_path: "data/peers.db".into(),
        ..Presence::default()
    })
    .await;
    let peer = TestPeer::start("Ann").await;
    peer.peer.join_rendezvous(&url).await.unwrap();
    peer.until(|snapshot| {
        let joined = snapshot.rendezvous.joined.first();
        joined.is_some_and(|joined| joined.registration == Registration::Required)
    })
    .await;
    assert!(peer.peer.register(&url, "nobody").await.is_err());
    let message = peer.peer.register(&url, " ann@example.org").await.unwrap();
    assert!(message.contains("administrator"), "{message}");
    peer.until(|snapshot| snapshot.me.email == "ann@example.org")
        .await;
    peer.stop().await;
    server.shutdown().await;
}

/// A server without a peer, on loopback: its folder, and its URL.
async fn serve(presence: Presence) -> (TempDir, Hosted, String) {
    let dir = tempfile::tempdir().unwrap();
    let presence = Presence {
        rendezvous_bind: "127.0.0.1".into(),
        rendezvous_port: 0,
        ..presence
    };
    let server = Hosted::bind(dir.path(), &presence).await.unwrap();
    let url = format!("http://{}", server.local_addrs()[0]);
    (dir, server, url)
}
