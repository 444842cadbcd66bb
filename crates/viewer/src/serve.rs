//! From a socket to a router. The number and duration of connections are bounded, and every task
//! has an owner.

use std::{convert::Infallible, io::ErrorKind, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderName, HeaderValue, uri::PathAndQuery},
    response::{IntoResponse, Response},
};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{
    app::App,
    control,
    door::{
        guard,
        origin::{self, Origin, Site},
    },
    site,
};

/// Connections at once: browsers open six to each origin, so these suffice for eighty open sites.
/// Each may hold [`MAX_HEAD`] and a body. A waiting listener counts as one.
const MAX_CONNECTIONS: usize = 512;
/// Bytes of a request before its body: many times what the cookies of one site and a long address
/// take.
const MAX_HEAD: usize = 64 * 1024;
/// A connection that has no complete request head for this long is closed, idle ones included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");
const STORAGE: HeaderValue = HeaderValue::from_static("\"storage\"");
/// For answers on their way at shutdown: long enough for one that is ready, short compared with the
/// 2 s of the whole program.
const GRACE: Duration = Duration::from_millis(300);
/// When the system has no more file handles, accepting again at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves on these listeners and on later ones until `stop`. Every task is in the returned set, or
/// in the set of one of its tasks. Losing a listener is a failure of the peer.
pub(crate) fn spawn(
    listeners: Vec<TcpListener>,
    later: mpsc::Receiver<Vec<TcpListener>>,
    app: Arc<App>,
    stop: &CancellationToken,
) -> JoinSet<()> {
    let routers = Routers {
        control: control::router(Arc::clone(&app)),
        site: site::router(Arc::clone(&app)),
        app,
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(listen(listeners, later, routers, stop.clone()));
    tasks
}

async fn listen(
    mut listeners: Vec<TcpListener>,
    mut later: mpsc::Receiver<Vec<TcpListener>>,
    routers: Routers,
    stop: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut listening = JoinSet::new();
    loop {
        for listener in listeners {
            listening.spawn(accept(
                listener,
                routers.clone(),
                Arc::clone(&room),
                stop.clone(),
            ));
        }
        listeners = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = listening.join_next() => {
                if !stop.is_cancelled() {
                    let port = routers.app.port;
                    routers.app.peer.fail(format!("Goop2 lost its port {port} on this computer, where it shows sites."));
                }
                Vec::new()
            }
            more = later.recv() => match more {
                Some(more) => more,
                None => break,
            },
        };
    }
    drop(later);
    while listening.join_next().await.is_some() {}
}

async fn accept(
    listener: TcpListener,
    routers: Routers,
    room: Arc<Semaphore>,
    stop: CancellationToken,
) {
    let mut connections = JoinSet::new();
    while let Some(permit) = stop
        .run_until_cancelled(Arc::clone(&room).acquire_owned())
        .await
    {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            // Neither this connection nor too many open files: the socket has stopped listening.
            Err(error) if error.kind() == ErrorKind::InvalidInput => break,
            Err(_) => {
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let connection = connection(stream, routers.clone(), stop.clone());
        connections.spawn(async move {
            connection.await;
            drop(permit);
        });
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(stream: TcpStream, routers: Routers, stop: CancellationToken) {
    let _best_effort = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        routers.clone().answer(request.map(Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_header_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            timeout(GRACE, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended early");
    }
}

#[derive(Clone)]
struct Routers {
    control: Router,
    site: Router,
    app: Arc<App>,
}

impl Routers {
    /// Handles every request. Nothing else is read before its origin is known and its sender
    /// admitted.
    async fn answer(self, mut request: Request) -> Result<Response, Infallible> {
        let site_at = |port| self.app.ports.site_at(port);
        let own = self.app.peer.id();
        let (origin, url) = match origin::of(&request, self.app.port, &own, site_at) {
            Ok(found) => found,
            Err(refusal) => return Ok(refusal.into_response()),
        };
        collapse_slashes(&mut request);
        let is_api = match origin {
            Origin::Control => control::is_api,
            Origin::Site(..) | Origin::Port(..) => site::is_api,
        };
        if let Err(refusal) = guard::admit(&request, &url, is_api) {
            if let Origin::Site(peer, _) | Origin::Port(peer, _) = origin
                && refusal == guard::NO_WORKERS
            {
                site::reports::worker(&self.app, peer, request.uri().path());
            }
            return Ok(refusal.into_response());
        }
        match origin {
            Origin::Control => self.control.oneshot(request).await,
            Origin::Site(peer, visitor) => {
                request.extensions_mut().insert(Site(peer));
                request.extensions_mut().insert(visitor);
                self.site.oneshot(request).await
            }
            Origin::Port(peer, visitor) => {
                let document = guard::is_navigation(request.headers());
                request.extensions_mut().insert(Site(peer));
                request.extensions_mut().insert(visitor);
                let mut response = self.site.oneshot(request).await?;
                if document && self.app.ports.clears(&peer, visitor) {
                    response.headers_mut().insert(CLEAR_SITE_DATA, STORAGE);
                }
                Ok(response)
            }
        }
    }
}

/// `//p/…` is `/p/…`: as a link, a path that begins with two slashes would mean a host (RFC 3986
/// §4.2).
fn collapse_slashes(request: &mut Request) {
    let Some(whole) = request
        .uri()
        .path_and_query()
        .map(PathAndQuery::as_str)
        .filter(|whole| whole.starts_with("//"))
    else {
        return;
    };
    let single = format!("/{}", whole.trim_start_matches('/'));
    if let Ok(uri) = single.parse() {
        *request.uri_mut() = uri;
    }
}
