//! What an answer of the site consists of, except for its head.

use std::fs::File;

use bytes::Bytes;
use goop2_proto::web::encoding::Encoding;

/// What follows the head.
#[derive(Debug)]
pub enum Content {
    /// Nothing.
    Empty,
    /// A page that Goop2 wrote.
    Bytes(Bytes),
    /// A file of the site, or a part of it.
    File {
        /// Open for reading; where it stands does not matter.
        file: File,
        /// Where the bytes to send begin.
        offset: u64,
        /// How many they are.
        len: u64,
        /// To be compressed by the sender while it is sent; then the head has no Content-Length.
        encoding: Option<Encoding>,
    },
}
