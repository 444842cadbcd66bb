//! The peer's place in the network: the only crate that knows libp2p.
//!
//! [`spawn`] returns once the node listens, with three ends to hold: the [`Node`] handle (cheap to
//! clone, only sends commands), the streams other peers open ([`InboundStream`]), and the
//! [`Event`]s. One task, the event loop, owns the swarm; everything else talks to it over bounded
//! channels.
//!
//! ```text
//!   Node ──commands──▶ event loop ◀── swarm: limits, streams, gossipsub, identify, ping
//!    │                  │    ▲
//!    │ status (watch) ◀─┘    ├── mdns: who announces itself on which interface
//!    │                       └── interfaces: the machine's addresses as they come and go
//!    └─ open ──▶ stream::Control ──▶ one handler per connection
//! ```
//!
//! - [`stream`] carries requests. The stream behaviour is our own: the library's drops streams in a
//!   burst, picks connections at random and does not say whether one is relayed.
//! - `mdns` finds peers under a tag. It is our own too: the library's name cannot be chosen.
//! - [`relay`] is a host of its own beside a rendezvous, and shares nothing with a node but this
//!   crate.
//! - `dial` decides whom to dial when, `addresses` remembers where peers were seen, `relays` keeps
//!   places at relays, and `observed` judges the router by what others see. All are plain state
//!   machines.
//! - `autonat` has others call this peer, to see whether they can.
//! - `punch` finds a way past the worst routers.
//! - `mapping` asks the router for ports, `history` remembers what was tried.
//! - `tls` and `muxer` are what a TCP connection goes through: the library's, made fast for large
//!   files.
#![deny(missing_docs)]

mod agenda;
mod behaviour;
mod command;
mod event_loop;
mod gossip;
mod mdns;
mod net;
mod node;
mod outside;
mod punch;
mod reach;
pub mod relay;
mod status;
pub mod stream;
mod transport;

pub use libp2p::identity::Keypair;

pub use command::Event;
pub use net::addresses::Invalid;
pub use node::{Config, Error, Node, OpenError, spawn};
pub use outside::relays::RelayOffer;
pub use reach::history::Attempt;
pub use status::{
    Connection, Link, Mapping, Multicast, Nat, Observed, PeerReach, Reach, Relay, Reservation,
    Status, Transport,
};
pub use stream::{InboundStream, Stream};
pub use transport::muxer::FRAME;
