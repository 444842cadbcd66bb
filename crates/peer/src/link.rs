//! Links: where a typed or pasted address leads. Every common form is accepted: `goop://` links,
//! the local addresses of the browser UI and of sites, a bare peer id.

use goop2_proto::{PeerId, id};
use url::Url;

use crate::{api::visit::Place, error::Error};

/// Longest address accepted, in bytes.
const MAX_ADDRESS: usize = 8 * 1024;

/// Where a typed or pasted address leads. Nothing is remembered or dialed. [`Error::Invalid`] if it
/// is empty, longer than 8 KiB or leads nowhere.
pub fn parse(text: &str) -> Result<Place, Error> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::Invalid(
            "Enter an address: a goop:// link or a peer ID.".into(),
        ));
    }
    let place = if text.len() > MAX_ADDRESS {
        None
    } else {
        local_url(text).or_else(|| link(text))
    };
    place.ok_or_else(|| {
        Error::Invalid(
            if is_lower_case(text) {
                LOWER_CASE
            } else {
                NO_ADDRESS
            }
            .into(),
        )
    })
}

const NO_ADDRESS: &str =
    "This is not a Goop2 address. Use a link like goop://12D3KooW…/, as “Copy link” gives it.";
const LOWER_CASE: &str = "A program changed this link to lower case, so it no longer says which peer it means. Ask for the link that “Copy link” gives now: it survives that.";

/// Whether a peer ID in base58 is in lower case, as some programs write what stands before the first
/// slash of a link. Which letters were large cannot be known.
fn is_lower_case(text: &str) -> bool {
    let rest = strip_scheme(text, "goop://").unwrap_or(text);
    let id = rest.split(['/', '?', '#']).next().unwrap_or_default();
    id.len() == ED25519_ID && id.starts_with("12d3koow")
}

/// Characters of a peer ID with an Ed25519 key, in base58.
const ED25519_ID: usize = 52;

/// `goop://<id>/<path>`, or the same without the scheme.
fn link(text: &str) -> Option<Place> {
    let rest = strip_scheme(text, "goop://").unwrap_or(text);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (peer, path) = rest.split_at(end);
    Some(place(id::parse(peer)?, path))
}

fn strip_scheme<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    text.get(..scheme.len())
        .filter(|start| start.eq_ignore_ascii_case(scheme))
        .map(|_| &text[scheme.len()..])
}

/// `http://127.0.0.1:8080/p/<id>/<path>` and `http://<label>.localhost:8080/…`.
fn local_url(text: &str) -> Option<Place> {
    let url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let of_origin = url
        .host_str()
        .and_then(|host| id::from_label(host.strip_suffix(".localhost")?));
    let tail = &url[url::Position::BeforePath..];
    match tail.strip_prefix("/p/") {
        Some(rest) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            Some(place(id::parse(&rest[..end])?, &rest[end..]))
        }
        None => Some(place(of_origin?, tail)),
    }
}

fn place(peer: PeerId, path: &str) -> Place {
    let path = if path.starts_with('/') {
        path.into()
    } else {
        format!("/{path}")
    };
    Place {
        peer: peer.to_base58(),
        path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
    const LABEL: &str = "k51qzi5uqu5dhdmyb9bd18pypu2wp5lpv2xnskfmrqa4lb5knqryrotb05e7or";

    fn path(text: &str) -> String {
        let place = parse(text).unwrap();
        assert_eq!(place.peer, ID, "{text}");
        place.path
    }

    #[test]
    fn every_form_of_an_address_leads_to_the_peer() {
        assert_eq!(path(ID), "/");
        assert_eq!(path(LABEL), "/");
        assert_eq!(path(&format!(" goop://{ID} \n")), "/");
        assert_eq!(
            path(&format!("GOOP://{ID}/a b.html?x=1#y")),
            "/a b.html?x=1#y"
        );
        assert_eq!(path(&format!("{ID}/a/b.html")), "/a/b.html");
        assert_eq!(
            path(&format!("http://127.0.0.1:8080/p/{ID}/a.html?x=1")),
            "/a.html?x=1"
        );
        assert_eq!(path(&format!("http://localhost:9/p/{ID}")), "/");
        assert_eq!(
            path(&format!("http://{LABEL}.localhost:8080/p/{ID}/a%20b")),
            "/a%20b"
        );
        assert_eq!(
            path(&format!("http://{LABEL}.localhost:8080/root.css")),
            "/root.css"
        );
    }

    #[test]
    fn anything_else_is_not_an_address() {
        for text in [
            "",
            "hello",
            "https://example.org/",
            "goop://nobody/",
            "http://127.0.0.1:8080/",
            "goop://",
            "\u{202e}",
            "file:///etc/passwd",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&"x".repeat(MAX_ADDRESS + 1)).is_err());
        let lower = format!("goop://{}/a?b", ID.to_lowercase());
        assert_eq!(parse(&lower).unwrap_err().to_string(), LOWER_CASE);
    }
}
