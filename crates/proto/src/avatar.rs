//! `/goop/avatar/1.0.0` (§4.4): no request; `NONE\n`, or `OK <length>\n` and the bytes.

/// The name under which the protocol is negotiated.
pub const PROTOCOL: &str = "/goop/avatar/1.0.0";
/// Largest avatar accepted (§4.4).
pub const MAX_BYTES: u64 = 524_288;
/// Longest header line accepted, LF included: generous compared with the ten bytes of a real one.
pub const MAX_HEADER: usize = 64;

/// `None`: no avatar; `Some(length)`: that many bytes follow.
pub fn encode_header(len: Option<u64>) -> Vec<u8> {
    match len {
        Some(len) => format!("OK {len}\n").into_bytes(),
        None => b"NONE\n".to_vec(),
    }
}

/// The reverse of [`encode_header`]; `line` with or without its LF.
pub fn decode_header(line: &[u8]) -> Result<Option<u64>, Error> {
    if line.len() > MAX_HEADER {
        return Err(Error::Malformed);
    }
    let line = str::from_utf8(line)
        .map_err(|_| Error::Malformed)?
        .trim_end();
    if line == "NONE" {
        return Ok(None);
    }
    let len = line.strip_prefix("OK ").ok_or(Error::Malformed)?.trim();
    if !len.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Error::Malformed);
    }
    match len.parse::<u64>().map_err(|_| Error::Malformed)? {
        len if len > MAX_BYTES => Err(Error::TooLarge),
        len => Ok(Some(len)),
    }
}

/// Why an avatar is not fetched.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a header.
    #[error("the header is not one of the avatar protocol")]
    Malformed,
    /// More than existing peers accept.
    #[error("the avatar is larger than {MAX_BYTES} bytes")]
    TooLarge,
}
