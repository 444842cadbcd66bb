//! What happens on the site while people read it: `changes` tells open pages what changed, `folder`
//! finds it out, and `readers` counts who reads.

pub(crate) mod changes;
pub(crate) mod folder;
pub(crate) mod readers;
pub(crate) mod served;
pub(crate) mod stream;

use goop2_proto::web::{LIVE, RELOADS};
use goop2_store::{Config, Content, Folder};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header::CONTENT_TYPE, request::Parts};
use tokio::sync::watch;

use crate::live::{changes::Changes, readers::Readers};

/// Shared by those who answer visitors, the task that watches the folder, and the façade.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) changes: Changes,
    pub(crate) readers: Readers,
}

impl Live {
    pub(crate) fn new(config: watch::Receiver<Config>) -> Self {
        Self {
            readers: Readers::new(config.clone()),
            changes: Changes::new(config),
        }
    }

    /// The site's answer to a request; a page says whether it should reload. Blocks (disk).
    pub(crate) fn answer(&self, folder: &Folder, request: &Parts) -> Response<Content> {
        let mut response = folder.site().answer(request);
        self.changes.served().note(request, &response);
        let is_page = match response.status() {
            StatusCode::OK => is_html(response.headers()),
            StatusCode::NOT_MODIFIED => may_be_page(request.uri.path()),
            _ => false,
        };
        if is_page && self.changes.reloads() {
            let reloads = HeaderValue::from_static(RELOADS);
            response.headers_mut().insert(LIVE, reloads);
        }
        response
    }
}

/// Whether a page is at this address, by its name: an answer without content has no type.
fn may_be_page(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    ending.is_none_or(|ending| ["html", "htm"].contains(&ending))
}

/// Whether the answer is a page.
pub(crate) fn is_html(headers: &HeaderMap) -> bool {
    let mime = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    mime.is_some_and(|mime| mime.starts_with(b"text/html"))
}
