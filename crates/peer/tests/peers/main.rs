//! Real peers on loopback: real folders, SQLite, sockets and handshakes.

mod nearby;
mod rendezvous;
mod world;
