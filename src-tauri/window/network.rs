//! Commands about the network and the connection to a peer.

use goop2_peer::api::{Failure, PeerReach};
use tauri::State;

use super::running::{Running, failure};

/// The result is in the snapshot.
#[tauri::command]
pub(super) async fn test_network(running: State<'_, Running>) -> Result<(), Failure> {
    running.peer()?.test_again().await;
    Ok(())
}

#[tauri::command]
pub(super) fn network_report(
    redacted: bool,
    running: State<'_, Running>,
) -> Result<String, Failure> {
    running.peer().map(|peer| peer.network_report(redacted))
}

#[tauri::command]
pub(super) async fn peer_reach(
    peer: String,
    running: State<'_, Running>,
) -> Result<PeerReach, Failure> {
    let peer = running.peer()?.peer(&peer).map_err(failure)?;
    Ok(running.peer()?.history(peer).await)
}
