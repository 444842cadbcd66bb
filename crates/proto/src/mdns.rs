//! The packets of tagged mDNS (§2): a name of our own, SRV, one TXT and A/AAAA in the same packet.
//!
//! Writing is strict: byte for byte the layout of existing peers, whose browser looks for SRV, TXT
//! and an address in one packet and never again at an instance it knows. Reading is liberal:
//! existing peers, their probes, and js-libp2p, which sends no SRV and one TXT record per address,
//! all say the same thing, so a `dnsaddr=` under our tag is enough.

use std::{collections::BTreeMap, net::IpAddr};

use hickory_proto::{
    op::{Message, MessageType, OpCode, Query},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, AAAA, PTR, SRV, TXT},
    },
};
use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

use crate::addr;

/// Longest packet we send: with the headers of IPv6 and UDP it stays within every Ethernet frame,
/// tunnels included.
pub const MAX_PACKET: usize = 1400;
/// Most addresses of one peer that are read or written; a host with more has them on interfaces
/// that lead nowhere.
pub const MAX_ADDRS: usize = 32;
/// The default tag, on which all existing peers are.
pub const DEFAULT_TAG: &str = "goop-mdns";

/// What existing peers put into SRV; the ports that count are in the TXT strings.
const PORT: u16 = 4001;
/// Seconds that SRV, TXT and PTR are valid.
const TTL: u32 = 3200;
/// Seconds that A and AAAA are valid.
const HOST_TTL: u32 = 120;
/// Longest character-string of a TXT record.
const MAX_STRING: usize = 255;
const ADDR_KEY: &str = "dnsaddr=";
const DOMAIN: &str = "local";
const ALL_SERVICES: [&str; 4] = ["_services", "_dns-sd", "_udp", DOMAIN];

/// A validated `p2p.mdns_tag`: one DNS label, `[A-Za-z0-9_-]{1,63}`, compared exactly (§2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(String);

impl Tag {
    /// The tag, if it can be one label of a name.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=63).contains(&text.len());
        let plain = text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        (fits && plain).then(|| Self(text.to_owned()))
    }

    /// The tag as configured.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The instance that a name under this tag names.
    fn instance(&self, owner: &Name) -> Option<String> {
        let mut labels = owner.iter();
        let instance = str::from_utf8(labels.next()?).ok()?;
        let ours = labels.eq([self.0.as_bytes(), DOMAIN.as_bytes()]);
        ours.then(|| instance.to_owned())
    }

    fn is_name(&self, name: &Name) -> bool {
        name.iter().eq([self.0.as_bytes(), DOMAIN.as_bytes()])
    }
}

/// What one instance announces: everything a Go browser needs in one packet (§2.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Where it is announced.
    pub tag: Tag,
    /// Random label of 32–63 characters `[a-z0-9]`, new in every process and after every change of
    /// addresses.
    pub instance: String,
    /// Addresses with `/p2p/<own id>` at the end, most useful first; those that do not fit the
    /// packet are left out.
    pub addrs: Vec<Multiaddr>,
    /// The host's own; the first of each family is announced, without one existing peers ignore
    /// the packet.
    pub ips: Vec<IpAddr>,
}

impl Service {
    /// §2.4 b; the TTL-0 form is the goodbye of §2.4 e.
    pub fn announcement(&self) -> Vec<u8> {
        self.unasked(1)
    }

    /// §2.4 e: the announcement taken back.
    pub fn goodbye(&self) -> Vec<u8> {
        self.unasked(0)
    }

    /// §2.4 d: the answer to a query with this id.
    pub fn response(&self, id: u16) -> Vec<u8> {
        self.fitting(|strings| {
            let mut message = Message::new(id, MessageType::Response, OpCode::Query);
            message.metadata.authoritative = true;
            message.add_answer(self.pointer());
            message.add_additionals([self.srv(), self.txt(strings)]);
            message.add_additionals(self.hosts());
            message
        })
    }

    /// All records as answers to no question; every TTL multiplied.
    fn unasked(&self, ttl_factor: u32) -> Vec<u8> {
        self.fitting(|strings| {
            let listed = RData::PTR(PTR(name([self.tag.as_str(), DOMAIN])));
            let mut records = vec![
                flushing(self.srv()),
                flushing(self.txt(strings)),
                self.pointer(),
            ];
            records.push(Record::from_rdata(name(ALL_SERVICES), TTL, listed));
            records.extend(self.hosts().map(flushing));
            for record in &mut records {
                record.ttl *= ttl_factor;
            }
            let mut message = Message::new(0, MessageType::Response, OpCode::Query);
            message.add_answers(records);
            message
        })
    }

    /// The packet with as many addresses as it has room for.
    fn fitting(&self, build: impl Fn(&[String]) -> Message) -> Vec<u8> {
        let strings = self
            .addrs
            .iter()
            .take(MAX_ADDRS)
            .map(|addr| format!("{ADDR_KEY}{addr}"));
        let mut strings: Vec<_> = strings
            .filter(|string| string.len() <= MAX_STRING)
            .collect();
        loop {
            let packet = encode(&build(&strings));
            if packet.len() <= MAX_PACKET || strings.pop().is_none() {
                return packet;
            }
        }
    }

    fn pointer(&self) -> Record {
        Record::from_rdata(
            name([self.tag.as_str(), DOMAIN]),
            TTL,
            RData::PTR(PTR(self.name())),
        )
    }

