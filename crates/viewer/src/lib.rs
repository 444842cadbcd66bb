//! The local web: visited sites, the UI for browsers and its API, all served from one running
//! [`Peer`].
//!
//! Everything that arrives here is hostile until shown otherwise: a visited site is a stranger's
//! program, and any page in any browser on this computer can send requests to a loopback port. So
//! the *origin* a request is for decides everything, and each origin has its own router with
//! nothing in it that the origin may not have:
//!
//! * `http://<label>.localhost:<port>` (`site`) is one peer's site: its files, its data, read-only
//!   facts about the visitor.
//! * `http://v<label>.localhost:<port>` is the user's own site as a stranger gets it: the same files,
//!   the tables under their policies, and another visitor.
//! * `http://localhost:<another port>` is the same site, for windows that report that such names
//!   don't resolve ([`ports`]).
//! * `http://127.0.0.1:<port>` (`control`) is the user: the UI, and an API behind a token that
//!   changes with each run.
//!
//! A request passes, in this order: `door::origin` (whose? by `Host` alone), `door::guard` (did a
//! page of that same origin send it?), one router, for the API the token, and then a handler that
//! only translates between HTTP and [`Peer`].
//!
//! Rejected: one origin with paths as walls (every site could drive the UI), a port per site as the
//! only scheme (cookies and permissions are shared between ports), and headers that allow anything
//! to other origins (none is ever sent).

#![deny(missing_docs)]

mod answer;
mod app;
mod body;
mod control;
mod door;
mod events;
mod page;
mod policy;
mod serve;
mod site;

use std::{fmt, sync::Arc};

use goop2_peer::{
    Peer,
    api::{Denied, Navigated},
};
use tokio::{sync::broadcast, task::JoinSet};
use tokio_util::sync::CancellationToken;

use app::App;
use door::{listen, ports::Ports, token::Token};
pub use door::{listen::Error, ports};

/// Where the viewer listens, and what it takes over from the one before.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `viewer.http_addr` of `goop.json`: `127.0.0.1:<port>`, or `:<port>` and other ways to write
    /// the same (PROTOCOL §10.2). Port 0 takes any free port. Empty: the first free port from 8080
    /// to 8111, or else any free port.
    pub http_addr: String,
    /// The pass of the previous viewer, so that windows in browsers stay signed in. `None`: a new
    /// token.
    pub pass: Option<Pass>,
}

/// The token that signs browsers in to a viewer. Anyone who has it can do everything the user can,
/// so it cannot be printed.
#[derive(Clone)]
pub struct Pass(Token);

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pass")
    }
}

/// The running viewer. Dropping it aborts everything at once; [`Viewer::shutdown`] stops it in
/// order.
pub struct Viewer {
    app: Arc<App>,
    default_taken: bool,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Viewer {
    /// Returns once the viewer is listening.
    ///
    /// # Errors
    /// [`Error`] when [`Config::http_addr`] cannot be understood, is not on this computer, or its
    /// port cannot be bound.
    pub async fn bind(peer: Peer, config: Config) -> Result<Self, Error> {
        let bound = listen::bind(&config.http_addr).await?;
        let stop = CancellationToken::new();
        let (ports, opened) = Ports::new();
        let app = Arc::new(App::new(
            peer,
            bound.port,
            ports,
            config.pass.map_or_else(Token::random, |Pass(token)| token),
            stop.clone(),
        ));
        let tasks = serve::spawn(bound.listeners, opened, Arc::clone(&app), &stop);
        tracing::info!(port = bound.port, "viewer is listening");
        Ok(Self {
            app,
            default_taken: bound.default_taken,
            tasks,
            stop,
        })
    }

    /// The port that the names of sites and the user's own origin share.
    pub fn port(&self) -> u16 {
        self.app.port
    }

    /// No port was configured, and port 8080 is in use by another program: [`Viewer::port`] is the
    /// next one that was free.
    pub fn default_taken(&self) -> bool {
        self.default_taken
    }

    /// The address people know: `http://127.0.0.1:<port>/`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.app.port)
    }

    /// The same with the token of this run: opens the UI ready to use. Anyone who has it can do
    /// everything the user can; it is never logged.
    pub fn open_url(&self) -> String {
        format!("{}?token={}", self.url(), self.app.token.secret())
    }

    /// For the viewer that replaces this one ([`Config::pass`]).
    pub fn pass(&self) -> Pass {
        Pass(self.app.token.clone())
    }

    /// Documents that frames request: one message for the request, one for the answer. A frame
    /// within a site's page counts too: browsers send the same for both, so a window compares with
    /// what its own frame loads. A reader that is more than 64 messages behind misses the oldest.
    pub fn navigated(&self) -> broadcast::Receiver<Navigated> {
        self.app.navigated.subscribe()
    }

    /// What the policy of a site's origin kept its pages from loading, as their browser reports it.
    /// A reader that is more than 64 messages behind misses the oldest.
    pub fn denied(&self) -> broadcast::Receiver<Denied> {
        self.app.denied.subscribe()
    }

    /// Sites at their own ports, for a window in which the names of sites don't resolve.
    pub fn ports(&self) -> &Ports {
        &self.app.ports
    }

    /// Stops accepting connections, ends event streams, lets short answers finish (300 ms), cuts
    /// off long ones, and returns when everything is closed.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}
