//! What runs in the hosts of the lab: a peer, or an ear on the multicast group. Commands come on
//! standard input.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, UdpSocket},
};

use goop2_node::{Event, Multicast};
use goop2_proto::{
    PeerId,
    mdns::{Received, Tag, decode},
};
use libp2p::multiaddr::Protocol;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    task::JoinSet,
};

use super::common::{ask, config, echo};

pub(crate) const ROLE: &str = "GOOP2_LAB_ROLE";
pub(crate) const TAG: &str = "GOOP2_LAB_TAG";

pub(crate) fn main() {
    let tag = std::env::var(TAG).unwrap_or_default();
    match std::env::var(ROLE).as_deref() {
        Ok("peer") => peer(Tag::parse(&tag).filter(|_| tag != "off")),
        Ok("ear") => ear(&Tag::parse(&tag).unwrap()),
        _ => {}
    }
}

fn say(line: &str) {
    println!("@ {line}");
}

#[tokio::main]
async fn peer(mdns_tag: Option<Tag>) {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let (node, inbound, mut events) = goop2_node::spawn(goop2_node::Config {
        mdns_tag,
        ..config()
    })
    .await
    .unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(echo(inbound));
    let mut status = node.status();
    say(&format!(
        "ready {} {}",
        node.peer_id(),
        status.borrow().port
    ));
    let mut commands = BufReader::new(tokio::io::stdin()).lines();
    let mut addresses = BTreeSet::new();
    loop {
        tokio::select! {
            Some(event) = events.recv() => match event {
                Event::Connected(peer) => say(&format!("connected {peer}")),
                Event::Disconnected(peer) => say(&format!("disconnected {peer}")),
                _ => {}
            },
            Ok(()) = status.changed() => {
                let status = status.borrow_and_update();
                match &status.multicast {
                    Multicast::Working => say("multicast working"),
                    Multicast::Starting => {}
                    Multicast::Off(why) => say(&format!("multicast off: {why}")),
                }
                let now: BTreeSet<_> = status.connections.iter().flat_map(|(peer, connections)| {
                    connections.iter().map(move |c| format!("{peer} {}", c.remote.iter().next().map(host).unwrap_or_default()))
                }).collect();
                now.difference(&addresses).for_each(|address| say(&format!("at {address}")));
                addresses.difference(&now).for_each(|address| say(&format!("left {address}")));
                addresses = now;
            }
            Ok(Some(command)) = commands.next_line() => match command.split_once(' ') {
                Some(("ask", peer)) => {
                    let outcome = ask(&node, peer.parse::<PeerId>().unwrap(), b"hello").await;
                    say(&format!("answered {}", outcome.err().unwrap_or_else(|| "ok".into())));
                }
                Some(("add", addr)) => drop(node.add_address(addr.parse().unwrap()).await.unwrap()),
                _ => break,
            },
        }
    }
    node.shutdown().await;
}

fn host(part: Protocol<'_>) -> String {
    match part {
        Protocol::Ip4(ip) => ip.to_string(),
        Protocol::Ip6(ip) => ip.to_string(),
        other => other.to_string(),
    }
}

fn ear(tag: &Tag) {
    let group = Ipv4Addr::new(224, 0, 0, 251);
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 5353)).unwrap();
    socket
        .join_multicast_v4(&group, &Ipv4Addr::UNSPECIFIED)
        .or_else(|_| {
            // No default route: name the interface by its address.
            let hosts = if_addrs::get_if_addrs()
                .unwrap()
                .into_iter()
                .filter(|i| !i.is_loopback());
            let mut own = hosts.filter_map(|i| match i.ip() {
                std::net::IpAddr::V4(ip) => Some(ip),
                std::net::IpAddr::V6(_) => None,
            });
            socket.join_multicast_v4(&group, &own.next_back().unwrap())
        })
        .unwrap();
    say("listening");
    let mut packet = [0; 9000];
    loop {
        let (len, _) = socket.recv_from(&mut packet).unwrap();
        if let Received::Found(found) = decode(&packet[..len], tag) {
            for found in found {
                let what = if found.goodbye { "goodbye" } else { "found" };
                for addr in &found.addrs {
                    say(&format!(
                        "{what} {} {}",
                        found.peer,
                        addr.iter().next().map(host).unwrap_or_default()
                    ));
                }
            }
        }
    }
}
