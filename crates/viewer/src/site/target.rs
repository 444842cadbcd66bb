//! The file of a site that an address names.

use axum::http::Uri;
use goop2_peer::api::Place;
use goop2_proto::{PeerId, id};
use percent_encoding::percent_decode_str;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) peer: PeerId,
    /// As in the URL: percent-encoded, beginning with `/` (RFC 3986 §3.3).
    path: String,
    query: Option<String>,
    /// Under `/p/<peer ID>/`, the address has the one form that the scripts of sites can parse
    /// (PROTOCOL §9.2): the peer ID in base58, followed by a slash.
    pub(crate) canonical: bool,
    /// The address is at the root of the site's origin, not under `/p/<peer ID>/`.
    pub(crate) at_root: bool,
}

impl Target {
    /// `/p/<peer ID>/<path>`, with the ID in any form.
    pub(crate) fn of_peer(uri: &Uri) -> Option<Self> {
        let rest = uri.path().strip_prefix("/p/")?;
        let (text, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let peer = id::parse(text)?;
        let canonical = !path.is_empty() && peer.to_base58() == text;
        let path = if path.is_empty() { "/" } else { path };
        Some(Self {
            peer,
            path: path.into(),
            query: uri.query().map(Into::into),
            canonical,
            at_root: false,
        })
    }

    /// Any path of a site's own origin, which root-relative links lead to.
    pub(crate) fn of_root(peer: PeerId, uri: &Uri) -> Self {
        Self {
            peer,
            path: uri.path().into(),
            query: uri.query().map(Into::into),
            canonical: true,
            at_root: true,
        }
    }

    /// The same file in the other form of address, or in the same.
    pub(crate) fn in_form(&self, at_root: bool) -> Self {
        Self {
            at_root,
            ..self.clone()
        }
    }

    /// The path and query of its URL on its origin; with the peer ID, on any other too.
    pub(crate) fn address(&self) -> String {
        format!("{}{}", self.root(), self.resource())
    }

    /// What stands before the path of every file of the site.
    pub(crate) fn root(&self) -> String {
        if self.at_root {
            String::new()
        } else {
            format!("/p/{}", self.peer)
        }
    }

    /// The path of the site's first page.
    pub(crate) fn first_page(&self) -> String {
        format!("{}/", self.root())
    }

    /// The page for the UI.
    pub(crate) fn place(&self) -> Place {
        Place {
            peer: self.peer.to_base58(),
            path: self.resource(),
        }
    }

    /// The decoded path; `None` when it is not UTF-8.
    pub(crate) fn file(&self) -> Option<String> {
        percent_decode_str(&self.path)
            .decode_utf8()
            .ok()
            .map(Into::into)
    }

    /// Path and query, relative to the root of the site.
    pub(crate) fn resource(&self) -> String {
        self.query.as_ref().map_or_else(
            || self.path.clone(),
            |query| format!("{}?{query}", self.path),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
    const LABEL: &str = "k51qzi5uqu5dhdmyb9bd18pypu2wp5lpv2xnskfmrqa4lb5knqryrotb05e7or";

    fn target(path: &str) -> Option<Target> {
        Target::of_peer(&path.parse().unwrap())
    }

    #[test]
    fn an_address_names_a_peer_and_a_path() {
        let page = target(&format!("/p/{ID}/a%20b.html?x=%20")).unwrap();
        assert!(page.canonical);
        assert_eq!(page.address(), format!("/p/{ID}/a%20b.html?x=%20"));
        assert_eq!(
            page.place(),
            Place {
                peer: ID.into(),
                path: "/a%20b.html?x=%20".into()
            }
        );
        assert_eq!(page.file().unwrap(), "/a b.html");
        assert!(target(&format!("/p/{ID}/%ff")).unwrap().file().is_none());
        for path in ["/p/", "/p/nobody/", "/p//", "/q/", "/"] {
            assert_eq!(target(path), None, "{path}");
        }
    }

    #[test]
    fn other_spellings_are_the_same_page() {
        for path in [
            format!("/p/{ID}"),
            format!("/p/{LABEL}/"),
            format!("/p/{LABEL}"),
        ] {
            let page = target(&path).unwrap();
            assert!(!page.canonical, "{path}");
            assert_eq!(page.address(), format!("/p/{ID}/"));
        }
    }
}
