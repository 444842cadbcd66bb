//! One peer folder on disk: `goop.json`, the identity key, the site's files and the database behind
//! it.
//!
//! This crate is the only one that touches these files, and knows nothing of the network: a caller
//! is a peer id, a request is a value, an answer is a value. Everything blocks; callers on an async
//! runtime use its blocking threads. Section numbers name PROTOCOL sections.
#![deny(missing_docs)]

pub mod archive;
mod atomic;
mod backup;
pub mod config;
mod db;
mod error;
mod folder;
mod journal;
mod key;
mod layout;
mod lock;
mod mime;
pub mod publish;
mod published;
pub mod site;
mod starters;
mod template;

pub use config::Config;
pub use db::{
    Caller, Database, Known, MAX_NOTED, MAX_SEEN, NewVisits, Reading, Trouble, Visits, Written,
    grid,
};
pub use error::Error;
pub use folder::{
    Avatar, Folder, MAX_PICTURE, Resting, identity, relay_key, server_config, settings,
};
pub use goop2_proto::web::encoding::Encoding;
pub use libp2p_identity::Keypair;
pub use site::{Content, Seen, Site, SiteFile, Unwatchable, Watch};
pub use starters::{Starter, starters};
