//! The peer-to-peer node: the only crate that knows libp2p.
//!
//! [`spawn`] returns once the node listens, with three ends to hold: the [`Node`] handle (cheap to
//! clone, only sends commands), the streams other peers open ([`InboundStream`]), and the
//! [`Event`]s. One task, the event loop, owns the swarm; everything else talks to it over bounded
//! channels.
//!
//! ```text
//!   Node ──commands──▶ event loop ◀── swarm: limits, streams, gossipsub, identify, ping
//!    │                  │    ▲
//!    │ status (watch) ◀─┘    ├── mdns: which peers announce themselves on which interface
//!    │                       └── net::interfaces: the host's addresses as they come and go
//!    └─ open ──▶ stream::control ──▶ one handler per connection
//! ```
//!
//! - The event loop decides nothing. What to do is decided by plain states, without a swarm: events
//!   and time go in, actions come out. `reach` decides which peers are dialed and when, `outside`
//!   how other networks reach this peer, `punch` when to punch holes, and `gossip` what is
//!   believed.
//! - `net` is what they decide from: this host's addresses, and the connections there are.
//! - [`stream`] carries requests. The stream behaviour is our own: the library's drops streams in a
//!   burst, picks connections at random and does not say whether one is relayed.
//! - `mdns` finds peers under a tag. It is our own too: the library's name cannot be chosen.
//! - [`relay`] is the relay of a rendezvous server, and shares nothing with a node but this crate.
//! - `transport` is what a TCP connection goes through: the library's TLS and Yamux, made fast for
//!   large files.
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

pub use libp2p::{identity::Keypair, swarm::ConnectionId};

pub use command::Event;
pub use net::addresses::Invalid;
pub use node::{Config, Error, Node, OpenError, offline, spawn};
pub use outside::relays::RelayOffer;
pub use reach::history::Attempt;
pub use status::{
    Connection, Link, Mapping, Multicast, Nat, Observed, PeerReach, Reach, Relay, Reservation,
    Status, Transport,
};
pub use stream::open::{InboundStream, Stream};
pub use transport::muxer::FRAME;
