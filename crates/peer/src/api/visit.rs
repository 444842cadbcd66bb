//! Visits to sites: where links lead, and what pages request.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Where an address that the user typed or pasted leads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Place {
    /// Peer id, base58.
    pub peer: String,
    /// Path within the site, beginning with `/`; query and fragment included.
    pub path: String,
}

/// A document of a visited site was requested by the window's frame.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Navigated {
    /// Its address.
    pub place: Place,
    /// HTTP status of the answer; null while it is being fetched.
    pub status: Option<u16>,
    /// The title of the page, once that has been read, which is after the other two were known: as
    /// it is in the page, with its character references. At most 300 characters.
    pub title: Option<String>,
}

/// A page of a visited site requested what it may not have: another computer on this network, a
/// plain http address, a plugin.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Denied {
    /// The owner of the site: peer id, base58.
    pub peer: String,
    /// The directive that refused it, as content security policies name it: `img-src`,
    /// `connect-src`, …; or `service-worker`. At most 32 bytes.
    pub kind: String,
    /// What was requested: an origin, a word like `inline`, or the path of a service worker. It
    /// comes from the site, so it may be anything; at most 256 bytes.
    pub target: String,
}

/// How the UI reaches what is not in the snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Session {
    /// Version of Goop2.
    pub version: String,
    /// Your own peer id, base58.
    pub peer: String,
    /// TCP port of the viewer: sites are at `http://<label>.localhost:<port>/p/<peer>/…`.
    pub viewer_port: u16,
}
