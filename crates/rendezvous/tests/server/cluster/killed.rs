//! Three instances in separate processes, with a thousand peers; one is killed.
//!
//! Most peers only send heartbeats, as our client does; some are whole clients behind a proxy that
//! knows all three instances, as a company might run one. Watchers at the other two must not see
//! anyone leave.

use std::{
    collections::HashSet,
    net::SocketAddr,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use goop2_proto::{
    Keypair,
    presence::{Kind, Presence},
    roster::Source,
};
use goop2_rendezvous::{
    client::{self, Client, Http, Link},
    cluster::Address,
    server::system_clock,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines, copy_bidirectional},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStdout, Command},
    sync::mpsc,
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};

use super::{Nats, figure, hears, until, watch, with_ttl};
use crate::{
    promise,
    world::{Events, addr, start},
};

const NATS_URL: &str = "GOOP2_TEST_NATS";
const PEERS: usize = 1000;
/// Of those, whole clients; each verifies every signature, on the host that also runs the servers.
const CLIENTS: usize = 12;
/// As in a configuration.
const TTL: Duration = Duration::from_secs(20);
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How soon the peers of the killed instance have to be back.
const BACK: Duration = Duration::from_secs(10);

#[tokio::test]
#[ignore = "run by one_of_three_is_killed_with_a_thousand_peers, as a process"]
async fn instance() {
    let nats = Address::parse(&std::env::var(NATS_URL).unwrap()).unwrap();
    let config = with_ttl(crate::world::config(), TTL);
    let server = start(goop2_rendezvous::server::Config {
        cluster: Some(nats),
        ..config
    })
    .await;
    println!("\nlistens at {}", addr(&server));
    let mut until_the_end = Vec::new();
    tokio::io::stdin()
        .read_to_end(&mut until_the_end)
        .await
        .unwrap();
    server.shutdown().await;
}

/// An instance in its own process.
struct Instance {
    child: Child,
    addr: SocketAddr,
    /// Kept open: the test harness in it says after a minute that it still runs, and would end if
    /// nobody could read that.
    _stdout: Lines<BufReader<ChildStdout>>,
}

async fn process(nats: &Nats) -> Instance {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "cluster::killed::instance",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(NATS_URL, format!("nats://{}", nats.host()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some(addr) = line.strip_prefix("listens at ") {
            return Instance {
                child,
                addr: addr.parse().unwrap(),
                _stdout: lines,
            };
        }
    }
    panic!("the instance has ended");
}

fn key(number: usize) -> Keypair {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&(number as u64 + 1).to_be_bytes());
    Keypair::ed25519_from_bytes(seed).unwrap()
}

fn presence(number: usize) -> Presence {
    Presence {
        kind: Kind::Update,
        label: format!("Peer {number}"),
        addrs: vec!["/ip4/198.51.100.7/tcp/4001".parse().unwrap()],
        ..Presence::offline(key(number).public().to_peer_id(), system_clock())
    }
}

