//! From a socket to the router, and from there, for a subscriber, to [`Subscriber::serve`].

use std::{convert::Infallible, net::IpAddr, pin::Pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{
    client,
    timeouts::{HEAD_TIMEOUT, Patience, Watched},
};
use crate::server::{app::App, presence::subscriber::Subscriber};

/// Bytes of a request before its body; the least the HTTP library takes is 8 KiB.
const MAX_HEAD: usize = 16 * 1024;
/// After the end was asked for (§6.1).
const GRACE: Duration = Duration::from_secs(2);
/// When the system has no more file handles, accepting at once again would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The way out of HTTP for a request whose answer never ends: in the extensions of every request.
#[derive(Clone)]
pub(crate) struct Takeover(pub(crate) mpsc::Sender<Subscriber>);

/// The client behind all trusted proxies; in the extensions of every request.
#[derive(Clone, Copy)]
pub(crate) struct Client(pub(crate) IpAddr);

/// Serves one listener until `stop`. Returns when every connection has ended.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    app: Arc<App>,
    room: Arc<Semaphore>,
    stop: CancellationToken,
) {
    let mut connections = JoinSet::new();
    while let Some(Ok(permit)) = stop
        .run_until_cancelled(Arc::clone(&room).acquire_owned())
        .await
    {
        let accepted = loop {
            tokio::select! {
                () = stop.cancelled() => break None,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => break Some(accepted),
            }
        };
        let Some(accepted) = accepted else { break };
        let Ok((socket, addr)) = accepted else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // One client cannot hold all the room; a proxy's clients are many.
        let proxy = app
            .trusted_proxies
            .iter()
            .any(|net| net.contains(addr.ip()));
        let seat = match app.sockets.take(client::household(addr.ip())) {
            Ok(seat) => Some(seat),
            Err(_) if proxy => None,
            Err(_) => continue,
        };
        let connection = connection(
            socket,
            addr.ip(),
            router.clone(),
            Arc::clone(&app),
            stop.clone(),
        );
        connections.spawn(async move {
            connection.await;
            drop((permit, seat));
        });
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    // Whoever has not taken the end by now will not.
    let _dropped_with_the_set = timeout(GRACE, all).await;
}

async fn connection(
    socket: TcpStream,
    from: IpAddr,
    router: Router,
    app: Arc<App>,
    stop: CancellationToken,
) {
    let _best_effort = socket.set_nodelay(true);
    // Whoever says nothing costs a socket and no buffer. (`readable` alone returns once for every
    // new socket.)
    let mut first = [0];
    let spoken = stop.run_until_cancelled(timeout(HEAD_TIMEOUT, socket.peek(&mut first)));
    if !matches!(spoken.await, Some(Ok(Ok(1)))) {
        return;
    }
    // Boxed, so that a subscriber does not carry the size of a request for hours.
    let requests: Pin<Box<dyn Future<Output = _> + Send>> =
        Box::pin(requests(socket, from, router, app, stop));
    if let Some((socket, subscriber)) = requests.await {
        subscriber.serve(socket).await;
    }
}

/// Answers requests until the connection ends, or one of them is a subscription.
async fn requests(
    socket: TcpStream,
    from: IpAddr,
    router: Router,
    app: Arc<App>,
    stop: CancellationToken,
) -> Option<(TcpStream, Subscriber)> {
    let (takeover, mut taken) = mpsc::channel(1);
    let patience = Patience::new();
    let watched = Watched {
        socket,
        patience: patience.clone(),
    };
    let waiting = patience.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let client = client::client(from, request.headers(), &app.trusted_proxies);
        request.extensions_mut().insert(Client(client));
        request.extensions_mut().insert(Takeover(takeover.clone()));
        let (answer, patience) = (
            router.clone().oneshot(request.map(Body::new)),
            patience.clone(),
        );
        patience.answering();
        Box::pin(async move {
            let answer: Result<Response, Infallible> = answer.await;
            patience.answered();
            answer
        })
    });
    let mut connection = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(watched), service);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        Some(subscriber) = taken.recv() => {
            return Some((connection.into_parts().io.into_inner().socket, subscriber));
        }
        () = waiting.end() => return None,
        () = stop.cancelled() => {
            Pin::new(&mut connection).graceful_shutdown();
            timeout(GRACE, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended early");
    }
    None
}
