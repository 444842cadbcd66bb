//! The local web: visited sites, the UI for browsers and its API, all over one running [`Peer`].
//!
//! Everything that arrives here is hostile until shown otherwise: a visited site is a stranger's
//! program, and any page in any browser on this machine can send requests to a loopback port. So
//! the *origin* a request is for decides everything, and each origin has a router of its own with
//! nothing in it that the origin may not have:
//!
//! * `http://<label>.localhost:<port>` (`site`) is one peer's site: its files, its data, read-only
//!   facts about the visitor.
//! * `http://localhost:<another port>` is the same site where such names lead nowhere, for windows
//!   that say so ([`ports`]).
//! * `http://127.0.0.1:<port>` (`control`) is the user: the UI, and an API behind a token made anew
//!   for each run.
//!
//! A request passes, in this order: `door::origin` (whose? by `Host` alone), `door::guard` (did a page of that
//! same origin send it?), one router, for the API the token, and then a handler that only
//! translates between HTTP and [`Peer`].
//!
//! Refused: one origin with paths as walls (every site could drive the UI), a port per site as the
//! only scheme (cookies and permissions are shared between ports), and headers that allow other
//! origins anything (none is ever sent).

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

/// How the viewer is reached.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `viewer.http_addr`: `127.0.0.1:<port>`, or `:<port>` and other ways to write the same. Port
    /// 0 takes any free one. Empty: port 8080, or the next free one.
    pub http_addr: String,
    /// Of a viewer before this one, whose windows go on; a new token otherwise.
    pub pass: Option<Pass>,
}

/// What windows in browsers have of a viewer: whoever has it has everything, so it cannot be
/// printed.
#[derive(Clone)]
pub struct Pass(Token);

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pass")
    }
}

/// The running viewer. Dropping it ends everything at once; [`Viewer::shutdown`] does it in order.
pub struct Viewer {
    app: Arc<App>,
    default_taken: bool,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Viewer {
    /// Returns once the address is bound and answers.
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
        tracing::info!(port = bound.port, "viewer listens");
        Ok(Self {
            app,
            default_taken: bound.default_taken,
            tasks,
            stop,
        })
    }

    /// The port that sites' names and the user's own origin share.
    pub fn port(&self) -> u16 {
        self.app.port
    }

    /// No port was configured, and the usual one belongs to another program: [`Viewer::port`] is
    /// the next that was free.
    pub fn default_taken(&self) -> bool {
        self.default_taken
    }

    /// The address people know.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.app.port)
    }

    /// The same with the token of this run: opens the UI ready to use. Whoever has it has
    /// everything; it is never logged.
    pub fn open_url(&self) -> String {
        format!("{}?token={}", self.url(), self.app.token.secret())
    }

    /// For the viewer that comes after this one.
    pub fn pass(&self) -> Pass {
        Pass(self.app.token.clone())
    }

    /// Documents that frames ask for, once when asked for and once when answered. A frame within a
    /// site's page is one too: browsers send the same for both, so a window compares with what its
    /// own frame loads.
    pub fn navigated(&self) -> broadcast::Receiver<Navigated> {
        self.app.navigated.subscribe()
    }

    /// What pages of sites wanted and did not get, as their browser tells.
    pub fn denied(&self) -> broadcast::Receiver<Denied> {
        self.app.denied.subscribe()
    }

    /// Sites at ports of their own, for a window that finds no names.
    pub fn ports(&self) -> &Ports {
        &self.app.ports
    }

    /// Accepts nothing more, ends event streams, lets short answers finish, cuts long ones, and
    /// returns when all is closed.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}
