//! A real viewer over a real peer, asked by raw HTTP: what a browser would be kept from sending is
//! sent here.

#![expect(clippy::unwrap_used, reason = "a panic here is the report")]

mod api;
mod data;
mod guard;
mod ports;
mod settings;
mod sites;
mod world;
