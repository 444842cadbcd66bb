//! A real viewer over a real peer, asked by raw HTTP: what a browser would be kept from sending is sent here.

mod api;
mod data;
mod guard;
mod sites;
mod world;
