//! How a peer and its viewer start, start again and stop, with a window or without one.

use std::{path::Path, time::Duration};

use anyhow::Context;
use goop2_peer::{Config, Folder, Peer, api::Notice, keep_until_restart};
use goop2_viewer::{Pass, Viewer};
use tokio::time::timeout;

/// How long a restart waits until the folder is closed. What runs in its database is interrupted;
/// only a single function of SQLite, on one row, runs to its end.
const RELEASE: Duration = Duration::from_secs(15);
/// How long the end of the process waits for work on other threads.
pub(crate) const END: Duration = Duration::from_secs(5);

pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime could not be started")
}

/// The peer of a folder and its viewer, both listening.
pub(crate) async fn start(dir: &Path) -> anyhow::Result<(Peer, Viewer)> {
    start_after(dir, None).await
}

/// The same for its owner alone: only this computer can ask the viewer, and nobody the peer.
#[cfg(feature = "desktop")]
pub(crate) async fn start_offline(dir: &Path) -> anyhow::Result<(Peer, Viewer)> {
    let folder = Folder::open(dir)?;
    let config = viewer_config(&folder, None);
    let peer = Peer::start_offline(folder).await?;
    with_viewer(peer, config).await
}

/// What the next run takes over.
#[derive(Clone)]
struct Past {
    config: Config,
    port: u16,
    pass: Pass,
}

/// Starts again, so that settings apply that are read at a start only. Pages in browsers reconnect
/// automatically. Settings that prevent the start are taken back.
pub(crate) async fn restart(
    dir: &Path,
    peer: Peer,
    viewer: Viewer,
) -> anyhow::Result<(Peer, Viewer)> {
    let past = Past {
        config: peer.started_with().clone(),
        port: viewer.port(),
        pass: viewer.pass(),
    };
    let released = peer.released();
    stop_in_order(peer, viewer).await;
    if timeout(RELEASE, released).await.is_err() {
        tracing::warn!("the folder is still in use");
    }
    let error = match start_after(dir, Some(past.clone())).await {
        Ok(started) => return Ok(started),
        Err(error) => error,
    };
    let before = past.config.clone();
    Folder::open(dir)?.update_config(move |config| keep_until_restart(config, &before))?;
    let (peer, viewer) = start_after(dir, Some(past)).await?;
    let message = format!("{error} The previous setting is back in effect.");
    peer.notify(Notice {
        code: "taken-back".into(),
        message,
    });
    Ok((peer, viewer))
}

async fn start_after(dir: &Path, past: Option<Past>) -> anyhow::Result<(Peer, Viewer)> {
    let folder = Folder::open(dir)?;
    let config = viewer_config(&folder, past);
    let peer = Peer::start(folder).await?;
    let (peer, viewer) = with_viewer(peer, config).await?;
    if viewer.default_taken() {
        let message = format!(
            "Port 8080 is in use, so Goop2 uses port {} for now.",
            viewer.port()
        );
        peer.notify(Notice {
            code: "port-taken".into(),
            message,
        });
    }
    Ok((peer, viewer))
}

fn viewer_config(folder: &Folder, past: Option<Past>) -> goop2_viewer::Config {
    let mut http_addr = folder.config().viewer.http_addr;
    if let Some(past) = &past
        && past.config.viewer.http_addr == http_addr
    {
        // The port may have been any free one, and the pages in browsers still use it.
        http_addr = format!("127.0.0.1:{}", past.port);
    }
    goop2_viewer::Config {
        http_addr,
        pass: past.map(|past| past.pass),
    }
}

async fn with_viewer(peer: Peer, config: goop2_viewer::Config) -> anyhow::Result<(Peer, Viewer)> {
    match Viewer::bind(peer.clone(), config).await {
        Ok(viewer) => Ok((peer, viewer)),
        Err(error) => {
            peer.shutdown().await;
            Err(error.into())
        }
    }
}

/// The viewer first: nobody should ask a peer that is saying goodbye.
pub(crate) async fn stop_in_order(peer: Peer, viewer: Viewer) {
    viewer.shutdown().await;
    peer.shutdown().await;
}

/// Resolves at Ctrl-C or SIGTERM; on Windows at Ctrl-C or Ctrl-Break, and when the console is
/// closed or the system shuts down. After the call none of them ends the process on its own. Must
/// be called within the runtime.
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
    let (mut interrupt, mut stop, mut close, mut shutdown) = {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
        let listen = || -> std::io::Result<_> {
            Ok((ctrl_c()?, ctrl_break()?, ctrl_close()?, ctrl_shutdown()?))
        };
        listen().context("no signal handler")?
    };
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        // After the last two the system gives a process five seconds.
        #[cfg(windows)]
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = stop.recv() => {}
            _ = close.recv() => {}
            _ = shutdown.recv() => {}
        }
    })
}
