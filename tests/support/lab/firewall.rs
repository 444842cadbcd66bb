//! A provider's firewall, in the middle of the Internet: it counts the connections that are begun
//! to each site, and keeps out what it is told to.

use std::net::IpAddr;

use serde_json::Value;

use super::{
    feed,
    internet::{Internet, Site},
    run,
};

const RULES: &str = r"table inet firewall {
    set closed { type ipv4_addr; }
    set parted { type ipv4_addr . ipv4_addr; }
    set begun { type ipv4_addr . inet_proto . ipv4_addr . inet_service; flags dynamic; size 65535; }
    chain forward {
        type filter hook forward priority 0;
        ip saddr . ip daddr @parted drop;
        ct state new update @begun { ip daddr . ip protocol . ip saddr . th sport };
        ct state new ip daddr @closed drop;
    }
}";

pub(crate) struct Firewall(());

impl Firewall {
    /// Before anybody is connected: what it has not seen begin is new to it.
    pub(crate) fn new(_: &Internet) -> Self {
        feed("nft", &["-f", "-"], RULES);
        Self(())
    }

    /// Nobody may call the site from now on; what was begun goes on.
    pub(crate) fn close(&self, site: &Site) {
        self.change("add", "closed", &site.public[0].to_string());
    }

    pub(crate) fn open(&self, site: &Site) {
        self.change("delete", "closed", &site.public[0].to_string());
    }

    /// Two sites reach others, and not each other.
    pub(crate) fn part(&self, sites: [&Site; 2]) {
        let [a, b] = sites.map(|site| site.public[0]);
        self.change("add", "parted", &format!("{a} . {b}, {b} . {a}"));
    }

    /// They reach each other again.
    pub(crate) fn join(&self, sites: [&Site; 2]) {
        let [a, b] = sites.map(|site| site.public[0]);
        self.change("delete", "parted", &format!("{a} . {b}, {b} . {a}"));
    }

    fn change(&self, how: &str, set: &str, elements: &str) {
        let elements = format!("{{ {elements} }}");
        run("nft", &[how, "element", "inet", "firewall", set, &elements]);
    }

    /// TCP connections to the site that were begun, whether or not anything came back. A first
    /// packet that is sent again, because the host was slow to answer, begins no other.
    pub(crate) fn begun(&self, site: &Site) -> usize {
        let listed = run("nft", &["-j", "list", "set", "inet", "firewall", "begun"]).stdout;
        let listed: Value = serde_json::from_slice(&listed).expect("nft prints JSON");
        let objects = listed["nftables"].as_array().into_iter().flatten();
        let elements = objects.filter_map(|object| object["set"]["elem"].as_array());
        let begun = elements.flatten().map(|element| &element["concat"]);
        let to_it = begun.filter(|connection| {
            let to = connection[0]
                .as_str()
                .and_then(|to| to.parse::<IpAddr>().ok());
            to == Some(site.public[0]) && connection[1] == "tcp"
        });
        to_it.count()
    }
}
