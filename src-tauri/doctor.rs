//! `goop2 doctor`: starts the peer of a folder for a few seconds and reports how others can reach
//! it.

use std::{path::Path, time::Duration};

use anyhow::Context;
use goop2_peer::{Folder, FolderError, Peer, api::Network};
use tokio::time::{Instant, timeout_at};

use crate::{lifecycle::runtime, report::Report};

/// A test lasts until a server that does not answer times out, and a router takes a moment more.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long nothing must change before the result counts as final: results arrive one by one.
const SETTLED: Duration = Duration::from_secs(4);

/// The notices that are reported: what others are about is among the facts of the network.
const REPORTED: [&str; 2] = ["clock", "exposed-key"];

pub(crate) fn run(dir: &Path, report: &Report) -> anyhow::Result<()> {
    let folder = Folder::open(dir).map_err(|error| match error {
        FolderError::InUse(_) => anyhow::anyhow!(
            "the peer of this folder is running; see its Network page, or stop it first"
        ),
        error => error.into(),
    })?;
    runtime()?.block_on(async {
        let peer = Peer::start(folder).await?;
        let network = settled(&peer).await;
        let notices = peer.snapshot().borrow().notices.clone();
        peer.shutdown().await;
        for notice in notices
            .iter()
            .filter(|known| REPORTED.contains(&&*known.code))
        {
            report.notice(notice);
        }
        report.diagnosis(&network.context("the peer stopped unexpectedly")?);
        Ok(())
    })
}

/// The state of the network once all tests have ended and nothing changes anymore, or at the
/// deadline.
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
