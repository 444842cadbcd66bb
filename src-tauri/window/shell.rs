//! The state of the app as the window shows it: whether its peer is running, which peers there are,
//! and what waits for confirmation.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The whole state as one value. A slow reader misses intermediate values, never the last one.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub(crate) struct Shell {
    pub(crate) stage: Stage,
    /// Folder of the peer in this window; empty before there is one.
    pub(crate) folder: String,
    /// Peers of this user, by name.
    pub(crate) profiles: Vec<Profile>,
    /// Waits for the user; whatever came later waits behind it.
    pub(crate) ask: Option<Ask>,
    pub(crate) closing: Closing,
    /// The desktop shows a tray, so that a closed window can be had back.
    pub(crate) tray: bool,
    /// Goop2 starts when the user logs in.
    pub(crate) autostart: bool,
}

/// How the peer of this window is.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(tag = "is", rename_all = "lowercase")]
#[ts(export)]
pub(crate) enum Stage {
    /// There is none yet; it may be called this.
    First {
        name: String,
    },
    /// It is in its folder and was never online: its owner chooses what it publishes.
    Choosing,
    Starting,
    Online,
    /// Its owner took it offline: no socket is open that others could reach.
    Offline,
    Stopping,
    /// It could not start, or could not go on.
    Crashed {
        reason: String,
    },
}

#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub(crate) struct Profile {
    /// Its folder, absolute.
    pub(crate) folder: String,
    /// Empty where `goop.json` cannot be read.
    pub(crate) label: String,
}

/// Something from outside that happens only if the user wants it.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(export)]
pub(crate) struct Ask {
    /// An answer is for the question that was shown, by this number.
    pub(crate) number: u32,
    pub(crate) wish: Wish,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(tag = "to", rename_all = "lowercase")]
#[ts(export)]
pub(crate) enum Wish {
    /// A link to a page of a peer.
    Visit { peer: String, path: String },
    /// A link to a rendezvous server, by its connect URL.
    Connect { url: String },
    /// Another start of Goop2, for another folder.
    Switch { folder: String },
    /// A link of ours that leads nowhere; its beginning, to be recognized by.
    Nowhere { link: String },
    /// The window was closed, and nobody has said yet what that means.
    Close,
}

/// What closing the window means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub(crate) enum Closing {
    /// Not decided.
    #[default]
    Ask,
    /// The peer stays online, and the window can be had back from the tray.
    Tray,
    Quit,
}

/// Something a visited page wanted and did not get.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(tag = "what", rename_all = "lowercase")]
#[ts(export)]
pub(crate) enum Refused {
    /// To lead out of Goop2, to this address, or by a `goop://` link to something other than a page.
    Link { url: String },
    /// To save a file.
    Download,
}
