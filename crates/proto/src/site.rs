//! `/goop/site/1.0.0` (§4.2): one request line, one header line, then exactly as many bytes as the header says.

pub const PROTOCOL: &str = "/goop/site/1.0.0";
/// Longest request line accepted, LF included; weakness 1 of §4.
pub const MAX_REQUEST: usize = 8 * 1024;
/// Longest header line accepted, LF included; weakness 6 of §4.
pub const MAX_HEADER: usize = 4 * 1024;

/// `GET <path>\n`; `path` as the visitor wrote it, a leading `/` added when missing. Errors: line breaks in it, or too long.
pub fn encode_request(path: &str) -> Result<Vec<u8>, Error> {
    todo!()
}

/// The path text of a request line (LF included or not), or the whole answer to send instead (`ERR bad request\n`).
pub fn decode_request(line: &[u8]) -> Result<&str, Header> {
    todo!()
}

/// The first line of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Header {
    Ok { mime: String, len: u64 },
    Err(String),
}

impl Header {
    pub fn encode(&self) -> Vec<u8> {
        todo!()
    }

    /// `line` with or without its LF. The length is what follows the last space. No size cap of ours.
    pub fn decode(line: &[u8]) -> Result<Self, Error> {
        todo!()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the header is not one of the site protocol")]
    Malformed,
    #[error("the line is longer than {0} bytes")]
    TooLong(usize),
}
