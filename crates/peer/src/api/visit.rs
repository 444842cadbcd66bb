//! Visits to sites: where links lead, what a page requested, what it was refused.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Where an address typed or pasted by the user leads.
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
    pub place: Place,
    /// HTTP status of the answer; null while it is being fetched.
    pub status: Option<u16>,
}

/// A page of a visited site wanted what it may not have: another computer in this network, a plain
/// http address, a plugin.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Denied {
    /// Whose site, base58.
    pub peer: String,
    /// What it was for, as content policies name it: `img-src`, `connect-src`, … At most 32 bytes.
    pub kind: String,
    /// What was wanted: an origin, or a word like `inline`. The site says it, so it may be
    /// anything; at most 256 bytes.
    pub target: String,
}

/// How the UI reaches what it shows beside the snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Session {
    pub version: String,
    /// Own peer id, base58.
    pub peer: String,
    /// Port of the viewer: sites are at `http://<label>.localhost:<port>/p/<peer>/…`.
    pub viewer_port: u16,
}
