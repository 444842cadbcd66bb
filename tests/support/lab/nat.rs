//! Kinds of routers, as nftables rules. What each claims to be, `reach::probe` proves with plain
//! sockets.
//!
//! Linux keeps the mapping of a source endpoint as long as it has any connection from there
//! (endpoint-independent mapping), and lets in answers only (port-restricted filtering). Cones that
//! let in more remember, for each outside port, whom it stands for and whom it wrote to. All of
//! them drop what they do not let in: a router that refuses would break hole punching.

use std::net::Ipv4Addr;

/// How a site is joined to the Internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Nat {
    /// A public address, nothing in between.
    Public,
    /// The same, with IPv6 beside IPv4.
    DualStack,
    /// IPv6 without translation, behind a router that lets in answers only; no IPv4.
    Ipv6Only,
    /// One outside port for each inside one, a different number, open to everybody.
    FullCone,
    /// The same, open to those addresses that were written to.
    AddressRestricted,
    /// Outside port as inside, open to those addresses and ports that were written to: what Linux
    /// routers do.
    PortRestricted,
    /// Another outside port for every destination.
    Symmetric,
    /// A port-restricted cone behind another one, of the carrier, which changes the port numbers.
    Double,
    /// A port-restricted cone that carries no UDP.
    UdpBlocked,
    /// Symmetric, with a port mapping service: UPnP, NAT-PMP and PCP.
    SymmetricMapped,
    /// A full cone whose hosts reach each other by their outside addresses only.
    Hairpin,
    /// A port-restricted cone whose hosts reach each other directly, but for multicast.
    OneLan,
}

impl Nat {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::DualStack => "dual stack",
            Self::Ipv6Only => "IPv6 only",
            Self::FullCone => "full cone",
            Self::AddressRestricted => "address-restricted",
            Self::PortRestricted => "port-restricted",
            Self::Symmetric => "symmetric",
            Self::Double => "double NAT",
            Self::UdpBlocked => "UDP blocked",
            Self::SymmetricMapped => "symmetric, mapped",
            Self::Hairpin => "hairpin",
            Self::OneLan => "one LAN",
        }
    }

    /// The table of the router between the interfaces `lan` and `wan`, the latter with this
    /// address.
    pub(super) fn rules(self, public: Ipv4Addr) -> String {
        let changed = format!("meta l4proto {{ tcp, udp }} snat ip to {public}:20000-29999");
        let (state, out, into) = match self {
            Self::Public | Self::DualStack | Self::Ipv6Only => ("", String::new(), String::new()),
            Self::PortRestricted | Self::UdpBlocked | Self::Double | Self::OneLan => {
                ("", r#"oifname "wan" masquerade"#.into(), String::new())
            }
            Self::Symmetric | Self::SymmetricMapped => (
                MAPPED,
                r#"jump mapped_out; oifname "wan" masquerade random,fully-random"#.into(),
                r#"iifname "wan" jump mapped_in"#.into(),
            ),
            Self::FullCone => (
                REMEMBERED,
                format!(r#"oifname "wan" {changed}"#),
                format!(r#"iifname "wan" {TO_OWNER}"#),
            ),
            Self::AddressRestricted => (
                REMEMBERED,
                format!(r#"oifname "wan" {changed}"#),
                format!(
                    r#"iifname "wan" meta l4proto . th dport . ip saddr @written_to {TO_OWNER}"#
                ),
            ),
            Self::Hairpin => (
                REMEMBERED,
                format!(
                    r#"oifname "wan" {changed}; iifname "lan" oifname "lan" ct status dnat {changed}"#
                ),
                format!("ip daddr {public} {TO_OWNER}"),
            ),
        };
        let first = match self {
            Self::UdpBlocked => "meta l4proto udp drop;",
            _ => "",
        };
        format!(
            r#"table inet router {{
                {state}
                chain out {{ type nat hook postrouting priority srcnat; {out}; }}
                chain in {{ type nat hook prerouting priority dstnat; {into}; }}
                chain forward {{
                    type filter hook forward priority filter; policy drop; {first}
                    iifname "lan" accept; ct state established,related accept; ct status dnat accept;
                }}
                chain input {{
                    type filter hook input priority filter; policy drop;
                    iifname != "wan" accept; ct state established,related accept; meta l4proto ipv6-icmp accept;
                }}
            }}"#
        )
    }

    /// The outer router of [`Self::Double`].
    pub(super) fn carrier(public: Ipv4Addr) -> String {
        Self::PortRestricted.rules(public).replace(
            "masquerade",
            &format!("meta l4proto {{ tcp, udp }} snat ip to {public}:20000-29999"),
        )
    }
}

/// Whom an outside port stands for.
const TO_OWNER: &str = "dnat ip to meta l4proto . th dport map @owner";

/// Filled by what leaves, after its source was changed: for two minutes, as many routers do.
const REMEMBERED: &str = r#"
    map owner { type inet_proto . inet_service : ipv4_addr . inet_service; flags dynamic,timeout; timeout 2m; size 4096; }
    set written_to { type inet_proto . inet_service . ipv4_addr; flags dynamic,timeout; timeout 2m; size 4096; }
    chain remember { type filter hook postrouting priority 200; ct direction original ct original ip saddr 192.168.0.0/16 jump note; }
    chain note {
        meta l4proto { tcp, udp } update @owner { meta l4proto . th sport : ct original ip saddr . ct original proto-src };
        meta l4proto { tcp, udp } update @written_to { meta l4proto . th sport . ip daddr };
    }"#;

/// For miniupnpd to fill; see [`PORT_MAPPING`].
const MAPPED: &str = "chain mapped_in { }\n chain mapped_out { }\n chain mapped_forward { }";

/// The configuration of miniupnpd.
pub(super) const PORT_MAPPING: &str = "ext_ifname=wan
listening_ip=lan
enable_natpmp=yes
enable_upnp=yes
port=0
uuid=6f0c1e52-5d0a-4c6e-9d3f-0a5b7c8d9e10
allow 1024-65535 0.0.0.0/0 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
upnp_table_name=router
upnp_nat_table_name=router
upnp_forward_chain=mapped_forward
upnp_nat_chain=mapped_in
upnp_nat_postrouting_chain=mapped_out
";
