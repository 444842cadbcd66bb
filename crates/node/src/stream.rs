//! Streams between peers: one request each, by our own behaviour.
//!
//! Out: `Control::open` hands a request to the handler of one connection: the one that the event
//! loop prefers, and then direct ones before relayed ones, the newest first, since the newest has
//! seen the network as it is now. In: each handler delivers what was negotiated into one bounded
//! channel. It keeps what does not fit at once, so that a burst waits instead of being lost, and it
//! holds a peer to its share: a stream is delivered only while that peer has fewer than
//! [`MAX_SERVED_PER_PEER`] open.
//!
//! A handler registers itself when it is made and unregisters when it is dropped, so a connection
//! that another behaviour denies half-way leaves nothing behind.
//!
//! A stream that is cut reads as a clean end (the muxer says so), so every protocol above checks a
//! length.

pub(crate) mod behaviour;
pub(crate) mod control;
mod handler;
pub(crate) mod open;

pub use control::{MAX_OPEN_PER_PEER, MAX_SERVED_PER_PEER, MAX_WAITING_PER_CONNECTION};
