//! Work on the folder that may block: files and the database.

use std::sync::Arc;

use goop2_store::Folder;
use tokio::task::spawn_blocking;

use crate::error::Error;

/// Runs blocking work on a separate thread. [`Error::Closed`] while the program ends.
pub(crate) async fn blocking<T: Send + 'static>(
    folder: &Arc<Folder>,
    work: impl FnOnce(&Folder) -> T + Send + 'static,
) -> Result<T, Error> {
    let folder = Arc::clone(folder);
    spawn_blocking(move || work(&folder))
        .await
        .map_err(|_| Error::Closed)
}