    fn srv(&self) -> Record {
        Record::from_rdata(
            self.name(),
            TTL,
            RData::SRV(SRV::new(0, 0, PORT, self.host())),
        )
    }

    fn txt(&self, strings: &[String]) -> Record {
        // A TXT record has at least one string, be it empty.
        let strings = if strings.is_empty() {
            vec![String::new()]
        } else {
            strings.to_vec()
        };
        Record::from_rdata(self.name(), TTL, RData::TXT(TXT::new(strings)))
    }

    fn hosts(&self) -> impl Iterator<Item = Record> {
        let v4 = self.ips.iter().find_map(|ip| {
            if let IpAddr::V4(ip) = ip {
                Some(RData::A(A(*ip)))
            } else {
                None
            }
        });
        let v6 = self.ips.iter().find_map(|ip| {
            if let IpAddr::V6(ip) = ip {
                Some(RData::AAAA(AAAA(*ip)))
            } else {
                None
            }
        });
        v4.into_iter()
            .chain(v6)
            .map(|ip| Record::from_rdata(self.host(), HOST_TTL, ip))
    }

    fn name(&self) -> Name {
        name([&self.instance, self.tag.as_str(), DOMAIN])
    }

    fn host(&self) -> Name {
        name([self.instance.as_str(), DOMAIN])
    }
}

/// §2.4 c, 33 bytes for the default tag.
pub fn query(tag: &Tag, id: u16) -> Vec<u8> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(name([tag.as_str(), DOMAIN]), RecordType::PTR));
    encode(&message)
}

/// What a received packet means to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// Someone asks for our tag: answer with [`Service::response`], unless our instance is among
    /// the `known`.
    Query {
        /// To be copied into the answer.
        id: u16,
        /// The QU bit: the answer goes to the asker alone.
        unicast: bool,
        /// Instances the asker has heard of and will remember for a while (§2.5).
        known: Vec<String>,
    },
    /// Peers found (own instance included).
    Found(Vec<Found>),
    /// Nothing for us, or not DNS at all.
    Nothing,
}

/// One instance of someone's packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its label.
    pub instance: String,
    /// Whom its addresses name.
    pub peer: PeerId,
    /// Those that can be dialed from another host, without `/p2p/` at the end; at most
    /// [`MAX_ADDRS`].
    pub addrs: Vec<Multiaddr>,
    /// It leaves: a TTL of 0.
    pub goodbye: bool,
}

/// Reads any packet, from anyone. Bounded by the packet's own size; never panics.
pub fn decode(packet: &[u8], tag: &Tag) -> Received {
    let Ok(message) = Message::from_vec(packet) else {
        return Received::Nothing;
    };
    let found = found(&message, tag);
    if !found.is_empty() {
        return Received::Found(found);
    }
    // With records in the authority section it is a probe for a name, not a question (§2.5).
    let asks =
        message.metadata.message_type == MessageType::Query && message.authorities.is_empty();
    match message
        .queries
        .iter()
        .find(|question| tag.is_name(question.name()))
    {
        Some(question) if asks => Received::Query {
            id: message.metadata.id,
            unicast: question.mdns_unicast_response(),
            known: known(&message, tag),
        },
        _ => Received::Nothing,
    }
}

fn found(message: &Message, tag: &Tag) -> Vec<Found> {
    let mut instances: BTreeMap<String, Found> = BTreeMap::new();
    for record in message.all_sections() {
        let RData::TXT(txt) = &record.data else {
            continue;
        };
        let Some(instance) = tag.instance(&record.name) else {
            continue;
        };
        for (address, peer) in txt
            .txt_data
            .iter()
            .filter_map(|string| parse_string(string))
        {
            let found = instances.entry(instance.clone()).or_insert_with(|| Found {
                instance: instance.clone(),
                peer,
                addrs: Vec::new(),
                goodbye: record.ttl == 0,
            });
            let new = found.peer == peer && !found.addrs.contains(&address);
            if new && is_dialable(&address) && found.addrs.len() < MAX_ADDRS {
                found.addrs.push(address);
            }
        }
    }
    instances.into_values().collect()
}

/// The instances whose pointer the asker keeps for at least half its life.
fn known(message: &Message, tag: &Tag) -> Vec<String> {
    let lasting = message
        .answers
        .iter()
        .filter(|record| record.ttl >= TTL / 2 && tag.is_name(&record.name));
    lasting
        .filter_map(|record| match &record.data {
            RData::PTR(PTR(target)) => tag.instance(target),
            _ => None,
        })
        .collect()
}

fn parse_string(string: &[u8]) -> Option<(Multiaddr, PeerId)> {
    let text = str::from_utf8(string).ok()?.strip_prefix(ADDR_KEY)?;
    addr::split_peer(&text.parse().ok()?)
}

/// Link-local IPv4 stays: two computers on one cable have nothing else.
fn is_dialable(address: &Multiaddr) -> bool {
    let misleads =
        |ip: IpAddr| addr::cannot_be_dialed(ip) || ip.is_ipv6() && addr::is_link_local(ip);
    addr::ip(address).is_some_and(|ip| !misleads(ip)) && !addr::is_relayed(address)
}

fn flushing(mut record: Record) -> Record {
    record.mdns_cache_flush = true;
    record
}

fn name<const N: usize>(labels: [&str; N]) -> Name {
    Name::from_labels(labels.map(str::as_bytes))
        .expect("tag and instance are labels of at most 63 characters")
}

fn encode(message: &Message) -> Vec<u8> {
    message
        .to_vec()
        .expect("a few dozen short records are a valid message")
}
