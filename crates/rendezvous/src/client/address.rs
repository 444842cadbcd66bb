//! The address of a rendezvous, whether typed, copied from a browser or read from a QR code.

use std::{fmt, net::IpAddr};

use url::{Host, Url};

/// The base URL of a rendezvous server, parsed once from user input.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address(Url);

/// Why a text is not such an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing was typed.
    #[error("enter an address")]
    Empty,
    /// Not of the form of a web address.
    #[error(
        "{0:?} is not a web address. It should look like https://goop.example.org or http://192.168.1.5:8787"
    )]
    Form(String),
    /// A scheme other than http and https.
    #[error("start the address with https:// or http://, not {0}:")]
    Scheme(String),
    /// 0.0.0.0 and the like.
    #[error("{0} can't be connected to. Use the address at which others reach the server")]
    Unspecified(String),
    /// Port 0, or a user name in front of the host.
    #[error("the address must not contain {0}")]
    Part(&'static str),
}

/// Longest text that is parsed; about as much as browsers accept.
const MAX_TEXT: usize = 2048;
/// First path segments of a server's own pages: people who copy the address of one mean the server.
const PAGES: [&str; 16] = [
    "register",
    "verify",
    "admin",
    "docs",
    "store",
    "events",
    "publish",
    "relay",
    "healthz",
    "metrics",
    "assets",
    "ws",
    "peers.json",
    "logs.json",
    "registrations.json",
    "index.html",
];

impl Address {
    /// Accepts an address with or without scheme, with a trailing slash or the path of one of the
    /// server's pages, and the link behind "Open in Goop2".
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Error::Empty);
        }
        let form = || Error::Form(text.chars().take(80).collect());
        if text.len() > MAX_TEXT {
            return Err(form());
        }
        let mut url = with_scheme(text).ok_or_else(form)?;
        if url.scheme() == "goop" {
            let inner = url.query_pairs().find(|(key, _)| key == "url");
            let (_, inner) = inner.ok_or_else(form)?;
            url = with_scheme(inner.trim()).ok_or_else(form)?;
        }
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::Scheme(url.scheme().into()));
        }
        let host = url.host().ok_or_else(form)?;
        if ip(&host).is_some_and(|ip| ip.is_unspecified()) {
            return Err(Error::Unspecified(host.to_string()));
        }
        if url.port() == Some(0) {
            return Err(Error::Part("port 0"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::Part("a user name or a password"));
        }
        Ok(Self(base(url)))
    }

    /// The addresses that a text may mean, the best first. Without a scheme, a server is looked for
    /// with and without TLS.
    pub fn candidates(text: &str) -> Result<Vec<Self>, Error> {
        let text = text.trim();
        let parsed = Self::parse(text)?;
        if text.contains("://") {
            return Ok(vec![parsed]);
        }
        let secure = Self::parse(&format!("https://{text}"))?;
        let plain = Self::parse(&format!("http://{text}"))?;
        Ok(vec![secure, plain])
    }

    /// This server with TLS, if that is what answered at the URL; none if this address is its own.
    pub(super) fn secured(&self, answered: &Url) -> Option<Self> {
        let better = self.0.scheme() == "http" && answered.scheme() == "https";
        let mut url = self.0.clone();
        (better && url.host() == answered.host()).then_some(())?;
        url.set_scheme("https").ok()?;
        url.set_port(answered.port()).ok()?;
        Some(Self(url))
    }

    /// Whether a name or a password could be read on the way, and an answer be another's.
    pub(super) fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// The URL of a path on the server; `path` without a leading slash.
    pub fn at(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/{path}", self.0.path().trim_end_matches('/')));
        url
    }

    /// Host and port, for messages.
    pub(super) fn authority(&self) -> String {
        authority(&self.0)
    }
}

