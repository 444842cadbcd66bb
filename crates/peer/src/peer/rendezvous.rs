//! The rendezvous servers of a running peer: joined, left, hosted. All of it is in `goop.json`,
//! which is followed live; what came of it is in the snapshot.

use std::net::IpAddr;

use goop2_rendezvous::{
    client::{self, Address},
    qr,
    server::system_clock,
};
use goop2_store::config;

use crate::{
    api::rendezvous::{Host, Qr},
    error::Error,
    peer::Peer,
    sentence::sentence,
};

/// As many as `goop.json` may list beside the first.
const MAX_JOINED: usize = 16;
/// Letters of a password that are not mistaken for each other, on paper and on the phone.
const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// Letters between two dashes of a password, and how many such groups: 99 bits.
const GROUP: usize = 5;
const GROUPS: usize = 4;

impl Peer {
    /// The address of the rendezvous that a text typed or pasted means, in the form that
    /// `goop.json` keeps: with or without scheme, the address of one of its pages, a
    /// `goop://connect` link. Changes nothing.
    pub fn rendezvous_address(&self, text: &str) -> Result<String, Error> {
        let address = parse(text)?.to_string();
        let snapshot = self.snapshot();
        let hosting = &snapshot.borrow().rendezvous.hosting;
        let own = hosting.public_page.trim_end_matches('/');
        if address == own || hosting.connect_urls.contains(&address) {
            return Err(Error::Invalid(
                "This is the rendezvous on this computer: you are in it as long as it is on."
                    .into(),
            ));
        }
        Ok(address)
    }

    /// Joins the rendezvous that a text means, and remembers it. Answers its address; whether it is
    /// reached is shown later.
    pub async fn join_rendezvous(&self, text: &str) -> Result<String, Error> {
        let url = self.rendezvous_address(text)?;
        if is_listed(&self.config().presence, &url) {
            return Ok(url);
        }
        if self.config().presence.rendezvous_wans.len() >= MAX_JOINED {
            return Err(Error::Invalid(format!(
                "{MAX_JOINED} rendezvous is as many as can be joined at once. Leave one first."
            )));
        }
        let joined = url.clone();
        self.update_config(move |config| {
            let presence = &mut config.presence;
            if presence.rendezvous_wan.trim().is_empty() {
                presence.rendezvous_wan = joined;
            } else if !is_listed(presence, &joined) {
                presence.rendezvous_wans.push(joined);
            }
        })
        .await?;
        Ok(url)
    }

    /// Leaves a rendezvous; it hears a goodbye. One that was not joined is left already.
    pub async fn leave_rendezvous(&self, url: &str) -> Result<(), Error> {
        let url = parse(url)?.to_string();
        self.update_config(move |config| {
            let presence = &mut config.presence;
            presence.rendezvous_wans.retain(|wan| !is(wan, &url));
            if is(&presence.rendezvous_wan, &url) {
                presence.rendezvous_wan.clear();
            }
        })
        .await
    }

    /// Hosts a rendezvous, moves it to another port, or closes it. The first time it gets a
    /// password for its administration.
    pub async fn host_rendezvous(&self, host: Host) -> Result<(), Error> {
        let bind = host.bind.trim().to_owned();
        if host.on && host.port == 0 {
            return Err(Error::Invalid(
                "The port is a number from 1 to 65535.".into(),
            ));
        }
        if host.on && host.port == host.relay_port {
            return Err(Error::Invalid(
                "The relay needs a port of its own, other than that of the rendezvous.".into(),
            ));
        }
        if host.on && !bind.is_empty() && bind.parse::<IpAddr>().is_err() {
            return Err(Error::Invalid(format!(
                "{bind} is not an IP address. Leave it empty to listen on all addresses of this computer."
            )));
        }
        self.update_config(move |config| {
            let presence = &mut config.presence;
            presence.rendezvous_host = host.on;
            presence.rendezvous_only &= host.on;
            presence.relay.port = if host.on { host.relay_port } else { 0 };
            if host.on {
                presence.rendezvous_port = host.port;
                presence.rendezvous_bind = bind;
                if presence.admin_password.is_empty() {
                    presence.admin_password = password();
                }
            }
        })
        .await
    }

    /// Password of the administration of the rendezvous hosted here; empty before the first time.
    pub fn admin_password(&self) -> String {
        self.config().presence.admin_password
    }

    /// Asks a rendezvous to register an e-mail address for this peer, and puts it into the profile:
    /// only messages with that address are let through there. What is answered is for people.
    pub async fn register(&self, url: &str, email: &str) -> Result<String, Error> {
        let (http, key) = (&self.0.http, self.0.folder.keypair());
        let answer = client::register(http, &parse(url)?, key, email, system_clock()).await;
        let message = answer.map_err(|why| Error::Invalid(sentence(&why)))?;
        let email = email.trim().to_owned();
        self.update_config(move |config| config.profile.email = email)
            .await?;
        Ok(message)
    }

    /// Whether this is a page of a rendezvous that is joined or hosted, which may be shown to the
    /// user in a browser.
    pub fn is_rendezvous_page(&self, url: &str) -> bool {
        let Ok(address) = parse(url).map(|address| address.to_string()) else {
            return false;
        };
        let snapshot = self.snapshot();
        let rendezvous = &snapshot.borrow().rendezvous;
        let hosting = &rendezvous.hosting;
        rendezvous.joined.iter().any(|joined| joined.url == address)
            || hosting.connect_urls.contains(&address)
            || hosting.public_page.trim_end_matches('/') == address
    }

    /// A short text, such as an address, as a QR code.
    pub fn qr(&self, text: &str) -> Result<Qr, Error> {
        let drawing = qr::draw(text)
            .ok_or_else(|| Error::Invalid("This is too long for a QR code.".into()))?;
        Ok(Qr {
            size: u32::try_from(drawing.size).unwrap_or(u32::MAX),
            path: drawing.path,
        })
    }
}

fn parse(text: &str) -> Result<Address, Error> {
    Address::parse(text).map_err(|error| Error::Invalid(sentence(&error.to_string())))
}

fn is_listed(presence: &config::Presence, url: &str) -> bool {
    is(&presence.rendezvous_wan, url) || presence.rendezvous_wans.iter().any(|wan| is(wan, url))
}

/// Whether an entry of `goop.json`, however it was written, is this server.
fn is(entry: &str, url: &str) -> bool {
    Address::parse(entry).is_ok_and(|address| address.to_string() == url)
}

fn password() -> String {
    let group = || {
        (0..GROUP)
            .map(|_| char::from(LETTERS[rand::random_range(0..LETTERS.len())]))
            .collect::<String>()
    };
    (0..GROUPS).map(|_| group()).collect::<Vec<_>>().join("-")
}
