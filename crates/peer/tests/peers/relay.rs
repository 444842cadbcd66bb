//! The relay of a hosted rendezvous, turned on and off.

use std::net::TcpListener;

use goop2_peer::api::Notice;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    port,
    world::{PATIENCE, TestPeer},
};

#[tokio::test]
async fn the_relay_starts_and_stops_while_its_server_stays() {
    let relay_port = port::unused();
    let taken = TcpListener::bind(("0.0.0.0", relay_port)).unwrap();
    let server_port = port::unused();
    let peer = TestPeer::start("Host").await;
    let set = |relay_port, circuits| {
        peer.peer.update_config(move |config| {
            config.presence.rendezvous_bind = "127.0.0.1".into();
            config.presence.rendezvous_port = server_port;
            config.presence.rendezvous_host = true;
            config.presence.relay.port = relay_port;
            config.presence.relay.external_addrs = vec!["127.0.0.1".into()];
            config.presence.relay.max_circuits = circuits;
        })
    };
    set(relay_port, 10).await.unwrap();
    let about_relay = |notice: &Notice| notice.code == "relay-host";
    let snapshot = peer
        .until(|snapshot| snapshot.notices.iter().any(about_relay))
        .await;
    let notice = snapshot.notices.iter().find(|notice| about_relay(notice));
    let message = &notice.unwrap().message;
    assert!(
        message.contains(&format!("port {relay_port} is in use")),
        "{message}"
    );
    let mut guest = Http::open(server_port, "/events").await;
    assert!(
        Http::get(server_port, "/relay")
            .await
            .contains("404 Not Found")
    );

    drop(taken);
    let mut ids = Vec::new();
    for circuits in [11, 12] {
        set(relay_port, circuits).await.unwrap();
        let answer = Http::until(server_port, "/relay", "200 OK").await;
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let relay = goop2_proto::relay::Relay::decode(body.as_bytes()).unwrap();
        let addrs: Vec<_> = relay.addrs.iter().map(ToString::to_string).collect();
        assert_eq!(addrs[0], format!("/ip4/127.0.0.1/tcp/{relay_port}"));
        ids.push(relay.peer);
    }
    assert_eq!(ids[0], ids[1], "its key is kept");
    assert_ne!(ids[0], peer.peer.id());
    peer.until(|snapshot| !snapshot.notices.iter().any(about_relay))
        .await;
    set(0, 12).await.unwrap();
    Http::until(server_port, "/relay", "404 Not Found").await;
    timeout(PATIENCE, async {
        while TcpListener::bind(("0.0.0.0", relay_port)).is_err() {
            tokio::task::yield_now().await
        }
    })
    .await
    .expect("the port is free again");
    assert!(guest.is_open(), "the server was replaced");
    peer.stop().await;
}

/// As much of HTTP as these tests need.
struct Http(TcpStream);

impl Http {
    async fn open(port: u16, path: &str) -> Self {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        socket.write_all(head.as_bytes()).await.unwrap();
        Self(socket)
    }

    async fn get(port: u16, path: &str) -> String {
        let mut http = Self::open(port, path).await;
        let mut answer = String::new();
        http.0.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn until(port: u16, path: &str, wanted: &str) -> String {
        let search = async {
            loop {
                let answer = Self::get(port, path).await;
                if answer.contains(wanted) {
                    return answer;
                }
            }
        };
        timeout(PATIENCE, search).await.expect(wanted)
    }

    /// Whether the stream is still open, after reading what has arrived.
    fn is_open(&mut self) -> bool {
        let mut buffer = [0; 4096];
        loop {
            match self.0.try_read(&mut buffer) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
            }
        }
    }
}
