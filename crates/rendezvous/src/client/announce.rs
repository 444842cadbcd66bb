//! Publishes that the peer is online, and finally that it is not.
//!
//! One request at a time, so that a slow server delays only itself. Each message is signed for this
//! server: it has only the addresses meant for it, and its `ts` grows with every message, whatever
//! the clock does.

use std::time::{Duration, SystemTime};

use goop2_proto::{
    audience,
    presence::{Kind, Presence, is_fresh},
    time::unix_millis,
};
use reqwest::{Response, StatusCode, header::HeaderName};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{answer, fault::Fault, schedule::Schedule, session::Session, state::Registration};

/// After this time a heartbeat is given up for the next one.
const DEADLINE: Duration = Duration::from_secs(5);
/// With a 409: our newest `ts` that the server knows.
const NEWEST: HeaderName = HeaderName::from_static("goop2-newest-ts");
/// With an accepted message, if only registered peers are visible: whether we are one.
const REGISTRATION: HeaderName = HeaderName::from_static("goop2-registration");

pub(super) async fn run(
    session: &Session,
    mut presence: watch::Receiver<Option<Presence>>,
    stop: &CancellationToken,
) {
    let first = presence.wait_for(Option::is_some);
    // Both a stop and a dropped handle mean that there is nothing to publish.
    let Some(Ok(_)) = stop
        .run_until_cancelled(first)
        .await
        .map(|known| known.map(drop))
    else {
        return;
    };
    let mut announcer = Announcer {
        session,
        presence,
        near: session.near.subscribe(),
        opened: session.opened.subscribe(),
        newest: 0,
        accepted: false,
        schedule: Schedule::new(session.config.heartbeat, Instant::now()),
    };
    stop.run_until_cancelled(announcer.wait()).await;
    while !stop.is_cancelled() {
        // Never canceled: an `update` still in transit could overtake the `offline`.
        announcer.heartbeat().await;
        stop.run_until_cancelled(announcer.wait()).await;
    }
    announcer.goodbye().await;
}

struct Announcer<'a> {
    session: &'a Session,
    presence: watch::Receiver<Option<Presence>>,
    near: watch::Receiver<Option<bool>>,
    opened: watch::Receiver<u64>,
    /// `ts` of the newest message that the server knows, in unix milliseconds. Of one that it
    /// rejected nothing is remembered, so that a clock may be corrected in either direction.
    newest: i64,
    /// The server accepted a message, so it should also get the goodbye.
    accepted: bool,
    schedule: Schedule,
}

enum Answer {
    Taken(Option<Registration>),
    /// The server limits our messages.
    TooMuch(Option<Duration>),
    /// It knows a later message of ours.
    Behind(i64),
    Fault(Fault),
}

impl Announcer<'_> {
    /// Until it is time for the next message: the heartbeat, or sooner after a change or a new
    /// connection.
    async fn wait(&mut self) {
        loop {
            let news = tokio::select! {
                () = sleep_until(self.schedule.due()) => return,
                news = self.presence.changed() => news,
                news = self.near.changed() => news,
                news = self.opened.changed() => news,
            };
            match news {
                Ok(()) => self.schedule.hurry(Instant::now()),
                // The client was dropped, and this task with it.
                Err(_) => return std::future::pending().await,
            }
        }
    }

    async fn heartbeat(&mut self) {
        let kind = self.schedule.kind();
        let mut answer = self.send(kind).await;
        if let Answer::Behind(newest) = answer {
            self.newest = self.newest.max(newest);
            answer = self.send(kind).await;
        }
        let now = Instant::now();
        self.schedule.sent(now);
        let refusal = match answer {
            Answer::Taken(registration) => {
                self.session
                    .update(|state| state.registration = registration);
                None
            }
            Answer::Behind(_) => Some("another program is using this peer's identity".to_owned()),
            Answer::TooMuch(asked) => {
                self.schedule.pause(now, asked);
                Some("the server is limiting messages; too many peers may share your network's address".into())
            }
            Answer::Fault(fault) if fault.refused => {
                let clock = self.session.state.borrow().clock_problem();
                Some(clock.unwrap_or(fault.reason))
            }
            // The listener reports that a server is down.
            Answer::Fault(_) => return,
        };
        self.accepted |= refusal.is_none();
        self.session.update(|state| state.refusal = refusal);
    }

    async fn goodbye(&mut self) {
        if self.accepted {
            self.send(Kind::Offline).await;
        }
    }

    async fn send(&mut self, kind: Kind) -> Answer {
        let ts = next_ts(SystemTime::now(), self.newest);
        let body = self.message(kind, ts);
        self.session.sent().publish(ts);
        let answer = timeout(DEADLINE, self.post(body)).await;
        if let Ok(Answer::Taken(_)) = answer {
            self.newest = ts;
        }
        answer.unwrap_or_else(|_| {
            Answer::Fault(Fault::unreachable("the server doesn't answer".into()))
        })
    }

    /// With all fields even when it leaves, as existing peers do: a server may check the email.
    fn message(&self, kind: Kind, ts: i64) -> Vec<u8> {
        let near = *self.near.borrow() == Some(true);
        let mut presence = self
            .presence
            .borrow()
            .clone()
            .expect("waited for before the first message");
        presence.kind = kind;
        presence.ts = ts;
        presence.addrs.retain(|addr| audience::tells(addr, near));
        let mut message = presence.message();
        message.sign(&self.session.config.key);
        message.encode()
    }

    async fn post(&self, body: Vec<u8>) -> Answer {
        let (config, address) = (&self.session.config, self.session.address());
        let response = match config.http.post(address.at("publish"), body).await {
            Ok(response) => response,
            Err(fault) => return Answer::Fault(fault),
        };
        self.session.answered(&response);
        match response.status() {
            status if status.is_success() => Answer::Taken(registration(&response)),
            StatusCode::TOO_MANY_REQUESTS => Answer::TooMuch(answer::retry_after(&response)),
            StatusCode::CONFLICT => {
                let newest = response
                    .headers()
                    .get(NEWEST)
                    .and_then(|ts| ts.to_str().ok()?.parse().ok());
                match newest.filter(|ts| is_fresh(*ts, unix_millis(SystemTime::now()))) {
                    Some(newest) => Answer::Behind(newest),
                    None => Answer::Fault(Fault::of(response, &config.address).await),
                }
            }
            _ => Answer::Fault(Fault::of(response, &config.address).await),
        }
    }
}

/// Later than what the server knows, whatever the clock does.
fn next_ts(now: SystemTime, newest: i64) -> i64 {
    unix_millis(now).max(newest.saturating_add(1))
}

fn registration(response: &Response) -> Option<Registration> {
    match response.headers().get(REGISTRATION)?.as_bytes() {
        b"registered" => Some(Registration::Registered),
        b"required" => Some(Registration::Required),
        _ => None,
    }
}
