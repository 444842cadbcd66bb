//! The Internet in small. In its middle is a router that knows no private addresses, passes no
//! multicast, and counts who sent how much to whom: what the peers say of their paths is judged by
//! that. Around it are sites, each behind a router of its kind ([`Nat`]).

use std::{
    collections::HashMap,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ops::Sub,
    process::{Child, Stdio},
    sync::atomic::{AtomicU8, Ordering},
};

use serde_json::Value;

pub(crate) use super::nat::Nat;
use super::nat::PORT_MAPPING;
use super::{Host, feed, run};

/// One number for each site; there are no more in an address.
static SITES: AtomicU8 = AtomicU8::new(1);

/// Counts what is forwarded. An element for each sender, receiver and protocol.
const COUNT: &str = r#"table FAMILY count {
    set sent4 { type ipv4_addr . ipv4_addr . inet_proto; flags dynamic; size 65535; counter; }
    set sent6 { type ipv6_addr . ipv6_addr . inet_proto; flags dynamic; size 65535; counter; }
    chain count {
        type filter hook forward priority 10;
        update @sent4 { ip saddr . ip daddr . ip protocol counter };
        update @sent6 { ip6 saddr . ip6 daddr . ip6 nexthdr counter };
    }
}"#;

/// Private networks are not known there: what is sent to them is lost.
const NOWHERE: [&str; 4] = [
    "10.0.0.0/8",
    "100.64.0.0/10",
    "172.16.0.0/12",
    "192.168.0.0/16",
];

pub(crate) struct Internet(());

impl Internet {
    /// The router is the network that the test itself is in; there is one only.
    pub(crate) fn new() -> Self {
        forward_all();
        for network in NOWHERE {
            run("ip", &["route", "add", "blackhole", network]);
        }
        feed("nft", &["-f", "-"], &COUNT.replace("FAMILY", "inet"));
        Self(())
    }

    /// A site with one host.
    pub(crate) fn site(&self, nat: Nat) -> Site {
        self.site_of(nat, 1)
    }

    pub(crate) fn site_of(&self, nat: Nat, hosts: u8) -> Site {
        let number = SITES.fetch_add(1, Ordering::Relaxed);
        assert!(number < 255, "addresses are used up");
        Site::new(number, nat, hosts)
    }

    /// What was carried so far.
    pub(crate) fn sent(&self) -> Sent {
        Sent::parse(&run("nft", &["-j", "list", "table", "inet", "count"]).stdout)
    }
}

fn forward_all() {
    for switch in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
        fs::write(format!("/proc/sys/net/{switch}"), "1").expect("a network of our own");
    }
    // A router that tells hosts of a shorter way would not be the only way.
    for interfaces in ["all", "default"] {
        let switch = format!("/proc/sys/net/ipv4/conf/{interfaces}/send_redirects");
        fs::write(switch, "0").expect("a network of our own");
    }
    // Where bridged packets pass the rules of routed ones, a hairpin is bridged instead of routed.
    // Absent where they do not.
    let _ = fs::write("/proc/sys/net/bridge/bridge-nf-call-iptables", "0");
}

/// Bytes of IP packets, by sender, receiver and protocol.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sent(HashMap<(IpAddr, IpAddr, Carrier), u64>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Carrier {
    Tcp,
    Udp,
}

impl Sent {
    fn parse(json: &[u8]) -> Self {
        let listed: Value = serde_json::from_slice(json).expect("nft prints JSON");
        let objects = listed["nftables"].as_array().expect("a list of objects");
        let elements = objects
            .iter()
            .filter_map(|object| object["set"]["elem"].as_array())
            .flatten();
        Self(elements.filter_map(element).collect())
    }

    /// From any of these addresses to any of those.
    pub(crate) fn bytes(&self, from: &[IpAddr], to: &[IpAddr], by: Carrier) -> u64 {
        let wanted = |(sender, receiver, carrier): &(IpAddr, IpAddr, Carrier)| {
            *carrier == by && from.contains(sender) && to.contains(receiver)
        };
        let found = self.0.iter().filter(|(key, _)| wanted(key));
        found.map(|(_, bytes)| bytes).sum()
    }
}

