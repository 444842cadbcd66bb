//! The operator's side (§6.6): the password, and the session that stands for it. What can be seen
//! and done with either is in [`board`].
//!
//! Tools send the password with each request, as existing servers ask for it. A browser gets a form
//! instead, and after it a session: a cookie that no script can read and that no other site's
//! request carries. What changes something needs, besides, a header that a foreign page cannot
//! send.

mod board;
mod relay;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Extension, Form, Router,
    extract::{FromRequestParts, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
    routing::post,
};
use multibase::Base;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub(crate) use board::at;

use super::{
    App,
    accept::Client,
    address::household,
    page,
    routes::{error, too_many},
};

/// How long a browser need not ask again: a working day.
const SESSION: Duration = Duration::from_secs(12 * 60 * 60);
/// Browsers that are signed in; the oldest is signed out for the next.
const MAX_SESSIONS: usize = 64;
const COOKIE: &str = "goop2-admin";
/// The wait after a wrong password, doubled by each that follows.
const FIRST_DELAY: Duration = Duration::from_millis(500);
/// No longer than this: the operator mistypes too.
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// A client that fails no more is forgotten.
const FORGIVE: Duration = Duration::from_secs(15 * 60);
/// Clients whose failures are remembered; when all of them are recent, nobody may try.
const MAX_FAILING: usize = 4096;
/// What only a page of this server's origin can send.
const INTENT: HeaderName = HeaderName::from_static("goop2-admin");

pub(crate) struct Admin {
    /// None = no password is set and nobody gets in.
    password: Option<[u8; 32]>,
    sessions: Mutex<HashMap<String, Instant>>,
    failures: Mutex<HashMap<IpAddr, Failures>>,
}

struct Failures {
    count: u32,
    last: Instant,
}

/// Proof that the request is the operator's.
pub(crate) struct Operator;

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/admin/login", post(login))
        .route("/admin/logout", post(logout))
        .merge(board::router())
}

impl Admin {
    pub(crate) fn new(password: &str) -> Self {
        Self {
            password: (!password.is_empty()).then(|| Sha256::digest(password).into()),
            sessions: Mutex::default(),
            failures: Mutex::default(),
        }
    }

    /// Compares in constant time; a client that was wrong waits before it may try again.
    fn check(&self, password: &str, client: IpAddr, now: Instant) -> Result<bool, Duration> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, failed| now.saturating_duration_since(failed.last) < FORGIVE);
        let client = household(client);
        if failures.len() >= MAX_FAILING && !failures.contains_key(&client) {
            return Err(LONGEST_DELAY);
        }
        if let Some(failed) = failures.get(&client) {
            let until = failed.last + failed.delay();
            if now < until {
                return Err(until - now);
            }
        }
        // Hashes of equal length: the comparison tells nothing about the length either.
        let given: [u8; 32] = Sha256::digest(password).into();
        let right = self
            .password
            .is_some_and(|expected| expected.ct_eq(&given).into());
        if right {
            failures.remove(&client);
        } else {
            let failed = failures.entry(client).or_insert(Failures {
                count: 0,
                last: now,
            });
            failed.count += 1;
            failed.last = now;
        }
        Ok(right)
    }

    fn open(&self, now: Instant) -> String {
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

    fn holds(&self, headers: &HeaderMap, now: Instant) -> bool {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        tokens(headers).any(|token| sessions.get(token).is_some_and(|until| *until > now))
    }

    fn close(&self, headers: &HeaderMap) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        for token in tokens(headers) {
            sessions.remove(token);
        }
    }
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

impl Failures {
    fn delay(&self) -> Duration {
        let doubled = 2_u32.saturating_pow(self.count.saturating_sub(1));
        FIRST_DELAY.saturating_mul(doubled).min(LONGEST_DELAY)
    }
}

impl FromRequestParts<Arc<App>> for Operator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        if app.admin.password.is_none() {
            return Err(disabled(&parts.headers));
        }
        let (headers, now) = (&parts.headers, Instant::now());
        let safe = parts.method.is_safe();
        if !safe && !headers.contains_key(INTENT) {
            return Err(error(StatusCode::FORBIDDEN, "not from the admin page"));
        }
        if app.admin.holds(headers, now) {
            return Ok(Self);
        }
        let client = parts.extensions.get::<Client>().map(|client| client.0);
        let (Some(password), Some(client)) = (basic(headers), client) else {
            return Err(unauthorized(headers));
        };
        match app.admin.check(&password, client, now) {
            Ok(true) => Ok(Self),
            Ok(false) => Err(unauthorized(headers)),
            Err(wait) => Err(too_many("too many attempts", wait)),
        }
    }
}

