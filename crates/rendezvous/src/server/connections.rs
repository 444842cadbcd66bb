//! From a socket to a request: where the server listens, how long a client may take, and who it is.

pub(crate) mod accept;
pub(crate) mod client;
pub(crate) mod listen;
mod timeouts;
