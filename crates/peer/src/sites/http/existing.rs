//! `/goop/site/1.0.0` of existing peers (PROTOCOL §4.2) as HTTP: whole files only, without
//! validators, and an index at the top only.

use std::io;

use bytes::{Bytes, BytesMut};
use futures::stream;
use goop2_node::{Node, Stream};
use goop2_proto::{
    PeerId,
    site::{self, Header},
    web::range::{self, Wanted},
};
use goop2_store::Content;
use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, IF_RANGE},
    request::Parts,
};
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, BufReader};
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt};

use super::body::{self, Body, STALL};
use crate::{
    error::Error,
    sites::{
        io::{read_line, within, write_all},
        visit::{answer_of, cut_or},
    },
};

/// Bytes handed on at a time: as many as arrive at a time.
const CHUNK: usize = goop2_node::FRAME;

type Reader = BufReader<Compat<Stream>>;

/// Asks for the file on this stream.
pub(super) async fn fetch(
    node: &Node,
    peer: PeerId,
    stream: Stream,
    request: &Parts,
) -> Result<Response<Body>, Error> {
    let path = percent_decode_str(request.uri.path())
        .decode_utf8()
        .map_err(|_| Error::NotFound)?;
    let reader = BufReader::new(stream.compat());
    let (mime, len, reader) = ask(node, peer, reader, &path).await?;
    Ok(part(request, &mime, len, reader))
}

/// What the request wants of the file. It comes whole in any case; what stands before a part is
/// read and dropped, so that a video can seek.
fn part(request: &Parts, mime: &str, len: u64, reader: Reader) -> Response<Body> {
    // Without a version no condition holds (RFC 9110 §13.1.5).
    let ranges = request.method == Method::GET && !request.headers.contains_key(IF_RANGE);
    let wanted = match range::wanted(&request.headers, len) {
        wanted if ranges => wanted,
        _ => Wanted::Whole,
    };
    let (status, first, end) = match wanted {
        Wanted::Whole => (StatusCode::OK, 0, len),
        Wanted::Part { first, last } => (StatusCode::PARTIAL_CONTENT, first, last + 1),
        Wanted::Unsatisfiable => (StatusCode::RANGE_NOT_SATISFIABLE, 0, 0),
    };
    let body = if request.method == Method::HEAD || end == 0 {
        body::begin(Content::Empty)
    } else {
        body::of_stream(bytes(reader, first, end))
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_LENGTH, (end - first).into());
    if let Ok(mime) = HeaderValue::from_str(mime) {
        headers.insert(CONTENT_TYPE, mime);
    }
    let range = match status {
        StatusCode::PARTIAL_CONTENT => format!("bytes {first}-{}/{len}", end - 1),
        StatusCode::RANGE_NOT_SATISFIABLE => format!("bytes */{len}"),
        _ => return response,
    };
    let range = HeaderValue::from_str(&range).expect("numbers are ASCII");
    headers.insert(CONTENT_RANGE, range);
    response
}

async fn ask(
    node: &Node,
    peer: PeerId,
    mut reader: Reader,
    path: &str,
) -> Result<(String, u64, Reader), Error> {
    let request = site::encode_request(path).map_err(|_| Error::NotFound)?;
    write_all(&mut reader, &request).await?;
    let line = answer_of(node, peer, read_line(&mut reader, site::MAX_HEADER)).await?;
    match Header::decode(&line).map_err(|error| cut_or(&line, error))? {
        Header::Ok { mime, len } => Ok((mime, len, reader)),
        Header::Err(text) if text.contains("not found") => Err(Error::NotFound),
        Header::Err(text) if text.contains("forbidden") => Err(Error::Forbidden),
        Header::Err(text) => Err(Error::Protocol(text)),
    }
}

/// The bytes from `first` up to `end`, exactly, or an error item: the end of a stream proves nothing.
fn bytes(
    reader: Reader,
    first: u64,
    end: u64,
) -> impl futures::Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold(Some((reader, 0)), move |state| async move {
        let (mut reader, mut at) = state.filter(|(_, at)| *at < end)?;
        loop {
            let limit = if at < first { first } else { end } - at;
            let size = CHUNK.min(usize::try_from(limit).unwrap_or(CHUNK));
            let mut chunk = BytesMut::with_capacity(size);
            match within(STALL, (&mut reader).take(limit).read_buf(&mut chunk)).await {
                Ok(0) => return Some((Err(io::ErrorKind::UnexpectedEof.into()), None)),
                Ok(read) if at < first => at += read as u64,
                Ok(read) => return Some((Ok(chunk.freeze()), Some((reader, at + read as u64)))),
                Err(error) => return Some((Err(error), None)),
            }
        }
    })
}
