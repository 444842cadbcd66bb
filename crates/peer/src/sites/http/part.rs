//! What is missing of a file, and how it is asked for: by `Range`, as long as the file is the same (its
//! `If-Range`).

use goop2_proto::web::range;
use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Uri,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, ETAG, IF_RANGE, RANGE},
    request, response,
};

use super::client::get;

/// What is still missing of a file.
#[derive(Clone)]
pub(super) struct Part {
    uri: Uri,
    etag: HeaderValue,
    /// The next byte.
    pub(super) next: u64,
    /// The byte after the last.
    pub(super) end: u64,
    /// Bytes of the whole file.
    whole: u64,
}

impl Part {
    pub(super) fn of(request: &request::Parts, head: &response::Parts) -> Option<Self> {
        let etag = head.headers.get(ETAG)?;
        let strong = etag.as_bytes().starts_with(b"\"");
        if request.method != Method::GET || !strong || head.headers.contains_key(CONTENT_ENCODING) {
            return None;
        }
        let (next, end, whole) = match head.status {
            StatusCode::OK => {
                let len = head
                    .headers
                    .get(CONTENT_LENGTH)?
                    .to_str()
                    .ok()?
                    .parse()
                    .ok()?;
                (0, len, len)
            }
            StatusCode::PARTIAL_CONTENT => range::sent(&head.headers)?,
            _ => return None,
        };
        Some(Self {
            uri: request.uri.clone(),
            etag: etag.clone(),
            next,
            end,
            whole,
        })
    }

    /// The same from this byte on.
    pub(super) fn from(&self, next: u64) -> Self {
        Self {
            next,
            ..self.clone()
        }
    }

    /// Takes at most so many bytes from its beginning.
    pub(super) fn split(&mut self, len: u64) -> Self {
        let end = self.end.min(self.next + len);
        let first = Self {
            end,
            ..self.clone()
        };
        self.next = end;
        first
    }

    pub(super) fn request(&self) -> request::Parts {
        let mut headers = HeaderMap::new();
        let range = format!("bytes={}-{}", self.next, self.end.saturating_sub(1));
        let range = HeaderValue::from_str(&range).expect("numbers are ASCII");
        headers.insert(RANGE, range);
        headers.insert(IF_RANGE, self.etag.clone());
        get(self.uri.clone(), headers)
    }

    /// Whether this answer is exactly the rest of the same file.
    pub(super) fn continues(&self, head: &response::Parts) -> bool {
        head.status == StatusCode::PARTIAL_CONTENT
            && head.headers.get(ETAG) == Some(&self.etag)
            && range::sent(&head.headers) == Some((self.next, self.end, self.whole))
    }
}