/// As people write it and `goop.json` stores it: without a trailing slash.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// The host, and the port if it is not the scheme's own.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A bare name is a server with TLS; an IP address or a port is one at home.
fn with_scheme(text: &str) -> Option<Url> {
    if text.contains("://") {
        return Url::parse(text).ok();
    }
    let url = Url::parse(&format!("http://{text}")).ok()?;
    let at_home =
        url.port().is_some() || ip(&url.host()?).is_some() || url.host_str() == Some("localhost");
    if at_home {
        Some(url)
    } else {
        Url::parse(&format!("https://{text}")).ok()
    }
}

fn base(mut url: Url) -> Url {
    url.set_query(None);
    url.set_fragment(None);
    let path: Vec<_> = url
        .path()
        .split('/')
        .filter(|segment| !segment.is_empty())
        .take_while(|segment| !PAGES.contains(segment))
        .map(str::to_owned)
        .collect();
    url.set_path(&path.join("/"));
    url
}

fn ip(host: &Host<&str>) -> Option<IpAddr> {
    match host {
        Host::Domain(_) => None,
        Host::Ipv4(ip) => Some((*ip).into()),
        Host::Ipv6(ip) => Some((*ip).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_addresses_lead_to_the_server() {
        for (text, address) in [
            ("http://192.168.1.5:8787", "http://192.168.1.5:8787"),
            (" http://192.168.1.5:8787/ \n", "http://192.168.1.5:8787"),
            ("https://goop.example.org/admin", "https://goop.example.org"),
            (
                "https://goop.example.org/verify?token=abc#top",
                "https://goop.example.org",
            ),
            ("https://example.org/goop/", "https://example.org/goop"),
            (
                "https://example.org/goop/register",
                "https://example.org/goop",
            ),
            ("https://example.org:443/docs/start", "https://example.org"),
            (
                "goop://connect?url=http%3A%2F%2F192.168.1.5%3A8787",
                "http://192.168.1.5:8787",
            ),
            ("192.168.1.5:8787", "http://192.168.1.5:8787"),
            ("[fd00::1]:8787/", "http://[fd00::1]:8787"),
            ("localhost:8787", "http://localhost:8787"),
            ("nas:8787", "http://nas:8787"),
            ("goop.example.org", "https://goop.example.org"),
            ("HTTPS://Goop.Example.ORG", "https://goop.example.org"),
        ] {
            let parsed = Address::parse(text).unwrap();
            assert_eq!(parsed.to_string(), address, "{text}");
            assert_eq!(Address::parse(address).unwrap(), parsed);
        }
    }

    #[test]
    fn without_a_scheme_a_server_is_looked_for_with_and_without_tls() {
        for (text, candidates) in [
            ("hello", vec!["https://hello", "http://hello"]),
            (
                "nas:8787/admin",
                vec!["https://nas:8787", "http://nas:8787"],
            ),
            ("http://nas:8787", vec!["http://nas:8787"]),
            ("goop://connect?url=nas%3A8787", vec!["http://nas:8787"]),
        ] {
            let found = Address::candidates(text).unwrap();
            let found: Vec<_> = found.iter().map(ToString::to_string).collect();
            assert_eq!(found, candidates, "{text}");
        }
        assert!(Address::candidates("two words").is_err());
    }

    #[test]
    fn paths_begin_at_the_address() {
        let at = |text, path| Address::parse(text).unwrap().at(path).to_string();
        assert_eq!(at("http://a:1/", "events"), "http://a:1/events");
        assert_eq!(at("http://a:1/x", "events"), "http://a:1/x/events");
    }

    #[test]
    fn what_is_not_an_address_is_refused_with_a_reason() {
        for (text, words) in [
            ("", "enter an address"),
            ("ftp://a", "not ftp:"),
            ("goop://connect", "not a web address"),
            ("http://0.0.0.0:8787", "can't be connected to"),
            ("http://[::]:8787", "can't be connected to"),
            ("http://a:0", "port 0"),
            ("http://ann:secret@a", "a user name"),
            ("http://", "not a web address"),
            ("two words", "not a web address"),
        ] {
            let error = Address::parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
        assert!(Address::parse(&"a".repeat(MAX_TEXT + 1)).is_err());
    }
}
