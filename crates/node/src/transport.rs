//! What carries connections: the port listened on, and libp2p's TLS and Yamux made fast for large
//! files.

pub(crate) mod muxer;
pub(crate) mod port;
pub(crate) mod tls;
