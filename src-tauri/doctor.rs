//! `goop2 doctor`: starts the peer of a folder for some seconds, and says how it can be reached.

use std::{path::Path, time::Duration};

use anyhow::Context;
use goop2_peer::{Folder, FolderError, Peer, api::Network};
use tokio::time::{Instant, timeout_at};

use crate::{lifecycle::runtime, report::Report};

/// Tests take as long as the slowest answer of a server that is not there, and a moment more for a
/// router.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long nothing must have changed before it counts as found out: results come one after the
/// other.
const SETTLED: Duration = Duration::from_secs(4);

pub(crate) fn run(dir: &Path, report: &Report) -> anyhow::Result<()> {
    let folder = Folder::open(dir).map_err(|error| match error {
        FolderError::InUse(_) => anyhow::anyhow!(
            "the peer of this folder is running: its Network page shows the same, or stop it first"
        ),
        error => error.into(),
    })?;
    runtime()?.block_on(async {
        let peer = Peer::start(folder).await?;
        let network = settled(&peer).await;
        peer.shutdown().await;
        report.diagnosis(&network.context("the peer ended by itself")?);
        Ok(())
    })
}

/// The network as it is once all tests have ended and nothing changes any more; as it is then, when
/// that takes too long.
async fn settled(peer: &Peer) -> Option<Network> {
    let mut snapshots = peer.snapshot();
    let deadline = Instant::now() + PATIENCE;
    let mut network = snapshots.borrow_and_update().network.clone();
    let mut calm = Instant::now() + SETTLED;
    loop {
        let until = if network.testing {
            deadline
        } else {
            calm.min(deadline)
        };
        match timeout_at(until, snapshots.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return None,
            Err(_) => return Some(network),
        }
        let now = snapshots.borrow_and_update().network.clone();
        if now != network {
            calm = Instant::now() + SETTLED;
            network = now;
        }
    }
}
