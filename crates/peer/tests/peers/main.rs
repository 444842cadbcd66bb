//! Real peers on loopback: real folders, SQLite, sockets and handshakes.

#![expect(clippy::unwrap_used, reason = "a panic in a test is its report")]

mod crowd;
mod live;
mod nearby;
mod offline;
#[path = "../../../../tests/support/port.rs"]
mod port;
mod relay;
mod rendezvous;
mod settings;
#[path = "../../../../tests/support/strangers.rs"]
mod strangers;
mod transfer;
mod world;