impl Sub<&Self> for Sent {
    type Output = Self;

    fn sub(mut self, earlier: &Self) -> Self {
        for (key, bytes) in &mut self.0 {
            *bytes -= earlier.0.get(key).copied().unwrap_or_default();
        }
        self
    }
}

fn element(element: &Value) -> Option<((IpAddr, IpAddr, Carrier), u64)> {
    let element = &element["elem"];
    let key = element["val"]["concat"].as_array()?;
    let address = |index: usize| key.get(index)?.as_str()?.parse().ok();
    let carrier = match key.get(2)?.as_str()? {
        "tcp" => Carrier::Tcp,
        "udp" => Carrier::Udp,
        _ => return None,
    };
    let bytes = element["counter"]["bytes"].as_u64()?;
    Some(((address(0)?, address(1)?, carrier), bytes))
}

/// A connection to the Internet and the hosts that share it. Gone when dropped.
pub(crate) struct Site {
    pub(crate) nat: Nat,
    pub(crate) hosts: Vec<Host>,
    /// How the Internet sees the hosts.
    pub(crate) public: Vec<IpAddr>,
    /// From the hosts to the Internet.
    routers: Vec<Host>,
    port_mapping: Option<Child>,
}

impl Site {
    fn new(number: u8, nat: Nat, hosts: u8) -> Self {
        let v4 = Ipv4Addr::new(11, 78, number, 1);
        let v6 = Ipv6Addr::from([0x2a11, 0x78, number.into(), 0, 0, 0, 0, 1]);
        let (has_v4, has_v6) = match nat {
            Nat::Ipv6Only => (false, true),
            Nat::DualStack => (true, true),
            _ => (true, false),
        };
        let mut site = Self {
            nat,
            hosts: Vec::new(),
            public: Vec::new(),
            routers: Vec::new(),
            port_mapping: None,
        };
        let edge = namespace(
            match nat {
                Nat::Public | Nat::DualStack => format!("n{number}-1"),
                _ => format!("r{number}"),
            },
            &v4.to_string(),
        );
        let device = if edge.name.starts_with('n') {
            "eth0"
        } else {
            "wan"
        };
        let core = format!("s{number}");
        run(
            "ip",
            &[
                "link", "add", &core, "type", "veth", "peer", "name", device, "netns", &edge.name,
            ],
        );
        run("ip", &["link", "set", &core, "up"]);
        edge.ip(&["link", "set", device, "up"]);
        if has_v4 {
            run(
                "ip",
                &[
                    "addr",
                    "add",
                    &format!("11.78.{number}.254/24"),
                    "dev",
                    &core,
                ],
            );
            edge.ip(&["addr", "add", &format!("{v4}/24"), "dev", device]);
            edge.ip(&[
                "route",
                "add",
                "default",
                "via",
                &format!("11.78.{number}.254"),
            ]);
            site.public.push(v4.into());
        }
        if has_v6 {
            let router = format!("2a11:78:{number:x}::fe");
            run(
                "ip",
                &[
                    "addr",
                    "add",
                    &format!("{router}/64"),
                    "dev",
                    &core,
                    "nodad",
                ],
            );
            edge.ip(&["addr", "add", &format!("{v6}/64"), "dev", device, "nodad"]);
            edge.ip(&["route", "add", "default", "via", &router]);
        }
        match nat {
            Nat::Public | Nat::DualStack => {
                site.public.extend(has_v6.then_some(IpAddr::from(v6)));
                site.hosts.push(edge);
            }
            _ => site.build_behind(number, edge, v4, hosts),
        }
        site
    }

