//! `/goop/avatar/1.0.0` (§4.4): no request; `NONE\n`, or `OK <length>\n` and the bytes.

pub const PROTOCOL: &str = "/goop/avatar/1.0.0";
/// Largest avatar accepted (§4.4).
pub const MAX_BYTES: u64 = 524_288;
/// Longest header line.
pub const MAX_HEADER: usize = 64;

/// `None`: no avatar; `Some(length)`: that many bytes follow.
pub fn encode_header(len: Option<u64>) -> Vec<u8> {
    todo!()
}

pub fn decode_header(line: &[u8]) -> Result<Option<u64>, Error> {
    todo!()
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the header is not one of the avatar protocol")]
    Malformed,
    #[error("the avatar is larger than {MAX_BYTES} bytes")]
    TooLarge,
}
