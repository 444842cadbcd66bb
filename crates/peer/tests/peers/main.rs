//! Real peers on loopback: real folders, SQLite, sockets and handshakes.

#![expect(clippy::unwrap_used, reason = "a panic in a test is its report")]

mod nearby;
mod relay;
mod rendezvous;
mod settings;
mod world;
