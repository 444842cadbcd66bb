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
    timeouts::{HEAD_TIMEOUT, TimedSocket, Timeouts},
};
use crate::server::{app::App, presence::subscriber::Subscriber};

/// Bytes of a request before its body; the HTTP library accepts no less than 8 KiB.
const MAX_HEAD: usize = 16 * 1024;
/// Time to finish after shutdown was requested (§6.1).
const GRACE: Duration = Duration::from_secs(2);
/// When the system has no more file handles, accepting at once again would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Takes the connection out of HTTP for an answer that never ends; in the extensions of every
/// request.
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
        // One client cannot use up all connections; a proxy has many clients.
        let proxy = app
            .trusted_proxies
            .iter()
            .any(|net| net.contains(addr.ip()));
        let seat = match app.sockets.take(client::client_network(addr.ip())) {
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
    // Connections that are still open are dropped.
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
    // A silent client costs a socket but no buffer. (`readable` alone returns once for every new
    // socket.)
    let mut first = [0];
    let spoken = stop.run_until_cancelled(timeout(HEAD_TIMEOUT, socket.peek(&mut first)));
    if !matches!(spoken.await, Some(Ok(Ok(1)))) {
        return;
    }
    // Boxed, so that a subscriber does not need the memory of a request for hours.
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
    let timeouts = Timeouts::new();
    let timed = TimedSocket {
        socket,
        timeouts: timeouts.clone(),
    };
    let waiting = timeouts.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let client = client::client(from, request.headers(), &app.trusted_proxies);
        request.extensions_mut().insert(Client(client));
        request.extensions_mut().insert(Takeover(takeover.clone()));
        let (answer, timeouts) = (
            router.clone().oneshot(request.map(Body::new)),
            timeouts.clone(),
        );
        timeouts.answering();
        Box::pin(async move {
            let answer: Result<Response, Infallible> = answer.await;
            timeouts.answered();
            answer
        })
    });
    let mut connection = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(timed), service);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        Some(subscriber) = taken.recv() => {
            return Some((connection.into_parts().io.into_inner().socket, subscriber));
        }
        () = waiting.expired() => return None,
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
