//! The rendezvous: lets peers on different networks find each other (§6, §7).
//!
//! It forwards who is online and at which addresses, and nothing else: pages and data go directly
//! between peers.
#![deny(missing_docs)]

mod backoff;
pub mod client;
pub mod cluster;
pub mod mail;
pub mod qr;
pub mod registration;
pub mod server;
mod tls;
