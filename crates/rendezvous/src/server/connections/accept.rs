//! From a socket to the router, and from there, for a subscriber, to [`Subscriber::serve`].

use std::{convert::Infallible, net::IpAddr, pin::Pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, response::Response};
use goop2_proto::household;
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
    client::{self, Client, Net},
    timeouts::{HEAD_TIMEOUT, TimedSocket, Timeouts},
};
use crate::server::{
    limit::{Full, Slot, Slots},
    presence::subscriber::Subscriber,
};

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

/// Whose connections are accepted, and how many.
#[derive(Debug)]
pub(crate) struct Clients {
    /// Room for connections of all clients.
    pub(crate) room: Arc<Semaphore>,
    /// The connections of each client.
    pub(crate) slots: Slots,
    /// Proxies have many clients, and are trusted about them.
    pub(crate) trusted_proxies: Vec<Net>,
}

/// Serves one listener until `stop`. Returns when every connection has ended.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    clients: Arc<Clients>,
    stop: CancellationToken,
) {
    let mut connections = JoinSet::new();
    while let Some(Ok(permit)) = stop
        .run_until_cancelled(Arc::clone(&clients.room).acquire_owned())
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
        let from = addr.ip();
        let Ok(slot) = clients.slot(from) else {
            continue;
        };
        let (router, clients) = (router.clone(), Arc::clone(&clients));
        let connection = connection(socket, from, router, clients, stop.clone());
        connections.spawn(async move {
            connection.await;
            drop((permit, slot));
        });
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    // Connections that are still open are dropped.
    let _dropped_with_the_set = timeout(GRACE, all).await;
}

impl Clients {
    /// One client cannot use up all connections; a proxy, which has many clients, needs no slot.
    fn slot(&self, from: IpAddr) -> Result<Option<Slot>, Full> {
        match self.slots.take(household::of(from)) {
            Ok(slot) => Ok(Some(slot)),
            Err(_) if self.trusted_proxies.iter().any(|net| net.contains(from)) => Ok(None),
            Err(full) => Err(full),
        }
    }
}

async fn connection(
    socket: TcpStream,
    from: IpAddr,
    router: Router,
    clients: Arc<Clients>,
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
        Box::pin(requests(socket, from, router, clients, stop));
    if let Some((socket, subscriber)) = requests.await {
        subscriber.serve(socket).await;
    }
}

/// Answers requests until the connection ends, or one of them is a subscription.
async fn requests(
    socket: TcpStream,
    from: IpAddr,
    router: Router,
    clients: Arc<Clients>,
    stop: CancellationToken,
) -> Option<(TcpStream, Subscriber)> {
    let (takeover, mut taken) = mpsc::channel(1);
    let timeouts = Timeouts::new();
    let timed = TimedSocket {
        socket,
        timeouts: timeouts.clone(),
    };
    let answering = timeouts.clone();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let client = client::client(from, request.headers(), &clients.trusted_proxies);
        request.extensions_mut().insert(Client(client));
        request.extensions_mut().insert(Takeover(takeover.clone()));
        let answer = router.clone().oneshot(request.map(Body::new));
        Box::pin(timed_answer(answer, answering.clone()))
    });
    let mut connection = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(timed), service);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        Some(subscriber) = taken.recv() => {
            return Some((connection.into_parts().io.into_inner().socket, subscriber));
        }
        () = timeouts.expired() => return None,
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

fn timed_answer(
    answer: impl Future<Output = Result<Response, Infallible>>,
    timeouts: Timeouts,
) -> impl Future<Output = Result<Response, Infallible>> {
    timeouts.answering();
    async move {
        let answer = answer.await;
        timeouts.answered();
        answer
    }
}
