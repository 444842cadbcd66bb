//! What carries connections: the port listened on, libp2p's TLS and Yamux made fast for large files,
//! and negotiations that cost no round trip.

pub(crate) mod inbound;
pub(crate) mod muxer;
pub(crate) mod optimistic;
pub(crate) mod port;
mod security;
pub(crate) mod tls;

use std::error::Error;

use libp2p::{PeerId, Transport, core::muxing::StreamMuxerBox, identity::Keypair, quic, tcp};

use inbound::{Bounded, room::Room};

/// TCP connections.
pub(crate) fn tcp(
    key: &Keypair,
    muxer: optimistic::Config,
) -> Result<optimistic::Dialing, Box<dyn Error + Send + Sync>> {
    let connections = tcp::tokio::Transport::new(tcp::Config::default());
    let security = security::Config::new(key)?;
    Ok(optimistic::Dialing::new(connections, security, muxer))
}

/// QUIC connections, on all of which together others may have so many streams open.
pub(crate) fn quic(
    config: quic::Config,
    streams: usize,
) -> impl Transport<
    Output = (PeerId, StreamMuxerBox),
    Error = impl Error + Send + Sync + 'static,
    Dial = impl Send,
    ListenerUpgrade = impl Send,
> + Send
+ Unpin
+ 'static {
    let room = Room::new(streams);
    quic::tokio::Transport::new(config).map(move |(peer, muxer), point| {
        let muxer = Bounded::new(muxer, &room, inbound::household(&point));
        let muxer = optimistic::Muxer::new(muxer);
        (peer, StreamMuxerBox::new(muxer))
    })
}
