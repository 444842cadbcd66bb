//! A peer without a window: the same peer, the same UI in a browser.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use goop2_peer::{Peer, api::Notice};
use goop2_viewer::Viewer;

use crate::report::{Report, Said};

pub(crate) fn run(dir: &Path, report: &Report) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        // Before anything is online: who stops the start, stops it in order too.
        let mut stop = std::pin::pin!(stop_signal()?);
        let (peer, viewer) = start(dir).await?;
        let mut snapshots = peer.snapshot();
        let snapshot = Arc::clone(&snapshots.borrow_and_update());
        let listen: Vec<_> = peer.listening().iter().map(ToString::to_string).collect();
        report.ready(&snapshot, &listen, &viewer.url(), &viewer.open_url());
        let mut said = Said::default();
        let failed = loop {
            report.changes(&mut said, &Arc::clone(&snapshots.borrow_and_update()));
            tokio::select! {
                () = &mut stop => break None,
                reason = peer.failed() => break Some(reason),
                Ok(()) = snapshots.changed() => {}
            }
        };
        stop_in_order(peer, viewer).await;
        failed.map_or(Ok(()), |reason| Err(anyhow::anyhow!(reason)))
    })
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

pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime could not be started")
}

/// The peer of a folder and its viewer, both listening.
pub(crate) async fn start(dir: &Path) -> anyhow::Result<(Peer, Viewer)> {
    let folder = goop2_peer::Folder::open(dir)?;
    let http_addr = folder.config().viewer.http_addr.clone();
    let peer = Peer::start(folder).await?;
    let viewer = match Viewer::bind(peer.clone(), goop2_viewer::Config { http_addr }).await {
        Ok(viewer) => viewer,
        Err(error) => {
            peer.shutdown().await;
            return Err(error.into());
        }
    };
    if viewer.default_taken() {
        let message = format!(
            "Port 8080 belongs to another program, so this peer's pages are at {} this time.",
            viewer.url()
        );
        peer.notify(Notice {
            code: "port-taken".into(),
            message,
        });
    }
    Ok((peer, viewer))
}

/// The viewer first: nobody should ask a peer that is saying goodbye.
pub(crate) async fn stop_in_order(peer: Peer, viewer: Viewer) {
    viewer.shutdown().await;
    peer.shutdown().await;
}

/// Resolves at Ctrl-C or SIGTERM; from the call on, neither ends the process by itself. To be called within the runtime.
pub(crate) fn stop_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    #[cfg(unix)]
    let (mut interrupt, mut terminate) = {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).context("no signal handler");
        (
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
        )
    };
    #[cfg(windows)]
    let mut interrupt = tokio::signal::windows::ctrl_c().context("no signal handler")?;
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        #[cfg(windows)]
        drop(interrupt.recv().await);
    })
}
