//! Sites at their own ports, for a window in which names under `.localhost` don't resolve (some
//! versions of Safari and WKWebView): `http://localhost:<port>` is then one peer's site. No port is
//! opened before a window asks.
//!
//! It is the weaker wall, and so the second choice. Each port is an origin, which keeps storage,
//! scripts and answers apart; but all ports of a host are one *site* to a browser, so the sites
//! seen this way share cookies. Hence `localhost` and not `127.0.0.1`, which is the user's own. And
//! since the system may give a port to another peer's site in the next run, the first document clears
//! what a browser stored for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use goop2_peer::api::Failure;
use goop2_proto::PeerId;
use tokio::{
    net::TcpListener,
    sync::{OnceCell, mpsc},
};

use crate::door::{listen, origin::Visitor};

/// Sites that can have a port in one run: more than a person visits in a day, and at two file
/// handles each few enough for the 256 that macOS allows a program.
pub const MAX_SITES: usize = 32;

/// The ports of one viewer. Clones share them.
#[derive(Clone)]
pub struct Ports(Arc<Inner>);

struct Inner {
    open: OnceCell<Vec<u16>>,
    /// The peer at the first, the second, … of the open ports. It keeps its port for the whole run.
    given: Mutex<Vec<Given>>,
    serve: mpsc::Sender<Vec<TcpListener>>,
}

struct Given {
    peer: PeerId,
    visitor: Visitor,
    /// A document has been answered, so nothing of an earlier run is left in the browser.
    cleared: bool,
}

/// Why a site has no port.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Every port belongs to another site, until the viewer restarts.
    #[error(
        "Goop2 has shown {MAX_SITES} sites since it started and can’t show more in this window. Restart Goop2, or open the site \
         in a browser that supports addresses ending in “.localhost”."
    )]
    UsedUp,
    /// The viewer is shutting down.
    #[error("Goop2 is closing.")]
    Closed,
    /// The operating system refused to open the ports.
    #[error(transparent)]
    Listen(#[from] listen::Error),
}

impl Error {
    /// The code and message for the UI: `used-up`, `closed` or `ports`.
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
    /// The receiver gets the listeners when the first window asks for them.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Vec<TcpListener>>) {
        let (serve, opened) = mpsc::channel(1);
        let inner = Inner {
            open: OnceCell::new(),
            given: Mutex::default(),
            serve,
        };
        (Self(Arc::new(inner)), opened)
    }

    /// All [`MAX_SITES`] ports, for the policy of a window that will frame them. The first call
    /// opens them. Each answers once a peer has it.
    ///
    /// # Errors
    /// [`Error::Listen`] when the ports cannot be opened, [`Error::Closed`] during shutdown.
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
            tracing::info!(count = ports.len(), "sites have ports");
            Ok(ports)
        };
        self.0.open.get_or_try_init(open).await.map(Vec::as_slice)
    }

    /// The same, if they are open.
    pub(crate) fn opened(&self) -> Option<&[u16]> {
        self.0.open.get().map(Vec::as_slice)
    }

    /// The origin of a peer's site, `http://localhost:<port>`. The peer keeps the port for the rest
    /// of the run.
    ///
    /// # Errors
    /// As [`Ports::open`], and [`Error::UsedUp`] when all ports belong to other peers.
    pub async fn origin(&self, peer: PeerId) -> Result<String, Error> {
        self.give(peer, Visitor::User).await
    }

    /// The same of the user's own site, as a stranger sees it.
    ///
    /// # Errors
    /// As [`Ports::origin`].
    pub async fn origin_for_stranger(&self, own: PeerId) -> Result<String, Error> {
        self.give(own, Visitor::Stranger).await
    }

    async fn give(&self, peer: PeerId, visitor: Visitor) -> Result<String, Error> {
        let open = self.open().await?;
        let mut given = self.given();
        let at = given.iter().position(|given| given.is(&peer, visitor));
        let at = at.unwrap_or(given.len());
        let port = *open.get(at).ok_or(Error::UsedUp)?;
        if at == given.len() {
            given.push(Given {
                peer,
                visitor,
                cleared: false,
            });
        }
        Ok(url(port))
    }

    /// The same, if the peer has a port already. Links in a page never assign one: 32 of them would
    /// use up all.
    pub(crate) fn known(&self, peer: &PeerId) -> Option<String> {
        let given = self.given();
        let at = given
            .iter()
            .position(|given| given.is(peer, Visitor::User))?;
        self.0.open.get()?.get(at).copied().map(url)
    }

    /// In some window the names of sites don't resolve.
    pub(crate) fn in_use(&self) -> bool {
        !self.given().is_empty()
    }

    pub(crate) fn site_at(&self, port: u16) -> Option<(PeerId, Visitor)> {
        let at = self.0.open.get()?.iter().position(|open| *open == port)?;
        let given = self.given();
        given.get(at).map(|given| (given.peer, given.visitor))
    }

    /// Whether the next document is the first of this run at the port of this site.
    pub(crate) fn clears(&self, peer: &PeerId, visitor: Visitor) -> bool {
        self.given()
            .iter_mut()
            .find(|given| given.is(peer, visitor))
            .is_some_and(|given| !std::mem::replace(&mut given.cleared, true))
    }

    fn given(&self) -> MutexGuard<'_, Vec<Given>> {
        self.0.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Given {
    fn is(&self, peer: &PeerId, visitor: Visitor) -> bool {
        self.peer == *peer && self.visitor == visitor
    }
}

fn url(port: u16) -> String {
    format!("http://localhost:{port}")
}
