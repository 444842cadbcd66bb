//! What carries the relay's connections: TCP with Noise and Yamux, and QUIC, each behind the meter.
//!
//! Assembled by hand, since the library's builder does not take a muxer of ours. Noise alone: every
//! peer speaks it, and TLS would add nothing.

use std::{sync::Arc, time::Duration};

use goop2_proto::PeerId;
use libp2p::{
    Transport,
    core::{
        muxing::StreamMuxerBox,
        transport::{Boxed, timeout::TransportTimeout},
        upgrade::Version,
    },
    identity::Keypair,
    noise, quic, tcp,
};

use super::meter::Meter;
use crate::transport::{
    inbound::{self, Bounded, room::Room},
    muxer,
};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long a dial may take that only tests whether a peer can be reached. AutoNAT gives up
/// the whole question after ten seconds, without an answer.
const TEST_DIAL: Duration = Duration::from_secs(5);

/// By how much the windows of all streams on one TCP connection may grow together.
const TCP_GROWTH: usize = 16 << 20;

/// Streams that others have opened, on all connections of a transport together: many times the
/// circuits of a busy relay, and over TCP 1 GiB if their windows never grew and nobody took what
/// comes.
const MAX_INBOUND: usize = 4096;

/// What a QUIC sender may have in flight, on one stream and on all of a connection: a circuit's
/// worth of 80 Mbit/s at 100 ms. The library's 10 and 15 MB would let everyone who does not read
/// fill the memory of the relay.
const QUIC_STREAM_BYTES: u32 = 1 << 20;
const QUIC_CONNECTION_BYTES: u32 = 4 << 20;

/// Streams a peer may open on one QUIC connection.
const QUIC_STREAMS: u32 = 256;

pub(super) fn build(
    key: &Keypair,
    meter: &Arc<Meter>,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, noise::Error> {
    let muxer = muxer::Config::with(TCP_GROWTH, MAX_INBOUND);
    let (tcp_meter, quic_meter) = (Arc::clone(meter), Arc::clone(meter));
    let tcp = tcp::tokio::Transport::new(tcp::Config::default())
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(key)?)
        .multiplex_ext(move |_, point| muxer.of(point))
        .timeout(HANDSHAKE)
        .map(move |(peer, muxer), point| {
            let metered = tcp_meter.metered(peer, point.get_remote_address(), muxer);
            (peer, StreamMuxerBox::new(metered))
        });
    let mut config = quic::Config::new(key);
    config.handshake_timeout = HANDSHAKE;
    config.max_stream_data = QUIC_STREAM_BYTES;
    config.max_connection_data = QUIC_CONNECTION_BYTES;
    config.max_concurrent_stream_limit = QUIC_STREAMS;
    let room = Room::new(MAX_INBOUND);
    let quic = quic::tokio::Transport::new(config).map(move |(peer, muxer), point| {
        let muxer = Bounded::new(muxer, &room, inbound::household(&point));
        let metered = quic_meter.metered(peer, point.get_remote_address(), muxer);
        (peer, StreamMuxerBox::new(metered))
    });
    let both = tcp.or_transport(quic).map(|either, _| either.into_inner());
    Ok(TransportTimeout::with_outgoing_timeout(both, TEST_DIAL).boxed())
}
