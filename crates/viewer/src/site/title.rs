//! The title of a page, read while the page passes by on its way to the browser, which shows it in
//! another origin and so tells nobody. Only its beginning is looked at, and nothing waits for that.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use axum::{
    body::{Body, HttpBody},
    http::header::CONTENT_ENCODING,
    response::Response,
};
use bytes::Bytes;
use futures::FutureExt;
use goop2_proto::{html, web::encoding::Encoding};
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes that are looked at, as they are sent: a title is among the first lines.
const MAX_HEAD: usize = 16 * 1024;
/// The same, decompressed.
const MAX_TEXT: usize = 64 * 1024;
/// Longest title, in characters: more than any window shows.
const MAX_TITLE: usize = 300;

/// The same answer; `found` is called once its body has shown a title.
pub(super) fn read(response: Response, found: impl FnOnce(String) + Send + 'static) -> Response {
    let coding = match response.headers().get(CONTENT_ENCODING) {
        None => None,
        Some(name) => match Encoding::PREFERRED
            .into_iter()
            .find(|known| known.name() == name)
        {
            Some(known) => Some(known),
            None => return response,
        },
    };
    response.map(|body| {
        Body::new(Passing {
            body,
            coding,
            head: Vec::new(),
            found: Some(Box::new(found)),
        })
    })
}

struct Passing {
    body: Body,
    coding: Option<Encoding>,
    head: Vec<u8>,
    found: Option<Box<dyn FnOnce(String) + Send>>,
}

impl Passing {
    fn keep(&mut self, bytes: &[u8]) {
        if self.found.is_none() {
            return;
        }
        let room = MAX_HEAD - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if self.head.len() == MAX_HEAD {
            self.look();
        }
    }

    fn look(&mut self) {
        let Some(found) = self.found.take() else {
            return;
        };
        if let Some(title) = title_in(&mem::take(&mut self.head), self.coding) {
            found(title);
        }
    }
}

impl HttpBody for Passing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(bytes) = frame.data_ref() {
                    self.keep(bytes);
                }
            }
            Poll::Ready(_) => self.look(),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body of known length is dropped after its last byte, without being asked for more.
impl Drop for Passing {
    fn drop(&mut self) {
        self.look();
    }
}

fn title_in(head: &[u8], coding: Option<Encoding>) -> Option<String> {
    let text = match coding {
        None => head.to_vec(),
        Some(Encoding::Brotli) => decoded(BrotliDecoder::new(head)),
        Some(Encoding::Gzip) => decoded(GzipDecoder::new(head)),
        Some(Encoding::Zstd) => decoded(ZstdDecoder::new(head)),
    };
    let text = String::from_utf8_lossy(&text);
    html::title(&text).map(|title| title.chars().take(MAX_TITLE).collect())
}

/// As much as can be decoded of something that is all there, though not whole: nothing is waited
/// for.
fn decoded(mut decoder: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut text = Vec::with_capacity(MAX_TEXT);
    while text.len() < MAX_TEXT {
        let Some(Ok(1..)) = decoder.read_buf(&mut text).now_or_never() else {
            break;
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZstdEncoder};

    use super::*;

    async fn packed(mut encoder: impl AsyncRead + Unpin) -> Vec<u8> {
        let mut bytes = Vec::new();
        encoder.read_to_end(&mut bytes).await.unwrap();
        bytes
    }

    #[tokio::test]
    async fn a_title_is_read_however_the_page_is_sent() {
        let page = format!("<title>The herons</title>{}", "<p>A heron.".repeat(9000));
        let page = page.as_bytes();
        assert_eq!(title_in(&page[..MAX_HEAD], None).unwrap(), "The herons");
        for (coding, bytes) in [
            (Encoding::Brotli, packed(BrotliEncoder::new(page)).await),
            (Encoding::Gzip, packed(GzipEncoder::new(page)).await),
            (Encoding::Zstd, packed(ZstdEncoder::new(page)).await),
        ] {
            assert_eq!(
                title_in(&bytes, Some(coding)).unwrap(),
                "The herons",
                "{coding:?}"
            );
            assert_eq!(title_in(b"nonsense", Some(coding)), None, "{coding:?}");
        }
    }

    #[test]
    fn a_title_is_bounded() {
        let page = format!("<title>{}</title>", "x".repeat(2 * MAX_TITLE));
        assert_eq!(title_in(page.as_bytes(), None).unwrap().len(), MAX_TITLE);
    }
}
