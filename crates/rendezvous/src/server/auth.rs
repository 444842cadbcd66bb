//! Who is the administrator: the password, the sessions after it, and the delays for clients that
//! guess.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, header};
use goop2_proto::household;
use multibase::Base;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// How long a browser stays signed in: a working day.
pub(crate) const SESSION: Duration = Duration::from_secs(12 * 60 * 60);
/// Browsers signed in at a time; the oldest is signed out for the next.
const MAX_SESSIONS: usize = 64;
pub(crate) const COOKIE: &str = "goop2-admin";
/// The delay after a wrong password, doubled by each further one.
const FIRST_DELAY: Duration = Duration::from_millis(500);
/// No longer than this: the administrator mistypes too.
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// Failures are forgotten after this time.
const FORGIVE: Duration = Duration::from_secs(15 * 60);
/// Households whose failures are remembered. Beyond it the oldest is forgotten: guessing from so many
/// costs more than the one attempt that each gains, and nobody is kept out by it.
const MAX_FAILING: usize = 4096;

pub(crate) struct Auth {
    /// None = no password is set and nobody gets in.
    password: Option<[u8; 32]>,
    sessions: Mutex<HashMap<String, Instant>>,
    failures: Mutex<HashMap<IpAddr, Failures>>,
}

struct Failures {
    count: u32,
    last: Instant,
}

impl Auth {
    pub(crate) fn new(password: &str) -> Self {
        Self {
            password: (!password.is_empty()).then(|| Sha256::digest(password).into()),
            sessions: Mutex::default(),
            failures: Mutex::default(),
        }
    }

    /// Whether there is a password at all; without one nobody gets in.
    pub(crate) fn is_enabled(&self) -> bool {
        self.password.is_some()
    }

    /// Compares in constant time; a client that was wrong has to wait before it tries again.
    pub(crate) fn check(
        &self,
        password: &str,
        client: IpAddr,
        now: Instant,
    ) -> Result<bool, Duration> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, failed| now.saturating_duration_since(failed.last) < FORGIVE);
        let client = household::of(client);
        if let Some(failed) = failures.get(&client) {
            let until = failed.last + failed.delay();
            if now < until {
                return Err(until - now);
            }
        }
        // Hashes have equal length, so the comparison reveals nothing about the length either.
        let given: [u8; 32] = Sha256::digest(password).into();
        let right = self
            .password
            .is_some_and(|expected| expected.ct_eq(&given).into());
        if right {
            failures.remove(&client);
        } else {
            if failures.len() >= MAX_FAILING && !failures.contains_key(&client) {
                forget_oldest(&mut failures);
            }
            let failed = failures.entry(client).or_insert(Failures {
                count: 0,
                last: now,
            });
            failed.count += 1;
            failed.last = now;
        }
        Ok(right)
    }

    pub(crate) fn open(&self, now: Instant) -> String {
        let token = Base::Base64Url.encode(rand::random::<[u8; 32]>());
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, until| *until > now);
        if sessions.len() >= MAX_SESSIONS {
            let oldest = sessions.iter().min_by_key(|(_, until)| **until);
            if let Some(oldest) = oldest.map(|(token, _)| token.clone()) {
                sessions.remove(&oldest);
            }
        }
        sessions.insert(token.clone(), now + SESSION);
        token
    }

    pub(crate) fn holds(&self, headers: &HeaderMap, now: Instant) -> bool {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        tokens(headers).any(|token| sessions.get(token).is_some_and(|until| *until > now))
    }

    pub(crate) fn close(&self, headers: &HeaderMap) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        for token in tokens(headers) {
            sessions.remove(token);
        }
    }
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").finish_non_exhaustive()
    }
}

impl Failures {
    fn delay(&self) -> Duration {
        let doubled = 2_u32.saturating_pow(self.count.saturating_sub(1));
        FIRST_DELAY.saturating_mul(doubled).min(LONGEST_DELAY)
    }
}

