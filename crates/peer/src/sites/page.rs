//! A file of a site, as the façade hands it on.

use std::{io, pin::Pin};

use bytes::Bytes;
use futures::Stream;

/// A file of a site on its way: its bytes are handed on as they come, never collected.
pub struct Page {
    /// As its owner gave it.
    pub mime: String,
    /// Exactly as many bytes as `body` yields, unless an item is an error.
    pub len: u64,
    pub body: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>,
}
