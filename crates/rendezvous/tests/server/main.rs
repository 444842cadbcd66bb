//! The server as clients use it, over sockets, well-behaved or not.

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
mod path;
#[path = "../../../../tests/support/port.rs"]
mod port;
#[path = "../../../../tests/support/promise.rs"]
mod promise;
mod recorded;
mod shutdown;
mod world;
