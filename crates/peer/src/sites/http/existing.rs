//! `/goop/site/1.0.0` of existing peers (PROTOCOL §4.2) as HTTP: whole files only, without
//! validators, and an index at the top only.

use std::io;

use bytes::{Bytes, BytesMut};
use futures::stream;
use goop2_node::{Node, Stream};
use goop2_proto::{
    PeerId,
    site::{self, Header},
};
use http::{
    HeaderValue, Method, Response,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
    request::Parts,
};
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, BufReader};
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt};

use super::body::{self, Body};
use crate::{
    error::Error,
    sites::{
        io::{read_line, within, write_all},
        visit::{BODY_STALL, answer_of, cut_or, open},
    },
};

/// Bytes handed on at a time: as many as arrive at a time.
const CHUNK: usize = goop2_node::FRAME;

type Reader = BufReader<Compat<Stream>>;

/// Asks for the file on this stream, and for the index of a folder on another one: existing peers
/// find it at the top only.
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
    match ask(node, peer, reader, &path).await {
        Err(Error::NotFound) if path.len() > 1 && path.ends_with('/') => {
            let reader = open(node, peer, site::PROTOCOL).await?;
            ask(node, peer, reader, &format!("{path}index.html")).await
        }
        answer => answer,
    }
    .map(|(mime, len, reader)| {
        let body = match request.method {
            Method::HEAD => body::send(goop2_store::Content::Empty),
            _ => body::of_stream(bytes(reader, len)),
        };
        head(&mime, len, body)
    })
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

fn head(mime: &str, len: u64, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, len.into());
    if let Ok(mime) = HeaderValue::from_str(mime) {
        headers.insert(CONTENT_TYPE, mime);
    }
    response
}

/// Exactly `len` bytes, or an error item: the end of a stream proves nothing.
fn bytes(
    reader: Reader,
    len: u64,
) -> impl futures::Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold(Some((reader, len)), async |state| {
        let (mut reader, left) = state.filter(|(_, left)| *left > 0)?;
        let mut chunk = BytesMut::with_capacity(CHUNK.min(usize::try_from(left).unwrap_or(CHUNK)));
        match within(BODY_STALL, (&mut reader).take(left).read_buf(&mut chunk)).await {
            Ok(0) => Some((Err(io::ErrorKind::UnexpectedEof.into()), None)),
            Ok(read) => Some((Ok(chunk.freeze()), Some((reader, left - read as u64)))),
            Err(error) => Some((Err(error), None)),
        }
    })
}
