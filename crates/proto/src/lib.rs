//! The rules of Goop2, without time and I/O: what goes over the wire, what is accepted from it, and
//! who counts as online.
//!
//! Everything here is a function of its arguments. No socket, file, clock or random number: the
//! crates that own those hand the values in, so every rule can be tested and fuzzed alone.
//! Section numbers name PROTOCOL sections.

#![deny(missing_docs)]

mod addr;
pub mod audience;
pub mod avatar;
pub mod bucket;
pub mod cluster;
pub mod content;
pub mod data;
pub mod events;
pub mod exact;
pub mod go_json;
pub mod household;
pub mod html;
pub mod http;
pub mod id;
pub mod mdns;
pub mod path;
pub mod presence;
pub mod registration;
pub mod relay;
pub mod rendezvous;
pub mod roster;
pub mod site;
pub mod time;
pub mod web;

pub use libp2p_identity::{Keypair, PeerId};
pub use multiaddr::Multiaddr;
pub use path::SitePath;
