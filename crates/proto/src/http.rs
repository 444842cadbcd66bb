//! Sites as HTTP/1.1 over streams (libp2p/specs, `http`; `docs/protocol-v2.md` in this repository):
//! what both sides agree on beyond HTTP itself.

/// One request a stream, as any libp2p node speaks it.
pub const PROTOCOL: &str = "/http/1.1";
/// The same bytes, where requests may follow each other on one stream, and the site is at the root.
/// A peer that names it in identify serves its site this way.
pub const SITE: &str = "/goop/site/2.0.0";
/// What a client asks before anything else: which protocols are served, and where.
pub const WELL_KNOWN: &str = "/.well-known/libp2p/protocols";
/// The answer to that: [`SITE`] at the root, as JSON.
pub const WELL_KNOWN_ANSWER: &str = r#"{"/goop/site/2.0.0":{"path":"/"}}"#;
/// Where an owner tells which files and tables change, as server-sent events.
pub const CHANGES: &str = "/.well-known/goop/changes";
/// Where a visitor asks about several files at once whether they have changed.
pub const KEPT: &str = "/.well-known/goop/kept";
/// The header that names them: an address and an `ETag`, and so on, with a space in between.
pub const KEPT_FILES: &str = "goop-kept";
/// Files in one such question. So few that the first are answered while the others are looked at, and
/// that they fit in a head.
pub const MAX_KEPT: usize = 32;
/// Longest head of a request or answer in bytes. Ours take a few hundred; a site may add headers.
pub const MAX_HEAD: usize = 16 * 1024;
/// Header lines of a request or answer.
pub const MAX_HEADERS: usize = 64;