/// Heartbeats on one connection, to one instance while it is up, then to the next. Reports the
/// number of each accepted one, and by which instance.
async fn heartbeats(number: usize, servers: [SocketAddr; 3], taken: mpsc::Sender<(usize, usize)>) {
    let key = key(number);
    let mut at = number % servers.len();
    let mut socket = None;
    let mut beat = interval(HEARTBEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Not all at once.
    tokio::time::sleep(HEARTBEAT * u32::try_from(number).unwrap() / PEERS as u32).await;
    loop {
        beat.tick().await;
        let mut message = presence(number).message();
        message.sign(&key);
        let body = message.encode();
        let mut request = format!(
            "POST /publish HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(&body);
        while !said(&mut socket, servers[at], &request).await {
            socket = None;
            at = (at + 1) % servers.len();
        }
        if taken.send((number, at)).await.is_err() {
            return;
        }
    }
}

async fn said(socket: &mut Option<TcpStream>, server: SocketAddr, request: &[u8]) -> bool {
    if socket.is_none() {
        *socket = TcpStream::connect(server).await.ok();
    }
    let Some(socket) = socket else { return false };
    let mut answer = [0; 1024];
    if socket.write_all(request).await.is_err() {
        return false;
    }
    let read = socket.read(&mut answer).await.unwrap_or(0);
    answer[..read].starts_with(b"HTTP/1.1 204")
}

/// A proxy in front: each connection goes to the next instance that is up.
async fn proxy(listener: TcpListener, servers: [SocketAddr; 3]) {
    let mut connections = JoinSet::new();
    let turn = Arc::new(AtomicUsize::new(0));
    while let Ok((mut client, _)) = listener.accept().await {
        let turn = Arc::clone(&turn);
        connections.spawn(async move {
            for _ in 0..servers.len() {
                let at = turn.fetch_add(1, Ordering::Relaxed) % servers.len();
                if let Ok(mut server) = TcpStream::connect(servers[at]).await {
                    let _one_of_them_ended = copy_bidirectional(&mut client, &mut server).await;
                    return;
                }
            }
        });
    }
}

/// Everyone online there, and whether anyone left.
struct Watcher {
    events: Events,
    seen: HashSet<String>,
    gone: Vec<String>,
}

impl Watcher {
    async fn new(server: SocketAddr) -> Self {
        let (events, seen) = watch(server).await;
        Self {
            events,
            seen: seen.into_iter().collect(),
            gone: Vec::new(),
        }
    }

    async fn read(&mut self) {
        let event = self.events.next().await.unwrap();
        if event.event == "gone" {
            self.gone.push(event.data);
        } else if event.event.is_empty() {
            let message = event.json();
            let peer = message["peerId"].as_str().unwrap().to_owned();
            if message["type"] == "offline" {
                self.gone.push(peer);
            } else {
                self.seen.insert(peer);
            }
        }
    }

    async fn read_for(&mut self, time: Duration) {
        let _over = timeout(time, async {
            loop {
                self.read().await;
            }
        })
        .await;
    }
}

fn client(number: usize, url: &str, events: mpsc::Sender<client::Event>) -> Client {
    let client = Client::spawn(
        client::Config {
            address: client::Address::parse(url).unwrap(),
            source: Source::Wan(u16::try_from(number).unwrap()),
            key: key(number),
            heartbeat: HEARTBEAT,
            silence: Duration::from_secs(60),
            http: Http::new(),
        },
        events,
    );
    client.publish(presence(number));
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_three_is_killed_with_a_thousand_peers() {
    let nats = Nats::start().await;
    let [mut first, second, third] = [
        process(&nats).await,
        process(&nats).await,
        process(&nats).await,
    ];
    let servers = [first.addr, second.addr, third.addr];
    for server in servers {
        hears(server, 2).await;
    }
    let mut tasks = JoinSet::new();
    let (tell, mut taken) = mpsc::channel(PEERS);
    let began = Instant::now();
    for number in CLIENTS..PEERS {
        tasks.spawn(heartbeats(number, servers, tell.clone()));
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tasks.spawn(proxy(listener, servers));
    let (heard, mut events) = mpsc::channel(1024);
    tasks.spawn(async move { while events.recv().await.is_some() {} });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| client(n, &url, heard.clone()))
        .collect();
    let mut watchers = [
        Watcher::new(second.addr).await,
        Watcher::new(third.addr).await,
    ];
    for watcher in &mut watchers {
        let all = async {
            while watcher.seen.len() < PEERS {
                watcher.read().await;
            }
        };
        timeout(TTL * 3, all).await.unwrap();
    }
    println!(
        "{PEERS} peers at three instances, seen at both others after {:?}",
        began.elapsed()
    );
    // Where each peer was last accepted.
    let mut homes = vec![usize::MAX; PEERS];
    while homes[CLIENTS..].contains(&usize::MAX) {
        let (number, at) = timeout(TTL, taken.recv()).await.unwrap().unwrap();
        homes[number] = at;
    }
    while let Ok((number, at)) = taken.try_recv() {
        homes[number] = at;
    }
    let frames = figure(second.addr, "cluster_in_total").await;
    let published = figure(second.addr, "published_total").await;
    let measured = Instant::now();
    for watcher in &mut watchers {
        watcher.read_for(HEARTBEAT).await;
    }
    println!(
        "steady for {:?}: {} frames heard, {} messages published at one instance",
        measured.elapsed(),
        figure(second.addr, "cluster_in_total").await - frames,
        figure(second.addr, "published_total").await - published,
    );

    let connected: Vec<_> = clients.iter().map(Client::state).collect();
    first.child.kill().await.unwrap();
    let killed = Instant::now();
    let killed_at = SystemTime::now();
    let mut lost: HashSet<_> = (CLIENTS..PEERS).filter(|n| homes[*n] == 0).collect();
    let orphans = lost.len();
    assert!(orphans > PEERS / 4, "{orphans}");
    while !lost.is_empty() {
        let back = timeout(promise::allowed(BACK), taken.recv()).await;
        let (number, at) = back
            .expect("a peer of the killed instance is not back")
            .unwrap();
        if at != 0 {
            lost.remove(&number);
        }
    }
    let took = killed.elapsed();
    println!("{orphans} of the killed instance publish through another after {took:?}");
    promise::time(
        "1,000 peers after one of three servers was killed",
        took,
        BACK,
    );
    let mut moved = 0;
    for mut state in connected {
        let is_back = |state: &client::State| matches!(state.link, Link::Connected { .. });
        let left = promise::allowed(BACK).saturating_sub(killed.elapsed());
        let back = timeout(left, state.wait_for(is_back)).await;
        let back = back.expect("a client is not back").unwrap();
        assert_eq!(back.refusal, None);
        moved +=
            usize::from(matches!(back.link, Link::Connected { since, .. } if since > killed_at));
    }
    println!(
        "{moved} of {CLIENTS} clients behind the proxy had to connect again, after {:?} all were",
        killed.elapsed()
    );
    // Longer than the TTL of a peer that did not come back.
    for watcher in &mut watchers {
        watcher
            .read_for((TTL + Duration::from_secs(4)).saturating_sub(killed.elapsed()))
            .await;
    }
    for watcher in &mut watchers {
        watcher.read_for(Duration::from_millis(100)).await;
        assert_eq!(watcher.gone, Vec::<String>::new());
    }
    for server in [second.addr, third.addr] {
        until("everyone is there", async || {
            figure(server, "peers").await == PEERS as u64
        })
        .await;
        assert_eq!(figure(server, "cluster_instances").await, 1);
    }
    println!("nobody went at the others within {:?}", killed.elapsed());
    tasks.shutdown().await;
}
