//! `/goop/site/1.0.0` (§4.2): one request line, one header line, then exactly as many bytes as the
//! header says.
//!
//! Both lines are texts of unknown origin and unknown length, so both sides read them up to a bound
//! and no further.

/// The name under which the protocol is negotiated.
pub const PROTOCOL: &str = "/goop/site/1.0.0";
/// Longest request line accepted, LF included; weakness 1 of §4.
pub const MAX_REQUEST: usize = 8 * 1024;
/// Longest header line accepted, LF included; weakness 6 of §4.
pub const MAX_HEADER: usize = 4 * 1024;

/// What a header without a usable type stands for.
const UNKNOWN_MIME: &str = "application/octet-stream";

/// `GET <path>\n`; `path` as the visitor wrote it, a leading `/` added when missing.
pub fn encode_request(path: &str) -> Result<Vec<u8>, Error> {
    if path.contains(['\n', '\r']) {
        return Err(Error::LineBreak);
    }
    let slash = if path.starts_with('/') { "" } else { "/" };
    let line = format!("GET {slash}{path}\n");
    if line.len() > MAX_REQUEST {
        return Err(Error::TooLong(MAX_REQUEST));
    }
    Ok(line.into_bytes())
}

/// The path text of a request line (LF included or not), or the whole answer to send instead.
pub fn decode_request(line: &[u8]) -> Result<&str, Header> {
    let refuse = |text: &str| Header::Err(text.into());
    // No name outside UTF-8 is served, so such a request is well formed and finds nothing.
    let text = str::from_utf8(line).map_err(|_| {
        refuse(if line.starts_with(b"GET ") {
            "not found"
        } else {
            "bad request"
        })
    })?;
    match text.trim().strip_prefix("GET ") {
        Some(path) if line.len() <= MAX_REQUEST => Ok(path.trim()),
        _ => Err(refuse("bad request")),
    }
}

/// The first line of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Header {
    /// The file follows: `len` bytes, no more and no fewer.
    Ok {
        /// Its type, parameters included: `text/html; charset=utf-8`.
        mime: String,
        /// Its length in bytes.
        len: u64,
    },
    /// Nothing follows; why, in the words of §4.2.
    Err(String),
}

impl Header {
    /// The line, LF included.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Ok { mime, len } => format!("OK {} {len}\n", one_line(mime)),
            Self::Err(text) => format!("ERR {}\n", one_line(text)),
        }
        .into_bytes()
    }

    /// `line` with or without its LF. The length is what follows the last space. No size cap of
    /// ours.
    pub fn decode(line: &[u8]) -> Result<Self, Error> {
        if line.len() > MAX_HEADER {
            return Err(Error::TooLong(MAX_HEADER));
        }
        let line = str::from_utf8(line)
            .map_err(|_| Error::Malformed)?
            .trim_end();
        if line.contains(char::is_control) {
            return Err(Error::Malformed);
        }
        if line == "ERR" {
            return Ok(Self::Err(String::new()));
        }
        if let Some(text) = line.strip_prefix("ERR ") {
            return Ok(Self::Err(text.trim().into()));
        }
        let (mime, len) = line
            .strip_prefix("OK ")
            .and_then(|rest| rest.rsplit_once(' '))
            .ok_or(Error::Malformed)?;
        if !len.bytes().all(|b| b.is_ascii_digit()) || !mime.is_ascii() {
            return Err(Error::Malformed);
        }
        let len = len.parse().map_err(|_| Error::Malformed)?;
        let mime = match mime.trim() {
            "" => UNKNOWN_MIME,
            mime => mime,
        };
        Ok(Self::Ok {
            mime: mime.into(),
            len,
        })
    }
}

/// Why a line was not written or not understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a header, or one that lies about its own form.
    #[error("the header is not one of the site protocol")]
    Malformed,
    /// The bound that was passed.
    #[error("the line is longer than {0} bytes")]
    TooLong(usize),
    /// The path would end the request early.
    #[error("the path contains a line break")]
    LineBreak,
}

fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}
