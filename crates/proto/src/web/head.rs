//! The head of an answer, and which bytes follow it.

use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode,
    header::{
        ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
        CONTENT_TYPE, ETAG, LAST_MODIFIED, LOCATION, VARY, X_CONTENT_TYPE_OPTIONS,
    },
    request::Parts,
};

use super::{
    condition::{Verdict, Version},
    encoding::Encoding,
    range::Wanted,
};

/// A file that answers a request, as far as the head says it.
#[derive(Clone, Debug)]
pub struct File {
    /// 200, or 404 for the author's page about what is missing.
    pub status: StatusCode,
    /// `Content-Type`.
    pub mime: String,
    /// Its length in bytes.
    pub len: u64,
    /// Its validators, those of the coding that is sent.
    pub version: Version,
    /// `Content-Encoding`.
    pub encoding: Option<Encoding>,
    /// Whether the sender encodes it: then nobody knows how long it becomes.
    pub encoded_while_sent: bool,
    /// Whether it would have been sent differently to another client.
    pub varies: bool,
}

/// Which bytes of the file follow the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bytes {
    /// None.
    None,
    /// All of them, or a part.
    Range {
        /// Where they begin.
        offset: u64,
        /// How many they are.
        len: u64,
    },
}

/// Answers a GET or HEAD with a file. `wanted` is what the request asks of the plain file; a file
/// that is encoded is only sent as a whole.
pub fn file(request: &Parts, file: &File, wanted: Wanted) -> (Response<()>, Bytes) {
    let mut response = Response::new(());
    let found = file.status == StatusCode::OK;
    // Conditions are about what exists (RFC 9110 §13.2.1).
    let verdict = if found {
        file.version.check(&request.headers)
    } else {
        Verdict::Answer
    };
    let headers = response.headers_mut();
    general(headers, file, found);
    let (status, bytes) = match (verdict, wanted) {
        (Verdict::Failed, _) => (empty(headers, StatusCode::PRECONDITION_FAILED), Bytes::None),
        (Verdict::NotModified, _) => (StatusCode::NOT_MODIFIED, Bytes::None),
        (_, Wanted::Unsatisfiable) if found => {
            headers.insert(CONTENT_RANGE, value(format!("bytes */{}", file.len)));
            (
                empty(headers, StatusCode::RANGE_NOT_SATISFIABLE),
                Bytes::None,
            )
        }
        (_, Wanted::Part { first, last }) if found => {
            let len = last - first + 1;
            let range = format!("bytes {first}-{last}/{}", file.len);
            headers.insert(CONTENT_RANGE, value(range));
            content(headers, file, len);
            (
                StatusCode::PARTIAL_CONTENT,
                Bytes::Range { offset: first, len },
            )
        }
        _ => {
            content(headers, file, file.len);
            (
                file.status,
                Bytes::Range {
                    offset: 0,
                    len: file.len,
                },
            )
        }
    };
    *response.status_mut() = status;
    let has_content = request.method != Method::HEAD && bytes != Bytes::Range { offset: 0, len: 0 };
    (response, if has_content { bytes } else { Bytes::None })
}

/// An answer that Goop2 wrote, `len` bytes of type `mime`.
pub fn text(status: StatusCode, mime: &'static str, len: usize) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(mime));
    headers.insert(CONTENT_LENGTH, len.into());
    headers.insert(CACHE_CONTROL, REVALIDATE);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Sends the client to another address.
pub fn redirect(status: StatusCode, location: &str) -> Response<()> {
    let mut response = Response::new(());
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, 0.into());
    headers.insert(CACHE_CONTROL, REVALIDATE);
    let status = match HeaderValue::from_str(location) {
        Ok(location) => {
            headers.insert(LOCATION, location);
            status
        }
        Err(_) => StatusCode::NOT_FOUND,
    };
    *response.status_mut() = status;
    response
}

/// 405: a folder of files can only be read.
pub fn only_reading() -> Response<()> {
    let mut response = Response::new(());
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    let status = empty(headers, StatusCode::METHOD_NOT_ALLOWED);
    *response.status_mut() = status;
    response
}

/// A copy may be kept and must be asked about: an owner may change any file at any time.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// What every answer about the file says, 304 included.
fn general(headers: &mut HeaderMap, file: &File, found: bool) {
    headers.insert(CACHE_CONTROL, REVALIDATE);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if found {
        headers.insert(ETAG, file.version.etag());
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }
    if file.varies {
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

/// What describes content that follows.
fn content(headers: &mut HeaderMap, file: &File, len: u64) {
    headers.insert(CONTENT_TYPE, value(file.mime.clone()));
    if let Some(encoding) = file.encoding {
        headers.insert(CONTENT_ENCODING, encoding.value());
    }
    if !file.encoded_while_sent {
        headers.insert(CONTENT_LENGTH, len.into());
    }
    if let Some(modified) = file.version.last_modified()
        && file.status == StatusCode::OK
    {
        headers.insert(LAST_MODIFIED, modified);
    }
}

fn empty(headers: &mut HeaderMap, status: StatusCode) -> StatusCode {
    headers.insert(CONTENT_LENGTH, 0.into());
    status
}

/// Text that cannot be a header would be a mistake of ours; it is not worth an answer less.
fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text)
        .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"))
}
