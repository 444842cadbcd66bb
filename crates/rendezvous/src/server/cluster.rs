//! Several instances of one rendezvous, connected through NATS: subscribers of each receive what is
//! published at all.
//!
//! Every instance has the whole table, and owns the peers that publish to it. It sends the others
//! every arrival, change and departure as the peers signed them, and each checks them like its
//! own clients' messages. Heartbeats are not forwarded: an instance sends a frame every second, and
//! as long as it does, the peers it holds are online. The cost of a cluster therefore grows with
//! arrivals and departures, not with heartbeats. When an instance dies, its peers have one TTL to
//! reconnect through another.
//!
//! Everything travels on one subject, in order. Frames are numbered: an instance that misses one
//! asks its sender, which sends a snapshot of its peers to all, since others probably missed it
//! too. So a frame that NATS or a full queue dropped is late, never lost. A snapshot for the asker
//! alone was rejected: it could overtake the news.
//!
//! NATS is trusted as far as those who can publish there: they can claim that an instance lost a
//! peer or that the operator removed one, and both return with their next heartbeat. They cannot
//! impersonate a peer that signs.
//!
//! Blocked peers, rate limits and counters belong to each instance.

mod members;

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

use super::{app::App, instance::Cluster, presence::outbox::Outgoing};
use crate::{backoff::Backoff, cluster::LONGEST_WAIT};
use members::{Members, Verdict};

/// The name has the version of the format: instances of different versions ignore each other.
const SUBJECT: &str = "goop2.rendezvous.1";
/// How often an instance sends a frame, and how soon a missed one is noticed.
const BEAT: Duration = Duration::from_secs(1);
/// News within this time are sent together.
const GATHER: Duration = Duration::from_millis(10);
/// Snapshots are sent at most this often, however many instances ask.
const SNAPSHOT_GAP: Duration = Duration::from_secs(1);
/// How long a stopping server may take for its last frame.
const LAST_FRAME: Duration = Duration::from_secs(1);

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
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopped,
}

/// Joins the cluster, and rejoins it whenever the connection is lost, until `stop`.
pub(crate) async fn run(app: Arc<App>, stop: CancellationToken) {
    let Some(cluster) = &app.cluster else { return };
    let mut backoff = Backoff::new(LONGEST_WAIT);
    loop {
        let began = Instant::now();
        let end = connection(&app, cluster, &stop).await;
        if cluster.connected.swap(false, Ordering::Relaxed) {
            app.log
                .add((app.clock)(), "Disconnected from NATS; running alone");
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
        end = exchange(app, cluster, &client, stop) => end.err().unwrap_or(End::Stopped),
        () = share_registrations(app, &client) => End::Lost,
    }
}

/// Never returns: it retries after errors.
async fn share_registrations(app: &App, client: &Client) {
    match &app.registrations {
        Some(registrations) => registrations.share(client, app.clock).await,
        None => pending().await,
    }
}

/// Sends and receives until `stop`.
async fn exchange(
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
    // Answers to our first frame must not arrive before we listen.
    client.flush().await?;
    let mut exchange = Exchange {
        app,
        cluster,
        client,
        members: Members::new(cluster.own),
        snapshot: None,
        asked: false,
        hidden: None,
    };
    exchange.send_if_needed(true).await?;
    cluster.connected.store(true, Ordering::Relaxed);
    app.log.add((app.clock)(), "Joined the cluster");
    tracing::info!(nats = %cluster.address, instance = %cluster.own, "joined the cluster");
    exchange.run(&mut frames, stop).await
}

/// One connection to NATS.
struct Exchange<'a> {
    app: &'a App,
    cluster: &'a Cluster,
    client: &'a Client,
    members: Members,
    /// When the last snapshot was sent.
    snapshot: Option<Instant>,
    /// Another instance asked for a snapshot.
    asked: bool,
    /// A message was rejected because its peer is not registered here, when that many changes of
    /// registrations were known.
    hidden: Option<u64>,
}

impl Exchange<'_> {
    async fn run(&mut self, frames: &mut Subscriber, stop: &CancellationToken) -> Result<(), End> {
        let (app, client) = (self.app, self.client);
        let mut beat = interval(BEAT.min(app.config.limits.ttl / 4));
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => {
                    // Departures that were not sent yet.
                    let last = async {
                        self.send_if_needed(false).await?;
                        Ok(client.flush().await?)
                    };
                    return timeout(LAST_FRAME, last).await.unwrap_or(Ok(()));
                }
                received = self.receive(frames) => {
                    received?;
                    self.answer().await?;
                }
                () = app.hub.outgoing_ready() => {
                    sleep(GATHER).await;
                    self.send_if_needed(false).await?;
                }
                _ = beat.tick() => self.beat().await?,
            }
        }
    }

    /// Receives one frame. Cancel safe.
    async fn receive(&mut self, frames: &mut Subscriber) -> Result<(), End> {
        let frame = frames.next().await.ok_or(End::Lost)?;
        self.take(&frame.payload);
        // A snapshot has many frames, and verifying signatures takes time.
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
        // Rounds increase over all connections, so that earlier ones are older.
        let round = counters.cluster_in.load(Ordering::Relaxed);
        let verdict = self.members.receive(&header, round, now);
        if verdict == Verdict::Ignore {
            return;
        }
        counters.cluster_in.fetch_add(1, Ordering::Relaxed);
        self.app.hub.table().keep_alive(header.from, now);
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

    /// Whether the line was accepted.
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
                if !app.admits_remote(&accepted) {
                    self.hidden = Some(changes);
                    return false;
                }
                app.hub.receive(accepted, by, round, now);
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
        // Other instances may learn of a registration before we do.
        let changes = self.app.registration_changes();
        if self.hidden.is_some_and(|known| known != changes) {
            self.hidden = None;
            self.members.request_all();
        }
        let outgoing = self.app.hub.outgoing(self.owes_snapshot(now));
        self.send(outgoing).await
    }

    /// Asks and answers at once, without waiting for the beat.
    async fn answer(&mut self) -> Result<(), End> {
        let now = Instant::now();
        let everyone = self.owes_snapshot(now);
        if everyone || self.members.needs_snapshots(now) {
            self.send_if_needed(everyone).await?;
        }
        Ok(())
    }

    fn owes_snapshot(&self, now: Instant) -> bool {
        let recent = |at: Instant| now.saturating_duration_since(at) < SNAPSHOT_GAP;
        self.asked && !self.snapshot.is_some_and(recent)
    }

    /// Sends news or a snapshot, and requests; nothing if there are none.
    async fn send_if_needed(&mut self, everyone: bool) -> Result<(), End> {
        let outgoing = self.app.hub.outgoing(everyone);
        if outgoing.is_none() && !self.members.needs_snapshots(Instant::now()) {
            return Ok(());
        }
        self.send(outgoing).await
    }

    /// Sends at least one frame, with the instances whose snapshot is needed.
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

/// The bodies of frames to send, at least one.
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
    fn frames_stay_within_the_limit() {
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
