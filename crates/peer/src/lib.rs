//! The running peer: joins the folder, the network and the rules, and offers them as one façade,
//! [`Peer`], to any skin.
//!
//! Start reading at [`Peer::start`]. Behind it the *controller* keeps presence and the snapshot,
//! the *server* answers the streams of others, a *visit* is a stream of ours to someone else, and
//! *wan* keeps the rendezvous servers. What a skin sees is in [`api`].

pub mod api;
mod connections;
mod disk;
mod error;
mod known_peers;
mod link;
pub mod log;
mod network;
mod notices;
mod peer;
mod presence;
mod sentence;
mod servers;
mod settings;
mod sites;
mod supervisor;

pub use error::Error;
pub use goop2_store::{
    Config, Error as FolderError, Folder, MAX_PICTURE, identity, server_config, settings,
};
pub use link::parse as place;
pub use peer::Peer;
pub use servers::hosted::Hosted;
pub use settings::{change_at_rest, replace_at_rest, settings_at_rest, take_back};
pub use sites::page::Page;