/// The password of user `admin`.
fn basic(headers: &HeaderMap) -> Option<String> {
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

fn disabled(headers: &HeaderMap) -> Response {
    if page::wanted(headers) {
        return page::no_admin();
    }
    error(StatusCode::FORBIDDEN, "admin panel disabled")
}

/// A person gets the form; a tool is asked for the password.
fn unauthorized(headers: &HeaderMap) -> Response {
    if page::wanted(headers) {
        return page::login(StatusCode::UNAUTHORIZED, "");
    }
    let mut answer = error(StatusCode::UNAUTHORIZED, "unauthorized");
    answer.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static("Basic realm=\"Goop2 Admin\""),
    );
    answer
}

#[derive(Deserialize)]
struct Login {
    password: String,
}

async fn login(
    State(app): State<Arc<App>>,
    Extension(Client(client)): Extension<Client>,
    headers: HeaderMap,
    Form(Login { password }): Form<Login>,
) -> Response {
    if app.admin.password.is_none() {
        return disabled(&headers);
    }
    let now = Instant::now();
    match app.admin.check(&password, client, now) {
        Ok(true) => {
            app.log.add((app.clock)(), "the operator signed in");
            let secure = headers
                .get("x-forwarded-proto")
                .is_some_and(|proto| proto == "https");
            let secure = if secure { "; Secure" } else { "" };
            let cookie = format!(
                "{COOKIE}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{secure}",
                app.admin.open(now),
                SESSION.as_secs()
            );
            ([(header::SET_COOKIE, cookie)], Redirect::to("/admin")).into_response()
        }
        Ok(false) => {
            app.log.add((app.clock)(), "a wrong admin password");
            page::login(StatusCode::UNAUTHORIZED, "That is not the password.")
        }
        Err(wait) => {
            let text = format!("Too many attempts. Try again in {} s.", wait.as_secs() + 1);
            let mut answer = page::login(StatusCode::TOO_MANY_REQUESTS, &text);
            answer
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
            answer
        }
    }
}

async fn logout(State(app): State<Arc<App>>, _: Operator, headers: HeaderMap) -> Response {
    app.admin.close(&headers);
    let cookie = format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    ([(header::SET_COOKIE, cookie)], StatusCode::NO_CONTENT).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9));

    #[test]
    fn a_wrong_password_makes_the_next_attempt_wait_and_longer_each_time() {
        let (admin, mut now) = (Admin::new("right"), Instant::now());
        for delay in [500, 1000, 2000, 4000] {
            assert_eq!(admin.check("wrong", CLIENT, now), Ok(false));
            let wait = Duration::from_millis(delay);
            assert_eq!(admin.check("right", CLIENT, now), Err(wait));
            let elsewhere = [198, 51, 100, 1].into();
            assert_eq!(admin.check("right", elsewhere, now), Ok(true));
            now += wait;
        }
        assert_eq!(admin.check("right", CLIENT, now), Ok(true));
        assert_eq!(admin.check("wrong", CLIENT, now), Ok(false));
        assert_eq!(
            admin.check("right", CLIENT, now),
            Err(Duration::from_millis(500))
        );
    }

    #[test]
    fn the_wait_has_an_end() {
        let failed = Failures {
            count: u32::MAX,
            last: Instant::now(),
        };
        assert_eq!(failed.delay(), LONGEST_DELAY);
    }

    #[test]
    fn without_a_password_no_password_is_right() {
        let admin = Admin::new("");
        assert_eq!(admin.check("", CLIENT, Instant::now()), Ok(false));
    }

    #[test]
    fn sessions_end_and_are_few() {
        let (admin, now) = (Admin::new("x"), Instant::now());
        let cookie = |token: &str| {
            let mut headers = HeaderMap::new();
            let value = format!("a=b; {COOKIE}={token}");
            headers.insert(header::COOKIE, value.parse().unwrap());
            headers
        };
        let first = cookie(&admin.open(now));
        assert!(admin.holds(&first, now));
        assert!(!admin.holds(&first, now + SESSION));
        assert!(!admin.holds(&cookie(""), now));
        for later in 1..=MAX_SESSIONS {
            admin.open(now + Duration::from_millis(later as u64));
        }
        assert!(!admin.holds(&first, now));
        let last = cookie(&admin.open(now + Duration::from_secs(1)));
        admin.close(&last);
        assert!(!admin.holds(&last, now));
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
