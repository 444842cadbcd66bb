//! Several instances of one rendezvous, joined through NATS: subscribers of one hear publishers of
//! all.
//!
//! Every instance has the whole table, and owns the part of it that is published to it. It tells
//! the others who came, who changed and who left, in the authors' own words, and each checks them
//! as it checks what its own clients send. Heartbeats are not passed on: an instance says every
//! second that it is there, and as long as it does, so are the peers it holds. What the cluster
//! costs therefore grows with arrivals and departures, and not with heartbeats. An instance that
//! dies is silent, and those it held have one TTL to come back through another.
//!
//! Everything goes over one subject, in order. Frames are numbered: whoever misses one asks, and
//! the asked instance tells everyone it holds again, to all, since what made one miss a frame made
//! others miss it too. So a frame that NATS or a full queue dropped is late, never lost. A snapshot
//! for the asker alone was refused: it would travel beside the news and overtake them.
//!
//! NATS is believed as far as whoever may publish there: it can say that an instance lost a peer or
//! that the operator removed one, and both come back with their next heartbeat. It cannot speak for
//! a peer that signs.
//!
//! Each instance decides for itself whom its operator blocks, what a client may ask, and what it
//! counts.

mod members;
pub(crate) mod state;

use std::{
    future::pending,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use async_nats::{Client, Subscriber};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use goop2_proto::{
    cluster::{Header, Instance, Line, MAX_FRAME, MAX_HEADER, Part, lines},
    rendezvous::check,
};
use tokio::{
    task::yield_now,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{app::App, presence::outbox::Outgoing};
use crate::{backoff::Backoff, cluster::LONGEST_WAIT};
use members::{Members, Verdict};
use state::Cluster;

/// The version of what travels on it is in its name: instances of different versions do not hear
/// each other.
const SUBJECT: &str = "goop2.rendezvous.1";
/// How often an instance says that it is there, and how soon a frame that was missed is noticed.
const BEAT: Duration = Duration::from_secs(1);
/// News that come within it travel together.
const GATHER: Duration = Duration::from_millis(10);
/// Everyone is told again at most this often, however many ask.
const SNAPSHOT_GAP: Duration = Duration::from_secs(1);
/// How long the last words of a server that ends may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("{0}")]
    Connect(#[from] async_nats::ConnectError),
    #[error("{0}")]
    Subscribe(#[from] async_nats::SubscribeError),
    #[error("{0}")]
    Publish(#[from] async_nats::PublishError),
    #[error("{0}")]
    Flush(#[from] async_nats::client::FlushError),
    #[error("it accepts messages of {0} bytes; max_payload must be at least {MAX_FRAME}")]
    Payload(usize),
    #[error("the connection was lost")]
    Lost,
    /// The server ends.
    #[error("the server is stopping")]
    Stopped,
}

/// Joins the cluster, and joins it again whenever it was lost, until told to stop.
pub(crate) async fn run(app: Arc<App>, stop: CancellationToken) {
    let Some(cluster) = &app.cluster else { return };
    let mut backoff = Backoff::new(LONGEST_WAIT);
    loop {
        let began = Instant::now();
        let end = connection(&app, cluster, &stop).await;
        if cluster.connected.swap(false, Ordering::Relaxed) {
            app.log
                .add((app.clock)(), "disconnected from NATS; running alone");
        }
        cluster.others.store(0, Ordering::Relaxed);
        if matches!(end, End::Stopped) {
            return;
        }
        let wait = backoff.wait(Some(began.elapsed()), rand::random());
        tracing::warn!(nats = %cluster.address, why = %end, ?wait, "not connected to NATS");
        if stop.run_until_cancelled(sleep(wait)).await.is_none() {
            return;
        }
    }
}

async fn connection(app: &App, cluster: &Cluster, stop: &CancellationToken) -> End {
    let connecting = cluster.address.connect(format!("goop2 {}", cluster.own));
    let (client, lost) = match stop.run_until_cancelled(connecting).await {
        Some(Ok(connected)) => connected,
        Some(Err(error)) => return error.into(),
        None => return End::Stopped,
    };
    tokio::select! {
        () = lost.cancelled() => End::Lost,
        end = converse(app, cluster, &client, stop) => end.err().unwrap_or(End::Stopped),
        () = share_registrations(app, &client) => End::Lost,
    }
}

/// Never returns: what goes wrong there is tried again there.
async fn share_registrations(app: &App, client: &Client) {
    match &app.registrations {
        Some(registrations) => registrations.share(client, app.clock).await,
        None => pending().await,
    }
}

/// Tells and hears until told to stop.
async fn converse(
    app: &App,
    cluster: &Cluster,
    client: &Client,
    stop: &CancellationToken,
) -> Result<(), End> {
    let payload = client.max_payload();
    if payload < MAX_FRAME {
        return Err(End::Payload(payload));
    }
    let mut frames = client.subscribe(SUBJECT).await?;
    // Nobody's answer to our first frame may come before we listen.
    client.flush().await?;
    let ttl = app.config.limits.ttl;
    let mut talk = Talk {
        app,
        cluster,
        client,
        members: Members::new(cluster.own),
        snapshot: None,
        asked: false,
        hidden: None,
    };
    talk.speak(true).await?;
    cluster.connected.store(true, Ordering::Relaxed);
    app.log.add((app.clock)(), "joined the cluster");
    tracing::info!(nats = %cluster.address, instance = %cluster.own, "joined the cluster");
    let mut beat = interval(BEAT.min(ttl / 4));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => {
                // Goodbyes of those who left with us.
                let last = async { talk.speak(false).await?; Ok(client.flush().await?) };
                return timeout(LAST_WORDS, last).await.unwrap_or(Ok(()));
            }
            heard = talk.hear(&mut frames) => {
                heard?;
                talk.answer().await?;
            }
            () = app.hub.outgoing_waits() => {
                sleep(GATHER).await;
                talk.speak(false).await?;
            }
            _ = beat.tick() => talk.beat().await?,
        }
    }
}

/// One connection's side of it.
struct Talk<'a> {
    app: &'a App,
    cluster: &'a Cluster,
    client: &'a Client,
    members: Members,
    /// When everyone was told last.
    snapshot: Option<Instant>,
    /// Somebody wants to hear everyone again.
    asked: bool,
    /// Somebody was told of who is not registered here, when that many changes of registrations
    /// were known.
    hidden: Option<u64>,
}

impl Talk<'_> {
    /// Reads one frame. Losing the future between two loses nothing.
    async fn hear(&mut self, frames: &mut Subscriber) -> Result<(), End> {
        let frame = frames.next().await.ok_or(End::Lost)?;
        self.take(&frame.payload);
        // A snapshot is many frames, and a signature takes its time.
        yield_now().await;
        Ok(())
    }

    fn take(&mut self, frame: &[u8]) {
        let counters = &self.app.hub.counters;
        let (header, body) = match Header::decode(frame) {
            Ok(read) => read,
            Err(why) => {
                counters.cluster_refused.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%why, "dropped a frame");
                return;
            }
        };
        let now = Instant::now();
        // Rounds count up over all connections: what was marked in an earlier one is older.
        let round = counters.cluster_in.load(Ordering::Relaxed);
        let verdict = self.members.hear(&header, round, now);
        if verdict == Verdict::Nothing {
            return;
        }
        counters.cluster_in.fetch_add(1, Ordering::Relaxed);
        self.app.hub.table().sustain(header.from, now);
        self.cluster
            .others
            .store(self.members.len(), Ordering::Relaxed);
        self.asked |= header.ask.contains(&self.cluster.own);
        let Verdict::Take { round, complete } = verdict else {
            return;
        };
        for line in lines(body) {
            let taken = line.is_ok_and(|line| self.line(&line, header.from, round, now));
            if !taken {
                counters.cluster_refused.fetch_add(1, Ordering::Relaxed);
            }
        }
        if complete {
            let clock = (self.app.clock)();
            self.app.hub.end_round(header.from, round, clock);
        }
    }

    /// Whether the line was one to take.
    fn line(&mut self, line: &Line<'_>, by: Instance, round: u64, now: Instant) -> bool {
        let (app, clock) = (self.app, (self.app.clock)());
        match line {
            Line::Gone { peer, newest } => app.hub.release(*peer, by, *newest, now, clock),
            Line::Removed(peer) => app.hub.remove(peer, clock),
            Line::Message(message) => {
                let Ok(accepted) = check(message, clock) else {
                    return false;
                };
                let unsigned = app.config.require_signed && !accepted.proved;
                if unsigned || app.hub.blocked().contains(&accepted.message.peer) {
                    return false;
                }
                let changes = app.registration_changes();
                if !app.admits_elsewhere(&accepted) {
                    self.hidden = Some(changes);
                    return false;
                }
                app.hub.hear(accepted, by, round, now);
            }
        }
        true
    }

    async fn beat(&mut self) -> Result<(), End> {
        let now = Instant::now();
        self.members.forget(self.app.config.limits.ttl, now);
        self.cluster
            .others
            .store(self.members.len(), Ordering::Relaxed);
        // Another instance may know of a registration before we do.
        let changes = self.app.registration_changes();
        if self.hidden.is_some_and(|known| known != changes) {
            self.hidden = None;
            self.members.doubt();
        }
        let outgoing = self.app.hub.outgoing(self.owes_everyone(now));
        self.send(outgoing).await
    }

    /// Asks and answers at once where it does not have to wait for the beat.
    async fn answer(&mut self) -> Result<(), End> {
        let now = Instant::now();
        let everyone = self.owes_everyone(now);
        if everyone || self.members.misses(now) {
            self.speak(everyone).await?;
        }
        Ok(())
    }

    fn owes_everyone(&self, now: Instant) -> bool {
        let told = |at: Instant| now.saturating_duration_since(at) < SNAPSHOT_GAP;
        self.asked && !self.snapshot.is_some_and(told)
    }

    /// Sends what there is to say, if there is anything.
    async fn speak(&mut self, everyone: bool) -> Result<(), End> {
        let outgoing = self.app.hub.outgoing(everyone);
        if outgoing.is_none() && !self.members.misses(Instant::now()) {
            return Ok(());
        }
        self.send(outgoing).await
    }

    /// Sends one frame at least, and in it whom we need to hear again.
    async fn send(&mut self, outgoing: Option<Outgoing>) -> Result<(), End> {
        let counters = &self.app.hub.counters;
        let now = Instant::now();
        if matches!(outgoing, Some(Outgoing::Everyone(_))) {
            (self.snapshot, self.asked) = (Some(now), false);
        }
        let mut ask = self.members.ask(now);
        counters
            .cluster_resyncs
            .fetch_add(ask.len() as u64, Ordering::Relaxed);
        for (part, body) in parts(outgoing) {
            let header = Header {
                from: self.cluster.own,
                number: self.cluster.sent.fetch_add(1, Ordering::Relaxed),
                part,
                ask: std::mem::take(&mut ask),
            };
            let frame = [&header.encode()[..], &body].concat();
            self.client.publish(SUBJECT, frame.into()).await?;
            counters.cluster_out.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// What goes out as the bodies of frames, one at least.
fn parts(outgoing: Option<Outgoing>) -> Vec<(Part, Bytes)> {
    let (lines, everyone) = match outgoing {
        None => (Vec::new(), false),
        Some(Outgoing::News(lines)) => (lines, false),
        Some(Outgoing::Everyone(lines)) => (lines, true),
    };
    let bodies = bodies(&lines);
    let last = bodies.len() - 1;
    let part = |at| match at {
        _ if !everyone => Part::News,
        0 if last == 0 => Part::Whole,
        0 => Part::First,
        at if at == last => Part::Last,
        _ => Part::Middle,
    };
    let parts = bodies.into_iter().enumerate();
    parts.map(|(at, body)| (part(at), body)).collect()
}

fn bodies(lines: &[Bytes]) -> Vec<Bytes> {
    let mut bodies = Vec::new();
    let mut body = BytesMut::new();
    for line in lines {
        if body.len() + line.len() + 1 > MAX_FRAME - MAX_HEADER {
            bodies.push(body.split().freeze());
        }
        body.extend_from_slice(line);
        body.extend_from_slice(b"\n");
    }
    bodies.push(body.freeze());
    bodies
}

#[cfg(test)]
mod tests {
    use goop2_proto::presence::MAX_MESSAGE;

    use super::*;

    #[test]
    fn frames_stay_within_what_is_read() {
        let lines = vec![Bytes::from(vec![b'1'; MAX_MESSAGE]); 8];
        let sent = parts(Some(Outgoing::Everyone(lines.clone())));
        let names: Vec<_> = sent.iter().map(|(part, _)| *part).collect();
        assert_eq!(names, [Part::First, Part::Middle, Part::Last]);
        assert!(
            sent.iter()
                .all(|(_, body)| body.len() <= MAX_FRAME - MAX_HEADER)
        );
        let all: Vec<_> = sent.iter().flat_map(|(_, body)| body.to_vec()).collect();
        assert_eq!(all.len(), 8 * (MAX_MESSAGE + 1));
        let news = parts(Some(Outgoing::News(lines)));
        assert!(news.iter().all(|(part, _)| *part == Part::News) && news.len() == 3);
        let whole = parts(Some(Outgoing::Everyone(Vec::new())));
        assert_eq!(whole, [(Part::Whole, Bytes::new())]);
        assert_eq!(parts(None), [(Part::News, Bytes::new())]);
    }
}
