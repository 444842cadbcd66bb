//! A peer without a window: the same peer, the same UI in a browser.

use std::{path::Path, sync::Arc};

use goop2_peer::Peer;
use goop2_viewer::Viewer;

use crate::{
    lifecycle::{END, restart, runtime, start, stop_in_order, stop_signal},
    report::{Report, Reported},
};

pub(crate) fn run(dir: &Path, report: &Report) -> anyhow::Result<()> {
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        // Before anything is online, so that a stop during the start is orderly too.
        let mut stop = std::pin::pin!(stop_signal()?);
        let (mut peer, mut viewer) = start(dir).await?;
        let mut snapshots = peer.snapshot();
        ready(report, &peer, &viewer);
        let mut reported = Reported::default();
        let failed = loop {
            report.changes(&mut reported, &Arc::clone(&snapshots.borrow_and_update()));
            tokio::select! {
                () = &mut stop => break None,
                reason = peer.failed() => break Some(reason),
                () = peer.outdated() => {
                    let before = (viewer.url(), peer.id());
                    (peer, viewer) = restart(dir, peer, viewer).await?;
                    snapshots = peer.snapshot();
                    if (viewer.url(), peer.id()) != before {
                        ready(report, &peer, &viewer);
                    }
                }
                Ok(()) = snapshots.changed() => {}
            }
        };
        stop_in_order(peer, viewer).await;
        failed.map_or(Ok(()), |reason| Err(anyhow::anyhow!(reason)))
    });
    // Dropping it would wait for whatever still runs on other threads.
    runtime.shutdown_timeout(END);
    ended
}

fn ready(report: &Report, peer: &Peer, viewer: &Viewer) {
    let snapshot = Arc::clone(&peer.snapshot().borrow());
    let listen: Vec<_> = peer.listening().iter().map(ToString::to_string).collect();
    report.ready(&snapshot, &listen, &viewer.url(), &viewer.open_url());
}

/// A rendezvous server and nothing else: no peer, no site, no database of one.
pub(crate) fn rendezvous(dir: &Path, report: &Report) -> anyhow::Result<()> {
    let config = goop2_peer::server_config(dir)?;
    runtime()?.block_on(async {
        let stop = stop_signal()?;
        let server = goop2_peer::Hosted::bind(dir, &config.presence).await?;
        report.serving(&server);
        stop.await;
        server.shutdown().await;
        Ok(())
    })
}
