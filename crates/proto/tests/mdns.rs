//! The packets of mDNS: ours against those that existing peers were seen to send, byte for byte.

#![expect(
    clippy::unwrap_used,
    reason = "a test says best where it broke by breaking there"
)]

mod common;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use common::{fixture, from_hex, hex};
use goop2_proto::{
    Multiaddr, PeerId, id,
    mdns::{self, Found, MAX_ADDRS, MAX_PACKET, Received, Service, Tag},
};
use hickory_proto::{
    op::{Message, MessageType, OpCode, Query},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{PTR, TXT},
    },
};

struct Seen {
    what: String,
    bytes: Vec<u8>,
}

fn seen(file: &str) -> Vec<Seen> {
    let packets = fixture(file)["packets"].as_array().unwrap().clone();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    packets
        .iter()
        .map(|p| Seen {
            what: text(&p["what"]),
            bytes: from_hex(&text(&p["hex"])),
        })
        .collect()
}

fn both() -> Vec<Seen> {
    seen("mdns-feb.json")
        .into_iter()
        .chain(seen("mdns-head.json"))
        .collect()
}

fn tag() -> Tag {
    Tag::parse(mdns::DEFAULT_TAG).unwrap()
}

fn peer() -> PeerId {
    id::parse("12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA").unwrap()
}

fn service(addrs: &[String]) -> Service {
    Service {
        tag: tag(),
        instance: "abcdefghijklmnopqrstuvwxyz0123456789".into(),
        addrs: addrs.iter().map(|addr| addr.parse().unwrap()).collect(),
        ips: vec![
            Ipv4Addr::new(192, 168, 1, 20).into(),
            Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1).into(),
        ],
    }
}

/// A service of ours with the values that the packet holds.
fn service_of(packet: &[u8]) -> Service {
    let message = Message::from_vec(packet).unwrap();
    let (mut instance, mut addrs, mut ips) = (String::new(), Vec::new(), Vec::new());
    for record in message.all_sections() {
        match &record.data {
            RData::TXT(txt) => {
                instance = String::from_utf8(record.name.iter().next().unwrap().to_vec()).unwrap();
                for string in &txt.txt_data {
                    let text = std::str::from_utf8(string).unwrap();
                    addrs.push(
                        text.strip_prefix("dnsaddr=")
                            .unwrap()
                            .parse::<Multiaddr>()
                            .unwrap(),
                    );
                }
            }
            RData::A(a) => ips.push(IpAddr::from(a.0)),
            RData::AAAA(a) => ips.push(IpAddr::from(a.0)),
            _ => {}
        }
    }
    Service {
        tag: tag(),
        instance,
        addrs,
        ips,
    }
}

#[test]
fn our_query_is_theirs() {
    assert_eq!(
        hex(&mdns::query(&tag(), 0x1234)),
        "12340000000100000000000009676f6f702d6d646e73056c6f63616c00000c0001"
    );
    let mut compared = 0;
    for packet in both()
        .iter()
        .filter(|packet| packet.what.starts_with("query"))
    {
        let id = u16::from_be_bytes([packet.bytes[0], packet.bytes[1]]);
        assert_eq!(hex(&mdns::query(&tag(), id)), hex(&packet.bytes));
        assert_eq!(
            mdns::decode(&packet.bytes, &tag()),
            Received::Query {
                id,
                unicast: false,
                known: vec![]
            }
        );
        compared += 1;
    }
    assert_eq!(compared, 4);
}

#[test]
fn our_announcement_is_theirs() {
    let mut compared = 0;
    for packet in both()
        .iter()
        .filter(|packet| packet.what.starts_with("announcement"))
    {
        assert_eq!(
            hex(&service_of(&packet.bytes).announcement()),
            hex(&packet.bytes)
        );
        compared += 1;
    }
    assert_eq!(compared, 4);
}

#[test]
fn our_response_is_theirs() {
    let mut compared = 0;
    for packet in both()
        .iter()
        .filter(|packet| packet.what.starts_with("answer"))
    {
        let id = u16::from_be_bytes([packet.bytes[0], packet.bytes[1]]);
        assert_eq!(
            hex(&service_of(&packet.bytes).response(id)),
            hex(&packet.bytes)
        );
        compared += 1;
    }
    assert_eq!(compared, 4);
}