fn forget_oldest(failures: &mut HashMap<IpAddr, Failures>) {
    let oldest = failures.iter().min_by_key(|(_, failed)| failed.last);
    if let Some(oldest) = oldest.map(|(client, _)| *client) {
        failures.remove(&oldest);
    }
}

/// The password of user `admin`.
pub(crate) fn basic(headers: &HeaderMap) -> Option<String> {
    let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = given.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Base::Base64Pad.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let password = text.strip_prefix("admin:");
    // Another user is a wrong password, and counts as one.
    Some(password.unwrap_or_default().to_owned())
}

fn tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9));

    #[test]
    fn a_wrong_password_makes_the_next_attempt_wait_and_longer_each_time() {
        let (auth, mut now) = (Auth::new("right"), Instant::now());
        for delay in [500, 1000, 2000, 4000] {
            assert_eq!(auth.check("wrong", CLIENT, now), Ok(false));
            let wait = Duration::from_millis(delay);
            assert_eq!(auth.check("right", CLIENT, now), Err(wait));
            let other = [198, 51, 100, 1].into();
            assert_eq!(auth.check("right", other, now), Ok(true));
            now += wait;
        }
        assert_eq!(auth.check("right", CLIENT, now), Ok(true));
        assert_eq!(auth.check("wrong", CLIENT, now), Ok(false));
        assert_eq!(
            auth.check("right", CLIENT, now),
            Err(Duration::from_millis(500))
        );
    }

    #[test]
    fn wrong_passwords_from_everywhere_keep_nobody_out() {
        let (auth, now) = (Auth::new("right"), Instant::now());
        let later = |number: u32| now + Duration::from_millis(number.into());
        let most = u32::try_from(MAX_FAILING).unwrap();
        for number in 0..2 * most {
            let client = std::net::Ipv4Addr::from_bits(number).into();
            assert_eq!(auth.check("wrong", client, later(number)), Ok(false));
        }
        assert_eq!(auth.failures.lock().unwrap().len(), MAX_FAILING);
        assert_eq!(auth.check("right", CLIENT, later(2 * most)), Ok(true));
        // Addresses of one line are one.
        let line = |address: &str| address.parse::<IpAddr>().unwrap();
        assert_eq!(auth.check("wrong", line("2001:db8:0:1::1"), now), Ok(false));
        assert!(auth.check("right", line("2001:db8:0:f0::1"), now).is_err());
    }

    #[test]
    fn the_delay_is_bounded() {
        let failed = Failures {
            count: u32::MAX,
            last: Instant::now(),
        };
        assert_eq!(failed.delay(), LONGEST_DELAY);
    }

    #[test]
    fn without_a_password_no_password_is_right() {
        let auth = Auth::new("");
        assert_eq!(auth.check("", CLIENT, Instant::now()), Ok(false));
    }

    #[test]
    fn sessions_expire_and_are_bounded() {
        let (auth, now) = (Auth::new("x"), Instant::now());
        let cookie = |token: &str| {
            let mut headers = HeaderMap::new();
            let value = format!("a=b; {COOKIE}={token}");
            headers.insert(header::COOKIE, value.parse().unwrap());
            headers
        };
        let first = cookie(&auth.open(now));
        assert!(auth.holds(&first, now));
        assert!(!auth.holds(&first, now + SESSION));
        assert!(!auth.holds(&cookie(""), now));
        for later in 1..=MAX_SESSIONS {
            auth.open(now + Duration::from_millis(later as u64));
        }
        assert!(!auth.holds(&first, now));
        let last = cookie(&auth.open(now + Duration::from_secs(1)));
        auth.close(&last);
        assert!(!auth.holds(&last, now));
    }

    #[test]
    fn the_password_of_a_tool_is_read() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            basic(&headers)
        };
        assert_eq!(of("Basic YWRtaW46cGE6c3M="), Some("pa:ss".into()));
        assert_eq!(of("basic YWRtaW46"), Some(String::new()));
        assert_eq!(of("Basic cm9vdDpwYXNz"), Some(String::new()));
        assert_eq!(of("Bearer x"), None);
        assert_eq!(of("Basic !"), None);
    }
}
