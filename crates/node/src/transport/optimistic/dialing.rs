//! TCP connections on which TLS is taken for granted: nearly every peer speaks it. One that does not
//! is dialed again at once, and from then on asked first.

use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite, FutureExt, future::BoxFuture};
use libp2p::{
    Multiaddr, PeerId, Transport,
    core::{
        ConnectedPoint, Endpoint,
        muxing::StreamMuxerBox,
        transport::{Boxed, DialOpts, ListenerId, TransportError, TransportEvent},
        upgrade::Version,
    },
};

use super::{Config, Optimistic, Refused};
use crate::transport::security;

const GRANTED: &[&str] = &[security::TLS];

/// Addresses of which it is known whether they refused. All are forgotten when there are more: then
/// some are dialed twice once more.
const MAX_DIALED: usize = 1024;

type Connection = (PeerId, StreamMuxerBox);

/// A transport that dials again where too much was taken for granted.
pub(crate) struct Dialing {
    inner: Arc<Mutex<Boxed<Connection>>>,
    dialed: Dialed,
}

impl Dialing {
    /// Over these connections.
    pub(crate) fn new<T>(connections: T, security: security::Config, muxer: Config) -> Self
    where
        T: Transport + Send + Unpin + 'static,
        T::Output: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        T::Error: Send + Sync + 'static,
        T::Dial: Send + 'static,
        T::ListenerUpgrade: Send + 'static,
    {
        let dialed = Dialed::default();
        let known = dialed.clone();
        let inner = connections
            .map(move |connection, point| known.begin(connection, &point))
            .upgrade(Version::V1Lazy)
            .authenticate(security)
            .multiplex_ext(move |_, point| Config(muxer.0.of(point)))
            .boxed();
        Self {
            inner: Arc::new(Mutex::new(inner)),
            dialed,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Boxed<Connection>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for Dialing {
    type Output = Connection;
    type Error = io::Error;
    type ListenerUpgrade = <Boxed<Connection> as Transport>::ListenerUpgrade;
    type Dial = BoxFuture<'static, io::Result<Connection>>;

    fn listen_on(
        &mut self,
        id: ListenerId,
        addr: Multiaddr,
    ) -> Result<(), TransportError<io::Error>> {
        self.inner().listen_on(id, addr)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner().remove_listener(id)
    }

    fn dial(
        &mut self,
        addr: Multiaddr,
        opts: DialOpts,
    ) -> Result<Self::Dial, TransportError<io::Error>> {
        let refused = self.dialed.at(&addr);
        let asked_first = refused.get();
        let first = self.inner().dial(addr.clone(), opts)?;
        let again = Self {
            inner: Arc::clone(&self.inner),
            dialed: self.dialed.clone(),
        };
        Ok(async move {
            let outcome = first.await;
            if outcome.is_ok() || asked_first || !refused.get() {
                return outcome;
            }
            let second = again.inner().dial(addr, opts);
            match second {
                Ok(second) => second.await,
                Err(_not_again) => outcome,
            }
        }
        .boxed())
    }

    fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        Pin::new(&mut *self.inner()).poll(cx)
    }
}

/// The addresses that were dialed.
#[derive(Clone, Default)]
struct Dialed(Arc<Mutex<HashMap<Multiaddr, Refused>>>);

impl Dialed {
    fn at(&self, addr: &Multiaddr) -> Refused {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_DIALED && !known.contains_key(addr) {
            known.clear();
        }
        known.entry(addr.clone()).or_default().clone()
    }

    /// Where both sides dial at the same moment, either may be the one that answers: nothing is taken
    /// for granted there.
    fn begin<C>(&self, connection: C, point: &ConnectedPoint) -> Optimistic<C> {
        match point {
            ConnectedPoint::Dialer {
                address,
                role_override: Endpoint::Dialer,
                ..
            } => Optimistic::new(connection, GRANTED, self.at(address)),
            _ => Optimistic::plain(connection),
        }
    }
}