#[test]
fn every_packet_about_a_peer_finds_it() {
    let mut found = 0;
    for packet in both()
        .iter()
        .filter(|packet| !packet.what.starts_with("query"))
    {
        let announced = service_of(&packet.bytes);
        let Received::Found(peers) = mdns::decode(&packet.bytes, &tag()) else {
            panic!("{}", packet.what)
        };
        let [peer] = &peers[..] else {
            panic!("{peers:?}")
        };
        assert_eq!(peer.instance, announced.instance);
        assert!(!peer.goodbye);
        // The second is its address on the network, the first 127.0.0.1.
        let on_network = announced.addrs[1].clone();
        assert_eq!(
            peer.addrs
                .iter()
                .map(|a| a.clone().with_p2p(peer.peer).unwrap())
                .collect::<Vec<_>>(),
            [on_network]
        );
        found += 1;
    }
    assert_eq!(found, 12);
}

#[test]
fn another_tag_sees_nothing_of_it() {
    let other = Tag::parse("goop-MDNS").unwrap();
    for packet in both() {
        assert_eq!(mdns::decode(&packet.bytes, &other), Received::Nothing);
    }
    let ours = Service {
        tag: other.clone(),
        ..service(&[format!("/ip4/10.0.0.1/tcp/1/p2p/{}", peer())])
    };
    assert_eq!(
        mdns::decode(&ours.announcement(), &tag()),
        Received::Nothing
    );
    assert_eq!(
        mdns::decode(&mdns::query(&other, 1), &tag()),
        Received::Nothing
    );
    assert!(matches!(
        mdns::decode(&ours.announcement(), &other),
        Received::Found(_)
    ));
}

#[test]
fn a_goodbye_is_the_announcement_with_every_ttl_zero() {
    let service = service(&[format!("/ip4/192.168.1.20/tcp/4001/p2p/{}", peer())]);
    let mut announced = Message::from_vec(&service.announcement()).unwrap();
    for record in &mut announced.answers {
        record.ttl = 0;
    }
    assert_eq!(hex(&service.goodbye()), hex(&announced.to_vec().unwrap()));
    let addrs = vec!["/ip4/192.168.1.20/tcp/4001".parse().unwrap()];
    let gone = Found {
        instance: service.instance.clone(),
        peer: peer(),
        addrs,
        goodbye: true,
    };
    assert_eq!(
        mdns::decode(&service.goodbye(), &tag()),
        Received::Found(vec![gone])
    );
}

#[test]
fn addresses_that_do_not_fit_are_left_out() {
    let addrs: Vec<_> = (0..200)
        .map(|n| format!("/ip4/10.0.0.{n}/udp/40123/quic-v1/p2p/{}", peer()))
        .collect();
    let service = service(&addrs);
    for packet in [
        service.announcement(),
        service.response(7),
        service.goodbye(),
    ] {
        assert!(
            (MAX_PACKET - 110..=MAX_PACKET).contains(&packet.len()),
            "{}",
            packet.len()
        );
        let Received::Found(peers) = mdns::decode(&packet, &tag()) else {
            panic!()
        };
        assert_eq!(
            peers[0].addrs[0].to_string(),
            "/ip4/10.0.0.0/udp/40123/quic-v1"
        );
    }
}

#[test]
fn a_service_without_addresses_is_still_a_packet() {
    let packet = service(&[]).announcement();
    assert_eq!(Message::from_vec(&packet).unwrap().answers.len(), 6);
    assert_eq!(mdns::decode(&packet, &tag()), Received::Nothing);
}