    /// What lies behind the router that has the outside address.
    fn build_behind(&mut self, number: u8, edge: Host, public: Ipv4Addr, hosts: u8) {
        edge.enter(forward_all);
        let home = if self.nat == Nat::Double {
            let home = namespace(format!("q{number}"), "100.64.0.2");
            edge.ip(&[
                "link", "add", "lan", "type", "veth", "peer", "name", "wan", "netns", &home.name,
            ]);
            edge.ip(&["addr", "add", "100.64.0.1/24", "dev", "lan"]);
            edge.ip(&["link", "set", "lan", "up"]);
            home.ip(&["link", "set", "wan", "up"]);
            home.ip(&["addr", "add", "100.64.0.2/24", "dev", "wan"]);
            home.ip(&["route", "add", "default", "via", "100.64.0.1"]);
            home.enter(forward_all);
            edge.feed("nft", &["-f", "-"], &Nat::carrier(public));
            self.routers.push(edge);
            home
        } else {
            edge
        };
        home.feed("nft", &["-f", "-"], &self.nat.rules(public));
        home.feed("nft", &["-f", "-"], &COUNT.replace("FAMILY", "inet"));
        home.feed("nft", &["-f", "-"], &COUNT.replace("FAMILY", "bridge"));
        home.ip(&[
            "link",
            "add",
            "lan",
            "type",
            "bridge",
            "mcast_snooping",
            "0",
        ]);
        home.ip(&["link", "set", "lan", "up"]);
        if self.nat == Nat::Ipv6Only {
            home.ip(&[
                "addr",
                "add",
                &format!("2a11:78:{number:x}:1::fe/64"),
                "dev",
                "lan",
                "nodad",
            ]);
            let (network, via) = (
                format!("2a11:78:{number:x}:1::/64"),
                format!("2a11:78:{number:x}::1"),
            );
            run("ip", &["route", "add", &network, "via", &via]);
        } else {
            home.ip(&["addr", "add", "192.168.1.1/24", "dev", "lan"]);
        }
        for index in 1..=hosts {
            let host = self.plug(number, index, &home);
            self.hosts.push(host);
        }
        if self.nat == Nat::SymmetricMapped {
            self.port_mapping = Some(port_mapping(&home));
        }
        self.routers.insert(0, home);
    }

    /// A host at the router. Every home has the same private addresses, as they mostly do.
    fn plug(&mut self, number: u8, index: u8, home: &Host) -> Host {
        let v6 = format!("2a11:78:{number:x}:1::{index}");
        let is_v6 = self.nat == Nat::Ipv6Only;
        let address = if is_v6 {
            v6.clone()
        } else {
            format!("192.168.1.{}", 9 + index)
        };
        let host = namespace(format!("n{number}-{index}"), &address);
        let port = format!("p{index}");
        home.ip(&[
            "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &host.name,
        ]);
        home.ip(&["link", "set", &port, "master", "lan", "up"]);
        host.ip(&[
            "link",
            "set",
            "eth0",
            "addrgenmode",
            if is_v6 { "eui64" } else { "none" },
            "up",
        ]);
        let (length, router, nodad) = if is_v6 {
            self.public.push(address.parse().expect("written above"));
            ("64", format!("2a11:78:{number:x}:1::fe"), &["nodad"][..])
        } else {
            ("24", "192.168.1.1".into(), &[][..])
        };
        host.ip(&[
            &["addr", "add", &format!("{address}/{length}"), "dev", "eth0"],
            nodad,
        ]
        .concat());
        host.ip(&["route", "add", "default", "via", &router]);
        match self.nat {
            // They do not see each other, as in many a guest network.
            Nat::Hairpin => {
                drop(home.run("bridge", &["link", "set", "dev", &port, "isolated", "on"]))
            }
            Nat::OneLan => drop(home.run(
                "bridge",
                &["link", "set", "dev", &port, "mcast_flood", "off"],
            )),
            _ => {}
        }
        host
    }

    pub(crate) fn host(&self) -> &Host {
        &self.hosts[0]
    }

    /// The first host gets another address, and the way out with it, as from DHCP.
    pub(crate) fn readdress(&mut self, last: u8) {
        self.hosts[0].move_to(last);
        self.plug_in();
        if self.routers.is_empty() {
            self.public[0] = self.host().address().parse().expect("an address");
        }
    }

