//! The streams of a connection, those of [`GRANTED`] protocols being opened without a round trip.

use std::{
    future, io, iter,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::{AsyncRead, AsyncWrite};
use goop2_proto::{http, site};
use libp2p::core::{
    muxing::{StreamMuxer, StreamMuxerEvent},
    upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo},
};

use super::{Optimistic, Refused};
use crate::transport::{inbound::Bounded, muxer};

/// What nearly everybody speaks who is asked for it: a peer that has named its protocols is asked for
/// one of those, and one that has not is most likely one of ours. None of them does any harm when it
/// is sent to somebody who refuses it.
const GRANTED: &[&str] = &[http::SITE, site::PROTOCOL];

/// The muxer of a connection.
#[derive(Debug)]
pub(crate) struct Muxer<M> {
    inner: M,
    refused: Refused,
}

impl<M> Muxer<M> {
    pub(crate) fn new(inner: M) -> Self {
        Self {
            inner,
            refused: Refused::default(),
        }
    }
}

impl<M: StreamMuxer + Unpin> StreamMuxer for Muxer<M>
where
    M::Substream: Unpin,
{
    type Substream = Optimistic<M::Substream>;
    type Error = M::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, M::Error>> {
        let stream = ready!(Pin::new(&mut self.inner).poll_inbound(cx))?;
        Poll::Ready(Ok(Optimistic::plain(stream)))
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, M::Error>> {
        let stream = ready!(Pin::new(&mut self.inner).poll_outbound(cx))?;
        let stream = Optimistic::new(stream, GRANTED, self.refused.clone());
        Poll::Ready(Ok(stream))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), M::Error>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, M::Error>> {
        Pin::new(&mut self.inner).poll(cx)
    }
}

/// [`muxer::Config`] with such streams.
#[derive(Clone)]
pub(crate) struct Config(pub(crate) muxer::Config);

type Upgraded<C> = future::Ready<io::Result<Muxer<Bounded<muxer::Muxer<C>>>>>;

impl UpgradeInfo for Config {
    type Info = &'static str;
    type InfoIter = iter::Once<Self::Info>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.protocol_info()
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> InboundConnectionUpgrade<C> for Config {
    type Output = Muxer<Bounded<muxer::Muxer<C>>>;
    type Error = io::Error;
    type Future = Upgraded<C>;

    fn upgrade_inbound(self, io: C, info: Self::Info) -> Self::Future {
        let muxer = self.0.upgrade_inbound(io, info).into_inner();
        future::ready(muxer.map(Muxer::new))
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> OutboundConnectionUpgrade<C> for Config {
    type Output = Muxer<Bounded<muxer::Muxer<C>>>;
    type Error = io::Error;
    type Future = Upgraded<C>;

    fn upgrade_outbound(self, io: C, info: Self::Info) -> Self::Future {
        let muxer = self.0.upgrade_outbound(io, info).into_inner();
        future::ready(muxer.map(Muxer::new))
    }
}
