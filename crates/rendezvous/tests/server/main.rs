//! The server as its clients meet it: over sockets, good and bad.

#![expect(
    clippy::unwrap_used,
    reason = "a test says best where it broke by breaking there"
)]

mod admin;
#[cfg(target_os = "linux")]
mod cluster;
mod endpoints;
mod events;
mod forged;
#[cfg(target_os = "linux")]
#[path = "../../../../tests/support/port.rs"]
mod port;
mod recorded;
mod shutdown;
mod world;