#[test]
fn addresses_that_lead_nowhere_from_here_are_dropped() {
    let relay = "12D3KooWQaj9WpvANC4aX2Pf8sNtyUAp4iREgytii1suEBMYiXwh";
    let dropped = [
        "/ip4/127.0.0.1/tcp/1",
        "/ip6/::1/tcp/1",
        "/ip6/::ffff:127.0.0.1/tcp/1",
        "/ip4/0.0.0.0/tcp/1",
        "/ip6/::/tcp/1",
        "/ip4/224.0.0.251/udp/5353",
        "/ip6/fe80::1/tcp/1",
        "/dns4/example.org/tcp/1",
        &format!("/ip4/10.0.0.1/tcp/1/p2p/{relay}/p2p-circuit"),
        "/memory/1",
    ];
    let kept = [
        "/ip4/169.254.1.1/tcp/1",
        "/ip4/10.0.0.1/tcp/1",
        "/ip6/fd00::1/udp/1/quic-v1",
    ];
    let read = |addr: &str| {
        let packet = service(&[format!("{addr}/p2p/{}", peer())]).announcement();
        let Received::Found(peers) = mdns::decode(&packet, &tag()) else {
            panic!("{addr}")
        };
        peers[0]
            .addrs
            .iter()
            .map(Multiaddr::to_string)
            .collect::<Vec<_>>()
    };
    for addr in dropped {
        assert_eq!(read(addr), Vec::<String>::new());
    }
    for addr in kept {
        assert_eq!(read(addr), [addr]);
    }
}

#[test]
fn js_peers_are_found_by_their_txt_records_alone() {
    let service_name: Name = "goop-mdns.local.".parse().unwrap();
    let owner: Name = "jspeer.goop-mdns.local.".parse().unwrap();
    let mut message = Message::new(0, MessageType::Response, OpCode::Query);
    message.add_answer(Record::from_rdata(
        service_name,
        120,
        RData::PTR(PTR(owner.clone())),
    ));
    for n in 0..100 {
        let string = format!("dnsaddr=/ip4/10.0.0.{n}/tcp/4001/p2p/{}", peer());
        message.add_answer(Record::from_rdata(
            owner.clone(),
            120,
            RData::TXT(TXT::new(vec![string, "other=1".into()])),
        ));
    }
    let Received::Found(peers) = mdns::decode(&message.to_vec().unwrap(), &tag()) else {
        panic!()
    };
    assert_eq!(
        (
            peers[0].instance.as_str(),
            peers[0].peer,
            peers[0].addrs.len()
        ),
        ("jspeer", peer(), MAX_ADDRS)
    );
}

#[test]
fn one_instance_speaks_for_one_peer() {
    let other = "12D3KooWQaj9WpvANC4aX2Pf8sNtyUAp4iREgytii1suEBMYiXwh";
    let addrs = [
        format!("/ip4/10.0.0.1/tcp/1/p2p/{}", peer()),
        format!("/ip4/10.0.0.2/tcp/1/p2p/{other}"),
    ];
    let Received::Found(peers) = mdns::decode(&service(&addrs).announcement(), &tag()) else {
        panic!()
    };
    assert_eq!(peers.len(), 1);
    assert_eq!((peers[0].peer, peers[0].addrs.len()), (peer(), 1));
}

#[test]
fn a_query_tells_what_its_sender_knows_and_how_it_wants_the_answer() {
    let name: Name = "goop-mdns.local.".parse().unwrap();
    let pointer = |label: &str, ttl| {
        let target = format!("{label}.goop-mdns.local.").parse().unwrap();
        Record::from_rdata(name.clone(), ttl, RData::PTR(PTR(target)))
    };
    let mut message = Message::new(9, MessageType::Query, OpCode::Query);
    let mut question = Query::query(name.clone(), RecordType::PTR);
    question.set_mdns_unicast_response(true);
    message.add_query(question);
    message.add_answers([pointer("fresh", 1600), pointer("stale", 1599)]);
    let asked = Received::Query {
        id: 9,
        unicast: true,
        known: vec!["fresh".into()],
    };
    assert_eq!(mdns::decode(&message.to_vec().unwrap(), &tag()), asked);

    // A probe asks for the name itself, and a response asks nothing.
    message.add_authority(pointer("probed", 1));
    assert_eq!(
        mdns::decode(&message.to_vec().unwrap(), &tag()),
        Received::Nothing
    );
    message.authorities.clear();
    message.metadata.message_type = MessageType::Response;
    assert_eq!(
        mdns::decode(&message.to_vec().unwrap(), &tag()),
        Received::Nothing
    );
}

#[test]
fn a_tag_is_one_plain_label() {
    for good in ["goop-mdns", "A_b-9", &"x".repeat(63)] {
        assert_eq!(Tag::parse(good).unwrap().as_str(), good);
    }
    for bad in ["", "a.b", "a b", "ü", "a\0", &"x".repeat(64)] {
        assert_eq!(Tag::parse(bad), None, "{bad}");
    }
}
