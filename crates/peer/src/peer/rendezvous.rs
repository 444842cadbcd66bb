//! Joins, leaves and hosts rendezvous servers. All of it is in `goop.json`, whose changes take
//! effect at once; the snapshot shows the result.

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

/// Servers in the list of `goop.json`, without the first.
const MAX_JOINED: usize = 16;
/// Letters of a password: none that look or sound like another.
const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// Letters between two dashes of a password.
const GROUP: usize = 5;
/// Groups of a password; all letters together are 99 bits.
const GROUPS: usize = 4;

impl Peer {
    /// The address of the rendezvous that a typed or pasted text means, in the form that
    /// `goop.json` keeps. The text may be an address with or without a scheme, the address of one
    /// of the pages of the rendezvous, or a `goop://connect` link. Changes nothing.
    /// [`Error::Invalid`] for any other text, and for the rendezvous on this computer.
    pub fn rendezvous_address(&self, text: &str) -> Result<String, Error> {
        let address = parse(text)?.to_string();
        let snapshot = self.snapshot();
        let hosting = &snapshot.borrow().rendezvous.hosting;
        let own = hosting.public_page.trim_end_matches('/');
        if address == own || hosting.connect_urls.contains(&address) {
            return Err(Error::Invalid(
                "This is the rendezvous on this computer. You're connected to it while it is on."
                    .into(),
            ));
        }
        Ok(address)
    }

    /// Joins the rendezvous that a text means, and remembers it if it answers. A text without a
    /// scheme means a server with TLS, or else one without. Returns its address within 5 s; from
    /// then on, the snapshot shows whether it can be reached.
    ///
    /// Errors: as [`Peer::rendezvous_address`], and [`Error::Invalid`] if no rendezvous answers, or
    /// the list in `goop.json` is full (16 servers).
    pub async fn join_rendezvous(&self, text: &str) -> Result<String, Error> {
        let url = self.rendezvous_address(text)?;
        if is_listed(&self.config().presence, &url) {
            return Ok(url);
        }
        if self.config().presence.rendezvous_wans.len() >= MAX_JOINED {
            return Err(Error::Invalid(format!(
                "You can join at most {MAX_JOINED} rendezvous servers. Leave one first."
            )));
        }
        let found = client::find(&self.0.http, text).await;
        let found = found.map_err(|why| Error::Invalid(sentence(&why)))?;
        // Without a scheme, or when the server wants TLS, this is another address.
        let url = self.rendezvous_address(&found.to_string())?;
        let joined = url.clone();
        self.update_config(move |config| {
            let presence = &mut config.presence;
            if is_listed(presence, &joined) {
                return;
            }
            if presence.rendezvous_wan.trim().is_empty() {
                presence.rendezvous_wan = joined;
            } else {
                presence.rendezvous_wans.push(joined);
            }
        })
        .await?;
        Ok(url)
    }

    /// Leaves a rendezvous, with a goodbye. Does nothing if it was not joined.
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

    /// Hosts a rendezvous, moves it to another port, or stops it. The first time it gets a password
    /// for its administration. [`Error::Invalid`] for a port or an address that cannot be used.
    pub async fn host_rendezvous(&self, host: Host) -> Result<(), Error> {
        let bind = host.bind.trim().to_owned();
        if host.on && host.port == 0 {
            return Err(Error::Invalid(
                "Enter a port number from 1 to 65535.".into(),
            ));
        }
        if host.on && host.port == host.relay_port {
            return Err(Error::Invalid(
                "The relay port must differ from the rendezvous port.".into(),
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

    /// The password for the administration of the rendezvous hosted here; empty until the first one
    /// is hosted.
    pub fn admin_password(&self) -> String {
        self.config().presence.admin_password
    }

    /// Asks a rendezvous to register an email address for this peer, and puts it into the profile,
    /// because the rendezvous accepts only announcements with that address. Returns the answer,
    /// worded for people. [`Error::Invalid`] has the reason of a refusal.
    pub async fn register(&self, url: &str, email: &str) -> Result<String, Error> {
        let (http, key) = (&self.0.http, self.0.folder.keypair());
        let answer = client::register(http, &parse(url)?, key, email, system_clock()).await;
        let message = answer.map_err(|why| Error::Invalid(sentence(&why)))?;
        let email = email.trim().to_owned();
        self.update_config(move |config| config.profile.email = email)
            .await?;
        Ok(message)
    }

    /// Whether this is a page of a rendezvous joined or hosted here, which may be opened in the
    /// browser.
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

    /// A short text, such as an address, as a QR code. [`Error::Invalid`] if it is too long.
    pub fn qr(&self, text: &str) -> Result<Qr, Error> {
        let drawing = qr::draw(text)
            .ok_or_else(|| Error::Invalid("This text is too long for a QR code.".into()))?;
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
