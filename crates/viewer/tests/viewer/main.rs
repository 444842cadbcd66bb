//! A real viewer of a real peer, tested with raw HTTP: requests that a browser would refuse to send
//! are sent here.

#![expect(clippy::unwrap_used, reason = "a panic here is the report")]

mod api;
mod data;
mod guard;
mod ports;
mod publish;
mod settings;
mod sites;
mod stranger;
mod world;
