//! The secret of one run: anyone who has it is the user. It is sent once in an opened URL and then
//! stays in a cookie that no script can read and no other site can send.

use axum::http::{
    HeaderMap,
    header::{AUTHORIZATION, COOKIE},
};
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

    /// By cookie, or by `Authorization: Bearer` for scripts.
    pub(crate) fn is_in(&self, headers: &HeaderMap, port: u16) -> bool {
        let name = cookie_name(port);
        let cookies = headers
            .get_all(COOKIE)
            .into_iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|line| line.split(';'));
        let in_cookie = cookies
            .filter_map(|pair| pair.trim().split_once('='))
            .any(|(key, value)| key == name && self.is(value));
        let bearer = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        in_cookie || bearer.is_some_and(|value| self.is(value))
    }

    /// Kept until the browser closes; the next run has another token anyway.
    pub(crate) fn set_cookie(&self, port: u16) -> String {
        format!(
            "{}={}; Path=/; HttpOnly; SameSite=Strict",
            cookie_name(port),
            self.0
        )
    }
}

/// Cookies are shared between ports (RFC 6265 §8.5): several peers on one computer must not
/// overwrite each other's.
fn cookie_name(port: u16) -> String {
    format!("goop2-{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: String) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())])
    }

    #[test]
    fn only_the_whole_token_under_the_right_name_is_accepted() {
        let token = Token::random();
        let secret = token.secret();
        assert_eq!(secret.len(), 2 * BYTES);
        assert!(token.is_in(
            &headers("cookie", format!("a=b; goop2-80={secret}; c=d")),
            80
        ));
        assert!(token.is_in(&headers("authorization", format!("Bearer {secret}")), 80));
        for (name, value) in [
            ("cookie", format!("goop2-81={secret}")),
            ("cookie", "goop2-80=".into()),
            ("cookie", format!("goop2-80={}", &secret[1..])),
            ("cookie", secret.into()),
            ("authorization", format!("Basic {secret}")),
            ("authorization", format!("Bearer {secret}0")),
        ] {
            assert!(
                !token.is_in(&headers(name, value.clone()), 80),
                "{name}: {value}"
            );
        }
        assert!(!token.is(Token::random().secret()));
    }
}
