//! Commands about rendezvous servers. The results are in the snapshot.

use goop2_peer::api::{Failure, Host, Qr};
use tauri::State;

use super::running::{Running, failure};

#[tauri::command]
pub(super) fn rendezvous_address(
    text: &str,
    running: State<'_, Running>,
) -> Result<String, Failure> {
    running.peer()?.rendezvous_address(text).map_err(failure)
}

#[tauri::command]
pub(super) async fn join_rendezvous(
    text: String,
    running: State<'_, Running>,
) -> Result<String, Failure> {
    running
        .peer()?
        .join_rendezvous(&text)
        .await
        .map_err(failure)
}

#[tauri::command]
pub(super) async fn leave_rendezvous(
    url: String,
    running: State<'_, Running>,
) -> Result<(), Failure> {
    running
        .peer()?
        .leave_rendezvous(&url)
        .await
        .map_err(failure)
}

#[tauri::command]
pub(super) async fn host_rendezvous(
    host: Host,
    running: State<'_, Running>,
) -> Result<(), Failure> {
    running.peer()?.host_rendezvous(host).await.map_err(failure)
}

#[tauri::command]
pub(super) fn admin_password(running: State<'_, Running>) -> Result<String, Failure> {
    running.peer().map(|peer| peer.admin_password())
}

#[tauri::command]
pub(super) async fn register(
    url: String,
    email: String,
    running: State<'_, Running>,
) -> Result<String, Failure> {
    running
        .peer()?
        .register(&url, &email)
        .await
        .map_err(failure)
}

#[tauri::command]
pub(super) fn qr(text: &str, running: State<'_, Running>) -> Result<Qr, Failure> {
    running.peer()?.qr(text).map_err(failure)
}
