//! The running peer: joins the folder, the network and the rules of the protocol, and offers them
//! as one façade, [`Peer`], to any skin.
//!
//! Start reading at [`Peer::start`], which spawns five tasks and the channels between them:
//!
//! - `presence` announces this peer, listens to others and keeps the snapshot,
//! - `sites::serve` answers the requests of visitors,
//! - `servers` keeps the connections to rendezvous servers, and the server hosted here,
//! - `live::folder` tells open pages what changes, and `live::readers` counts who reads.
//!
//! `sites::visit` is the other side of a visit, `network` judges how this peer can be reached, and
//! `known_peers` remembers who was seen. What a skin sees is in [`api`].

#![deny(missing_docs)]

pub mod api;
mod connections;
mod disk;
mod error;
mod known_peers;
pub mod link;
mod live;
pub mod log;
mod network;
mod notices;
mod peer;
mod presence;
mod publish;
mod sentence;
mod servers;
mod settings;
mod sites;
pub mod stopped;
mod supervisor;

pub use error::Error;
pub use goop2_store::{
    Config, Error as FolderError, Folder, MAX_PICTURE, archive::MAX_ARCHIVE, grid::MAX_IMPORT,
    identity, publish::MAX_TEXT, server_config, settings,
};
pub use peer::{Export, Peer};
pub use publish::{Local, NotOnline, Source, Upload, backup::MadeBackup};
pub use servers::hosted::Hosted;
pub use settings::keep_until_restart;
pub use sites::http::Body;
