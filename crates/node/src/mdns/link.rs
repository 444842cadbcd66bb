//! mDNS on one interface: announces, asks, answers, and passes on the peers that it finds.

use std::{
    future::pending,
    io,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use goop2_proto::{
    bucket::{Bucket, Rate},
    mdns::{self, Found, Received, Service},
};
use tokio::{sync::mpsc, time::sleep_until};
use tokio_util::sync::CancellationToken;

use super::socket::{Multicast, PORT};
use crate::net::{
    interfaces::{Interface, Interfaces},
    ip::is_link_local,
};

/// When to ask, from the start on. Existing peers ask at 0 and 4 s; two early repeats cost two
/// packets of 33 bytes and spare those who start at the same moment the wait.
const ASK_AT: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(4),
];

/// The longest pause between questions; until then each is 1.5 to 2.5 times the one before.
const ASK_EVERY: Duration = Duration::from_secs(60);

/// Announcements at the start, and their distance.
const ANNOUNCEMENTS: u32 = 2;
const ANNOUNCE_EVERY: Duration = Duration::from_secs(1);

/// Answers to the group are at least this far apart; one answers all who asked in between. So no
/// question is lost, and nobody can make us fill the network.
const ANSWER_EVERY: Duration = Duration::from_millis(100);

/// Answers to single askers.
const UNICAST: Rate = Rate {
    burst: 20,
    per: Duration::from_secs(2),
};

/// The largest packet of mDNS, that of a jumbo frame.
const MAX_PACKET: usize = 9000;

pub(super) struct Link {
    service: Service,
    /// Of this interface alone: packets from outside its subnets are ignored.
    subnets: Interfaces,
    v4: Option<Multicast>,
    v6: Option<Multicast>,
    found: mpsc::Sender<Found>,
    unicast: Bucket,
    /// When the last answer to the group was sent, and the question that waits for the next.
    answered: Option<Instant>,
    asked: Option<u16>,
}

impl Link {
    /// Joins with each family the interface has, and asks for the first time. Fails when none can,
    /// or none may.
    pub(super) async fn open(
        service: Service,
        interface: &Interface,
        found: mpsc::Sender<Found>,
    ) -> io::Result<Self> {
        let join = |is_family: fn(&IpAddr) -> bool| {
            let own = interface.addrs.iter().map(|(ip, _)| *ip).find(is_family)?;
            Some(Multicast::join(own, interface.index))
        };
        let (v4, v6) = (join(IpAddr::is_ipv4), join(IpAddr::is_ipv6));
        let (v4, v6) = match (v4, v6) {
            (Some(Err(error)), None | Some(Err(_))) | (None, Some(Err(error))) => {
                return Err(error);
            }
            (v4, v6) => (v4.and_then(Result::ok), v6.and_then(Result::ok)),
        };
        let link = Self {
            service,
            subnets: Interfaces(vec![interface.clone()]),
            v4,
            v6,
            found,
            unicast: Bucket::new(UNICAST, Instant::now()),
            answered: None,
            asked: None,
        };
        link.probe().await?;
        Ok(link)
    }

    /// That a firewall is in the way shows only when something is sent.
    async fn probe(&self) -> io::Result<()> {
        let query = mdns::query(&self.service.tag, rand::random());
        let mut refused = Ok(());
        for socket in self.v4.iter().chain(&self.v6) {
            match socket.try_send(&query).await {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    refused = Err(error);
                }
                _ => return Ok(()),
            }
        }
        refused
    }

    /// Runs until stopped or until a socket fails; says goodbye either way. `last` is the goodbye
    /// of the link before.
    pub(super) async fn run(mut self, last: Option<Vec<u8>>, stop: CancellationToken) {
        if let Some(last) = last {
            self.send(&last).await;
        }
        let start = Instant::now();
        let mut announcements = Announcements::from(start);
        let mut questions = Questions::from(start);
        let (mut from_v4, mut from_v6) = (vec![0; MAX_PACKET], vec![0; MAX_PACKET]);
        loop {
            let answer = self
                .asked
                .map(|_| self.answered.map_or(start, |at| at + ANSWER_EVERY));
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = at(announcements.next) => {
                    self.send(&self.service.announcement()).await;
                    announcements.sent(Instant::now());
                }
                () = at(Some(questions.next)) => {
                    self.send(&mdns::query(&self.service.tag, rand::random())).await;
                    questions.sent(Instant::now());
                }
                () = at(answer) => {
                    if let Some(id) = self.asked.take() {
                        self.answered = Some(Instant::now());
                        self.send(&self.service.response(id)).await;
                    }
                }
                received = receive(self.v4.as_ref(), &mut from_v4) => match received {
                    Ok((len, from)) => self.on_packet(&from_v4[..len], from).await,
                    Err(error) => { tracing::debug!(%error, "an mDNS socket failed"); break }
                },
                received = receive(self.v6.as_ref(), &mut from_v6) => match received {
                    Ok((len, from)) => self.on_packet(&from_v6[..len], from).await,
                    Err(error) => { tracing::debug!(%error, "an mDNS socket failed"); break }
                },
            }
        }
        self.send(&self.service.goodbye()).await;
    }

    async fn on_packet(&mut self, packet: &[u8], from: SocketAddr) {
        if !is_link_local(from.ip()) && !self.subnets.is_local(from.ip()) {
            return;
        }
        match mdns::decode(packet, &self.service.tag) {
            Received::Query { known, .. } if known.contains(&self.service.instance) => {}
            Received::Query { id, unicast, .. } if unicast || from.port() != PORT => {
                let socket = if from.is_ipv4() { &self.v4 } else { &self.v6 };
                if let Some(socket) = socket
                    && self.unicast.take(Instant::now()).is_ok()
                {
                    socket.send_to(&self.service.response(id), from).await;
                }
            }
            Received::Query { id, .. } => self.asked = Some(id),
            Received::Found(found) => {
                for found in found
                    .into_iter()
                    .filter(|f| f.instance != self.service.instance)
                {
                    let _ = self.found.try_send(found);
                }
            }
            Received::Nothing => {}
        }
    }

    async fn send(&self, packet: &[u8]) {
        for socket in self.v4.iter().chain(&self.v6) {
            socket.send(packet).await;
        }
    }
}

/// When the next announcement is due.
struct Announcements {
    next: Option<Instant>,
    sent: u32,
}

impl Announcements {
    fn from(start: Instant) -> Self {
        Self {
            next: Some(start),
            sent: 0,
        }
    }

    fn sent(&mut self, now: Instant) {
        self.sent += 1;
        self.next = (self.sent < ANNOUNCEMENTS).then(|| now + ANNOUNCE_EVERY);
    }
}

/// When the next question is due.
struct Questions {
    start: Instant,
    next: Instant,
    first: std::array::IntoIter<Duration, { ASK_AT.len() }>,
    pause: Duration,
}

impl Questions {
    fn from(start: Instant) -> Self {
        Self {
            start,
            next: start,
            first: ASK_AT.into_iter(),
            pause: Duration::ZERO,
        }
    }

    fn sent(&mut self, now: Instant) {
        let start = self.start;
        (self.pause, self.next) = match self.first.find(|after| start + *after > now) {
            Some(after) => (after, start + after),
            None => {
                let longer = self.pause.mul_f64(rand::random_range(1.5..2.5));
                let pause = longer.min(ASK_EVERY);
                (pause, now + pause)
            }
        };
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time.into()).await,
        None => pending().await,
    }
}

async fn receive(socket: Option<&Multicast>, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    match socket {
        Some(socket) => socket.receive(buffer).await,
        None => pending().await,
    }
}
