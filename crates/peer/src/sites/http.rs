//! Sites as HTTP/1.1 over streams (`docs/protocol-v2.md`): `server` answers from this peer's folder,
//! `fetch` asks other peers over
//! the streams of `client`, which `pool` keeps open, and `existing` translates for those that speak `/goop/site/1.0.0` only.

mod body;
pub(crate) mod client;
mod existing;
pub(crate) mod fetch;
pub(crate) mod kept;
mod line;
mod paced;
mod part;
mod pieces;
mod pool;
mod resume;
pub(crate) mod server;
mod width;

pub use body::Body;
pub(crate) use body::{begin, of_stream};
