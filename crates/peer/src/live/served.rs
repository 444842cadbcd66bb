//! The addresses that open pages use, for a folder that can only be looked at.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use goop2_store::Folder;
use http::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, ETAG, RANGE},
    request::Parts,
};
use percent_encoding::percent_decode_str;

/// Addresses that are looked at: the files of some dozens of open pages.
const MAX_SERVED: usize = 256;

/// The addresses that were answered last, and which version each had.
#[derive(Clone, Default)]
pub(crate) struct Served(Arc<Mutex<HashMap<String, Version>>>);

struct Version {
    asked: Instant,
    tag: String,
}

impl Served {
    /// Notes an answer of the site.
    pub(crate) fn note<B>(&self, request: &Parts, response: &Response<B>) {
        let is_file = matches!(response.status(), StatusCode::OK | StatusCode::NOT_MODIFIED);
        if request.method != Method::GET || !is_file || request.headers.contains_key(RANGE) {
            return;
        }
        let Some(tag) = tag(response.headers()) else {
            return;
        };
        let mut served = self.served();
        let path = request.uri.path();
        if served.len() >= MAX_SERVED && !served.contains_key(path) {
            let oldest = served.iter().min_by_key(|(_, version)| version.asked);
            if let Some(oldest) = oldest.map(|(path, _)| path.clone()) {
                served.remove(&oldest);
            }
        }
        let asked = Instant::now();
        served.insert(path.into(), Version { asked, tag });
    }

    /// The addresses that have another version now. Blocks (disk).
    pub(super) fn changed(&self, folder: &Folder) -> Vec<String> {
        let paths: Vec<String> = self.served().keys().cloned().collect();
        let mut changed = vec![];
        for path in paths {
            let tag = head(&path).and_then(|head| tag(folder.site().answer(&head).headers()));
            let mut served = self.served();
            let Some(version) = served.get_mut(&path) else {
                continue;
            };
            let now = tag.unwrap_or_default();
            if version.tag != now {
                version.tag = now;
                changed.push(decoded(&path));
            }
        }
        changed
    }

    fn served(&self) -> MutexGuard<'_, HashMap<String, Version>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The version of the file, whatever its encoding; of a listing, which has none, its length.
fn tag(headers: &HeaderMap) -> Option<String> {
    let tag = headers.get(ETAG).or(headers.get(CONTENT_LENGTH))?;
    let tag = tag.to_str().ok()?;
    let tag = tag.trim_start_matches("W/").trim_matches('"');
    Some(tag.split('-').next().unwrap_or(tag).to_owned())
}

fn head(path: &str) -> Option<Parts> {
    let request = Request::head(path).body(()).ok()?;
    Some(request.into_parts().0)
}

fn decoded(path: &str) -> String {
    percent_decode_str(path).decode_utf8_lossy().into_owned()
}
