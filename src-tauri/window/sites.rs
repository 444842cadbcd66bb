//! Where the sites of the running viewer are, and which of them the document may frame.

use std::sync::{Arc, Mutex, PoisonError};

use goop2_peer::api::Place;
use tauri::{Url, http::HeaderValue};

use super::wishes;

/// What the document of the window was allowed to frame when it was loaded.
pub(super) type Framed = Arc<Mutex<Option<Framing>>>;

#[derive(Clone, PartialEq)]
pub(super) struct Framing {
    peer: String,
    sites: Sites,
}

/// Where sites are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sites {
    pub(super) port: u16,
    /// Ports of single sites; none where names resolve.
    pub(super) ports: Vec<u16>,
}

impl Sites {
    /// What the window's document may frame.
    fn policy(&self) -> String {
        let port = self.port;
        let at_ports: String = self
            .ports
            .iter()
            .map(|port| format!(" http://localhost:{port}"))
            .collect();
        // Nothing is ever framed by the last three: the window learns where such a link leads
        // instead of its document's policy refusing it in silence.
        format!(
            "frame-src http://*.localhost:{port} http://127.0.0.1:{port}/p/ http://localhost:{port}/p/{at_ports} goop: mailto: tel:"
        )
    }

    /// Where a link leads within Goop2, if it does.
    pub(super) fn place(&self, url: &Url) -> Option<Place> {
        let leads = self.have(url) || url.scheme() == wishes::SCHEME;
        leads.then(|| goop2_peer::link::parse(url.as_str()).ok())?
    }

    /// Whether this is a page of a site, or the well-known address that redirects to one.
    pub(super) fn have(&self, url: &Url) -> bool {
        let Some((host, port)) = url.host_str().zip(url.port()) else {
            return false;
        };
        let at = match host {
            "127.0.0.1" => port == self.port && url.path().starts_with("/p/"),
            "localhost" if port == self.port => url.path().starts_with("/p/"),
            "localhost" => self.ports.contains(&port),
            _ => port == self.port && host.ends_with(".localhost"),
        };
        at && url.scheme() == "http"
    }
}

/// The policy of a document that is being loaded: the app's, plus the current sites.
pub(super) fn admit(
    policy: &HeaderValue,
    framing: Option<Framing>,
    framed: &Framed,
) -> HeaderValue {
    let sites = framing.as_ref().map(|framing| framing.sites.policy());
    *framed.lock().unwrap_or_else(PoisonError::into_inner) = framing;
    let whole = policy.to_str().ok().zip(sites);
    whole
        .and_then(|(policy, sites)| format!("{policy}; {sites}").parse().ok())
        .unwrap_or_else(|| policy.clone())
}

impl Framing {
    pub(super) fn new(peer: String, sites: Sites) -> Self {
        Self { peer, sites }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_goes_to_sites_of_this_viewer_and_nowhere_else() {
        let sites = Sites {
            port: 8080,
            ports: vec![9001],
        };
        let has = |url: &str| url.parse().is_ok_and(|url| sites.have(&url));
        for url in [
            "http://k51.localhost:8080/x",
            "http://localhost:9001/x",
            "http://127.0.0.1:8080/p/x",
            "http://localhost:8080/p/x",
        ] {
            assert!(has(url), "{url}");
        }
        for url in [
            "https://k51.localhost:8080/",
            "http://k51.localhost:9001/",
            "http://127.0.0.1:9001/p/x",
            "http://127.0.0.1:8080/",
            "http://localhost:8080/api/p/",
            "http://localhost:9002/p/x",
            "http://localhost/p/x",
            "http://example.org:8080/p/x",
        ] {
            assert!(!has(url), "{url}");
        }
        let place = |url: &str| sites.place(&url.parse().unwrap());
        let peer = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
        for url in [
            format!("goop://{peer}/a"),
            format!("http://127.0.0.1:8080/p/{peer}/a"),
        ] {
            let (peer, path) = (peer.into(), "/a".into());
            assert_eq!(place(&url), Some(Place { peer, path }), "{url}");
        }
        for url in [
            "goop://connect?url=https://meet.example",
            "about:blank",
            "https://example.org/",
        ] {
            assert_eq!(place(url), None, "{url}");
        }
        assert_eq!(
            sites.policy(),
            "frame-src http://*.localhost:8080 http://127.0.0.1:8080/p/ http://localhost:8080/p/ http://localhost:9001 goop: mailto: tel:"
        );
    }
}
