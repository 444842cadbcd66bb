//! Sites at ports of their own, for a window in which names under `.localhost` lead nowhere (some
//! Safari and WKWebView): `http://localhost:<port>` is then one peer's site. Nothing is opened
//! before a window asks.
//!
//! It is the weaker wall, and so the second choice. Ports make origins, which keeps storage,
//! scripts and answers apart; but all ports of a host are one *site* to a browser, so cookies are
//! shared between the sites seen this way. Hence `localhost` and not `127.0.0.1`, which is the
//! user's own: the cookie with the token belongs to another host. And since the system may give a
//! port to another peer's site in the next run, what a browser kept for it is cleared by the first
//! document.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goop2_peer::api::Failure;
use goop2_proto::PeerId;
use tokio::{
    net::TcpListener,
    sync::{OnceCell, mpsc},
};

use crate::door::listen;

/// Sites that can be seen at ports in one run: more than a person visits in a day, and two handles
/// each are few enough for the 256 that macOS gives a program.
pub const MAX_SITES: usize = 32;

/// The ports of one viewer.
#[derive(Clone)]
pub struct Ports(Arc<Inner>);

struct Inner {
    open: OnceCell<Vec<u16>>,
    /// Who is at the first, the second, … of the open ports. Nobody leaves before the run is over.
    given: Mutex<Vec<Given>>,
    serve: mpsc::Sender<Vec<TcpListener>>,
}

struct Given {
    peer: PeerId,
    /// What an earlier run left behind is gone.
    cleared: bool,
}

/// Why a site has no port.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// All are given.
    #[error(
        "This window has shown {MAX_SITES} sites since Goop2 started, and can show no more of them. Start Goop2 again, or open \
         the site in a browser that understands addresses ending in “.localhost”."
    )]
    UsedUp,
    /// The viewer ends.
    #[error("Goop2 is closing.")]
    Closed,
    /// The system refused.
    #[error(transparent)]
    Listen(#[from] listen::Error),
}

impl Error {
    /// As a skin reports it.
    pub fn failure(&self) -> Failure {
        let code = match self {
            Self::UsedUp => "used-up",
            Self::Closed => "closed",
            Self::Listen(_) => "ports",
        };
        Failure {
            code: code.into(),
            message: self.to_string(),
        }
    }
}

impl Ports {
    /// The listeners come out at the other end when the first window asks.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Vec<TcpListener>>) {
        let (serve, opened) = mpsc::channel(1);
        let inner = Inner {
            open: OnceCell::new(),
            given: Mutex::default(),
            serve,
        };
        (Self(Arc::new(inner)), opened)
    }

    /// All of them, for the policy of a window that will frame them; they answer once given to a
    /// peer.
    pub async fn open(&self) -> Result<&[u16], Error> {
        let open = || async {
            let mut ports = Vec::with_capacity(MAX_SITES);
            let mut listeners = Vec::with_capacity(2 * MAX_SITES);
            for _ in 0..MAX_SITES {
                let bound = listen::any().await?;
                ports.push(bound.port);
                listeners.extend(bound.listeners);
            }
            self.0
                .serve
                .try_send(listeners)
                .map_err(|_| Error::Closed)?;
            tracing::info!(count = ports.len(), "sites are served at ports too");
            Ok(ports)
        };
        self.0.open.get_or_try_init(open).await.map(Vec::as_slice)
    }

    /// The origin of a peer's site at the port that is its own for the rest of the run.
    pub async fn origin(&self, peer: PeerId) -> Result<String, Error> {
        let open = self.open().await?;
        let mut given = self.given();
        let at = given.iter().position(|given| given.peer == peer);
        let at = at.unwrap_or(given.len());
        let port = *open.get(at).ok_or(Error::UsedUp)?;
        if at == given.len() {
            given.push(Given {
                peer,
                cleared: false,
            });
        }
        Ok(url(port))
    }

    /// The same, if it has one already. A page's links give out none: 32 of them would use up all.
    pub(crate) fn known(&self, peer: &PeerId) -> Option<String> {
        let at = self.given().iter().position(|given| given.peer == *peer)?;
        self.0.open.get()?.get(at).copied().map(url)
    }

    /// Some window finds no names.
    pub(crate) fn in_use(&self) -> bool {
        !self.given().is_empty()
    }

    pub(crate) fn peer_at(&self, port: u16) -> Option<PeerId> {
        let at = self.0.open.get()?.iter().position(|open| *open == port)?;
        self.given().get(at).map(|given| given.peer)
    }

    /// Whether the document about to be answered is the first of this run.
    pub(crate) fn clears(&self, peer: &PeerId) -> bool {
        self.given()
            .iter_mut()
            .find(|given| given.peer == *peer)
            .is_some_and(|given| !std::mem::replace(&mut given.cleared, true))
    }

    fn given(&self) -> MutexGuard<'_, Vec<Given>> {
        self.0.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn url(port: u16) -> String {
    format!("http://localhost:{port}")
}
