//! The connection to the other instances of a rendezvous, through NATS.
//!
//! A lost connection is replaced, not repaired: what was missed has to be requested anyway, and so
//! no attempt outlives the server. `server::cluster` exchanges presence, `registration::sync`
//! registrations.

use std::{fmt, time::Duration};

use async_nats::{Client, ConnectOptions, Event, rustls};
use percent_encoding::percent_decode_str;
use tokio_util::sync::CancellationToken;
use url::Url;

/// Until NATS has answered: time for name, connection and TLS on a slow line.
const CONNECT: Duration = Duration::from_secs(5);
/// After two of these without an answer the connection is lost: well within a peer's TTL.
const PING: Duration = Duration::from_secs(3);
/// Frames that wait to be read; at most 128 MiB. Beyond it they are dropped, noticed and requested
/// again.
const MAX_UNREAD: usize = 1024;
/// The longest wait before the connection is tried again.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Most servers in an address.
const MAX_SERVERS: usize = 16;

/// The address of NATS: `nats://host:4222`, or `tls://…` for a server with a certificate. Several,
/// separated by commas, are tried in turn. A name and a password, or a token, may precede the host.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Without secrets.
    servers: Vec<Url>,
    login: Login,
}

#[derive(Clone, PartialEq, Eq)]
enum Login {
    Nobody,
    Token(String),
    User { name: String, password: String },
}

/// The text is not an [`Address`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address like nats://host:4222 or tls://name:password@host:4222")]
pub struct NotAnAddress;

impl Address {
    /// Reads it.
    pub fn parse(text: &str) -> Result<Self, NotAnAddress> {
        let mut servers = Vec::new();
        let mut login = Login::Nobody;
        for part in text.split(',') {
            let mut url = Url::parse(part.trim()).map_err(|_| NotAnAddress)?;
            let bare = matches!(url.path(), "" | "/") && url.query().is_none();
            let known = matches!(url.scheme(), "nats" | "tls");
            let named = url.host_str().is_some_and(|host| !host.is_empty());
            if !(bare && known && named) || url.port() == Some(0) || servers.len() == MAX_SERVERS {
                return Err(NotAnAddress);
            }
            if let Some(found) = Login::of(&url) {
                login = found;
            }
            let stripped = url.set_username("").and_then(|()| url.set_password(None));
            stripped.map_err(|()| NotAnAddress)?;
            servers.push(url);
        }
        Ok(Self { servers, login })
    }

    /// Connects once. The token is canceled when the connection is lost.
    pub(crate) async fn connect(
        &self,
        name: String,
    ) -> Result<(Client, CancellationToken), async_nats::ConnectError> {
        // The library needs a default for the process, since the program has two crypto providers.
        let _chosen_before = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let lost = CancellationToken::new();
        let token = lost.clone();
        let options = ConnectOptions::new()
            .name(name)
            .connection_timeout(CONNECT)
            .ping_interval(PING)
            .subscription_capacity(MAX_UNREAD)
            .max_reconnects(1)
            .event_callback(move |event| {
                let ends = matches!(event, Event::Disconnected | Event::Closed);
                let token = token.clone();
                async move {
                    if ends {
                        token.cancel();
                    }
                }
            });
        let options = match &self.login {
            Login::Nobody => options,
            Login::Token(token) => options.token(token.clone()),
            Login::User { name, password } => {
                options.user_and_password(name.clone(), password.clone())
            }
        };
        let servers: Vec<_> = self.servers.iter().map(Url::as_str).collect();
        let client = options.connect(servers).await?;
        Ok((client, lost))
    }
}

impl Login {
    fn of(url: &Url) -> Option<Self> {
        let text = |part| percent_decode_str(part).decode_utf8_lossy().into_owned();
        match (url.username(), url.password()) {
            ("", None) => None,
            (token, None) => Some(Self::Token(text(token))),
            (name, Some(password)) => Some(Self::User {
                name: text(name),
                password: text(password),
            }),
        }
    }
}

/// For logs: without name, password and token.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<_> = self.servers.iter().map(Url::as_str).collect();
        f.write_str(&servers.join(","))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_parsed_and_their_secrets_are_not_shown() {
        for (text, shown) in [
            ("nats://nats.example:4222", "nats://nats.example:4222"),
            ("tls://ann:pa%40ss@[::1]:4333", "tls://[::1]:4333"),
            (
                "nats://s3cret@10.0.0.1, nats://10.0.0.2",
                "nats://10.0.0.1,nats://10.0.0.2",
            ),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(format!("{address:?}"), format!("Address({shown})"));
        }
        let user = Address::parse("tls://ann:pa%40ss@host").unwrap().login;
        let (name, password) = ("ann".into(), "pa@ss".into());
        assert!(user == Login::User { name, password });
        let token = Address::parse("nats://s3cret@host,nats://b").unwrap().login;
        assert!(token == Login::Token("s3cret".into()));
    }

    #[test]
    fn other_text_is_refused() {
        let many = vec!["nats://a"; MAX_SERVERS + 1].join(",");
        for bad in [
            "",
            "nats",
            "host:4222",
            "http://host",
            "nats://",
            "nats://host:0",
            "nats://host/path",
            "nats://host?x=1",
            "nats://a,",
            &many,
        ] {
            assert_eq!(Address::parse(bad), Err(NotAnAddress), "{bad}");
        }
    }
}
