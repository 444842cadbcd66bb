//! A file of a site, as the façade hands it on.

use std::{io, pin::Pin};

use bytes::Bytes;
use futures::Stream;

/// A file of a site being fetched: its bytes are handed on as they arrive, never collected.
pub struct Page {
    /// MIME type, as its owner gave it.
    pub mime: String,
    /// Bytes that `body` yields, exactly, unless an item is an error.
    pub len: u64,
    /// The bytes. An error means that the transfer was cut.
    pub body: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>,
}
