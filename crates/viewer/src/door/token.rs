//! The secret of one run: anyone who has it is the user. A window gets it in the URL that is opened,
//! keeps it in its tab, and sends it in a header. Never in a cookie: every other server on this
//! computer that the browser opens would be sent it, for cookies ignore ports (RFC 6265 §8.5).

use axum::http::{HeaderMap, header::AUTHORIZATION};
use subtle::ConstantTimeEq;

/// Impossible to guess: 256 random bits.
const BYTES: usize = 32;

/// Deliberately without `Debug`: it must not end in a log.
#[derive(Clone)]
pub(crate) struct Token(String);

impl Token {
    pub(crate) fn random() -> Self {
        Self(
            rand::random::<[u8; BYTES]>()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }

    pub(crate) fn secret(&self) -> &str {
        &self.0
    }

    pub(crate) fn is(&self, candidate: &str) -> bool {
        self.0.as_bytes().ct_eq(candidate.as_bytes()).into()
    }

    /// As `Authorization: Bearer`.
    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        let bearer = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        bearer.is_some_and(|value| self.is(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: String) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())])
    }

    #[test]
    fn only_the_whole_token_in_the_right_header_is_accepted() {
        let token = Token::random();
        let secret = token.secret();
        assert_eq!(secret.len(), 2 * BYTES);
        assert!(token.is_in(&headers("authorization", format!("Bearer {secret}"))));
        for (name, value) in [
            ("cookie", format!("goop2-80={secret}")),
            ("cookie", format!("token={secret}")),
            ("authorization", format!("Basic {secret}")),
            ("authorization", format!("Bearer {secret}0")),
            ("authorization", format!("Bearer {}", &secret[1..])),
            ("authorization", "Bearer ".into()),
        ] {
            let refused = headers(name, value.clone());
            assert!(!token.is_in(&refused), "{name}: {value}");
        }
        assert!(!token.is(Token::random().secret()));
    }
}
