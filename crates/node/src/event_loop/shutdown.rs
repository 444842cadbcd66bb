//! Stopping in order, so that the last messages arrive.

use std::time::Duration;

use futures::StreamExt;
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::EventLoop;

/// How long connections may take to pass on what was queued before the end.
const FLUSH: Duration = Duration::from_millis(400);

/// How long connections may take to close.
const CLOSE: Duration = Duration::from_millis(300);

/// How long the tasks may take to end; the mDNS goodbye is one packet for each interface.
const JOIN: Duration = Duration::from_millis(200);

/// All of it and the margin for a loaded computer; after that the task is aborted.
pub(crate) const SHUTDOWN: Duration = Duration::from_millis(1500);

impl EventLoop {
    pub(super) async fn shutdown(mut self, stop: CancellationToken, mut tasks: JoinSet<()>) {
        // 1. The tasks end while the rest goes on; mDNS says goodbye, so that nobody dials us from
        //    here on.
        stop.cancel();
        // 2. What was published before (the offline message) leaves: each connection answers one
        //    more round trip.
        self.probes.abort_all();
        self.probe(|_| true);
        let flushed = async {
            loop {
                tokio::select! {
                    ended = self.probes.join_next() => if ended.is_none() { break },
                    _ = self.swarm.select_next_some() => {}
                }
            }
        };
        if timeout(FLUSH, flushed).await.is_err() {
            tracing::debug!("some connections did not answer before the end");
        }
        // 3. Connections close, the other side sees it at once.
        let peers: Vec<_> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let closed = async {
            while self.swarm.connected_peers().next().is_some() {
                self.swarm.select_next_some().await;
            }
        };
        let _ = timeout(CLOSE, closed).await;
        // 4. Nothing is left behind.
        let joined = async { while tasks.join_next().await.is_some() {} };
        let _ = timeout(JOIN, joined).await;
        tasks.shutdown().await;
    }
}
