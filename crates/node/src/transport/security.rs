//! The ciphers of TCP connections, the preferred first, as existing peers have them.

use std::io;

use futures::{
    AsyncRead, AsyncWrite, FutureExt,
    future::{BoxFuture, Either},
};
use libp2p::{
    PeerId,
    core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo},
    identity::Keypair,
    noise,
    tls::TlsStream,
};

use super::tls;

/// Their names (libp2p/specs, `tls` and `noise`).
pub(crate) const TLS: &str = "/tls/1.0.0";
const NOISE: &str = "/noise";

#[derive(Clone)]
pub(crate) struct Config {
    tls: tls::Config,
    noise: noise::Config,
}

impl Config {
    pub(crate) fn new(
        key: &Keypair,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync + 'static>> {
        Ok(Self {
            tls: tls::Config::new(key)?,
            noise: noise::Config::new(key)?,
        })
    }
}

type Secured<C> = (PeerId, Either<TlsStream<C>, noise::Output<C>>);

impl UpgradeInfo for Config {
    type Info = &'static str;
    type InfoIter = [&'static str; 2];

    fn protocol_info(&self) -> Self::InfoIter {
        [TLS, NOISE]
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> InboundConnectionUpgrade<C> for Config {
    type Output = Secured<C>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Secured<C>>>;

    fn upgrade_inbound(self, io: C, protocol: &'static str) -> Self::Future {
        async move {
            if protocol == TLS {
                let secured = self.tls.upgrade_inbound(io, protocol).await;
                let (peer, stream) = secured.map_err(io::Error::other)?;
                Ok((peer, Either::Left(stream)))
            } else {
                let secured = self.noise.upgrade_inbound(io, protocol).await;
                let (peer, stream) = secured.map_err(io::Error::other)?;
                Ok((peer, Either::Right(stream)))
            }
        }
        .boxed()
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> OutboundConnectionUpgrade<C> for Config {
    type Output = Secured<C>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Secured<C>>>;

    fn upgrade_outbound(self, io: C, protocol: &'static str) -> Self::Future {
        async move {
            if protocol == TLS {
                let secured = self.tls.upgrade_outbound(io, protocol).await;
                let (peer, stream) = secured.map_err(io::Error::other)?;
                Ok((peer, Either::Left(stream)))
            } else {
                let secured = self.noise.upgrade_outbound(io, protocol).await;
                let (peer, stream) = secured.map_err(io::Error::other)?;
                Ok((peer, Either::Right(stream)))
            }
        }
        .boxed()
    }
}