    /// Takes the cable of the first host away.
    pub(crate) fn unplug(&self) {
        self.host().ip(&["link", "set", "eth0", "down"]);
    }

    /// Puts it back, and gives it the way out, which the kernel forgets.
    pub(crate) fn plug_in(&self) {
        self.host().ip(&["link", "set", "eth0", "up"]);
        let router = match self.routers.first() {
            Some(_) => "192.168.1.1".to_owned(),
            None => core_address(self.host().address()),
        };
        self.host()
            .ip(&["route", "replace", "default", "via", &router]);
    }

    /// The router gets another outside address, as from a provider that cuts every line once a day.
    pub(crate) fn renumber(&mut self) {
        let mut router = self.routers.last().expect("a site with a router").clone();
        let core = core_address(&router.address);
        router.move_to_on("wan", 2);
        router.ip(&["route", "replace", "default", "via", &core]);
        self.public[0] = router.address.parse().expect("an address");
    }

    /// From now on the router seems to know NAT-PMP alone: requests of the other version, PCP, which
    /// come to the same port, get no answer, nor does UPnP.
    pub(crate) fn speaks_only_nat_pmp(&self) {
        let udp = ["insert", "rule", "inet", "router", "input", "udp", "dport"];
        for which in [&["5351", "@th,64,8", "2", "drop"][..], &["1900", "drop"]] {
            self.routers[0].run("nft", &[&udp[..], which].concat());
        }
    }

    /// How many ports the router passes on because a host asked it to.
    pub(crate) fn mappings(&self) -> usize {
        let chain = ["-j", "list", "chain", "inet", "router", "mapped_in"];
        let listed = self.routers[0].run("nft", &chain).stdout;
        let listed: Value = serde_json::from_slice(&listed).expect("nft prints JSON");
        let objects = listed["nftables"].as_array().expect("a list of objects");
        let rules = objects.iter().filter(|object| object["rule"].is_object());
        rules.count()
    }

    /// What hosts of this site sent each other over its router: by `inet`, routed, by `bridge`, on
    /// one LAN. The Internet does not see it.
    pub(crate) fn sent_within(&self, family: &str) -> Sent {
        self.routers.first().map_or_else(Sent::default, |router| {
            Sent::parse(
                &router
                    .run("nft", &["-j", "list", "table", family, "count"])
                    .stdout,
            )
        })
    }
}

/// The router in the middle, on the link of this address.
fn core_address(address: &str) -> String {
    let (network, _) = address.rsplit_once('.').expect("an IPv4 address");
    format!("{network}.254")
}

/// A host without interfaces but the loopback, that takes its IPv6 addresses for its own at once.
fn namespace(name: String, address: &str) -> Host {
    run("ip", &["netns", "add", &name]);
    let host = Host {
        name,
        address: address.to_owned(),
    };
    host.enter(|| {
        for interfaces in ["all", "default"] {
            let switch = format!("/proc/sys/net/ipv6/conf/{interfaces}/accept_dad");
            fs::write(switch, "0").expect("a network of our own");
        }
    });
    host.ip(&["link", "set", "lo", "up"]);
    host
}

/// The daemon of the router. It has no state but its rules, and its files are in the lab's own file
/// system.
fn port_mapping(router: &Host) -> Child {
    let file = |what| format!("/run/{what}-{}", router.name);
    fs::write(file("upnp"), PORT_MAPPING).expect("a file system of our own");
    let log = fs::File::create(file("upnp-log")).expect("a file system of our own");
    let mut command = router.command("miniupnpd");
    command.args(["-d", "-f", &file("upnp"), "-P", &file("upnp-pid")]);
    command.stdout(Stdio::null()).stderr(log);
    command.spawn().expect("miniupnpd-nftables is installed")
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(daemon) = &mut self.port_mapping {
            // An error means that it has ended already.
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        for host in self.hosts.iter().chain(&self.routers) {
            run("ip", &["netns", "del", &host.name]);
        }
    }
}
