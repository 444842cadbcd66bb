//! What a hundred visits cost the process of the relay, those that nobody reads included, and what
//! the meter costs a single one.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::join_all;
use goop2_node::relay::{Config, External, Limits, Relay};
use goop2_proto::relay::Membership;
use libp2p::{identity::Keypair, multiaddr::Protocol};
use tokio::{io::AsyncReadExt, sync::watch};

use crate::{
    MIB, promise,
    world::{Client, MEASURING, Over, World},
};

const ROLE: &str = "GOOP2_RELAY_PROCESS";
const HOSTS: usize = 10;
const VISITS: usize = 100;
const VISIT_BYTES: u64 = 5 * MIB;
/// What the process may take at its peak.
const MEMORY_KB: u64 = 60_000;
const SITE_BYTES: u64 = 50 * MIB;

/// A relay in a process of its own, which is this test in another role.
struct Process {
    child: Child,
    /// Kept open: the test harness in it says after a minute that it still runs, and would end if
    /// nobody could read that.
    _stdout: ChildStdout,
}

impl Process {
    fn peak_kb(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.unwrap().trim().trim_end_matches(" kB");
        peak.parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

async fn be_the_relay() {
    let (told, _state) = watch::channel(None);
    let config = Config {
        keypair: Keypair::generate_ed25519(),
        port: 0,
        external: vec![External::parse("127.0.0.1").unwrap()],
        limits: Limits::default(),
        ask: Arc::new(|_| Membership::Proved),
    };
    let relay = Relay::bind(config, told).await.unwrap();
    println!(
        "\naddress /ip4/127.0.0.1/tcp/{}/p2p/{}",
        relay.port(),
        relay.peer_id()
    );
    let _parent_ended = tokio::io::stdin().read(&mut [0]).await;
}

#[tokio::test]
async fn a_hundred_visits_fit_in_a_small_process() {
    if std::env::var_os(ROLE).is_some() {
        return be_the_relay().await;
    }
    let _alone = MEASURING.write().await;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "load::a_hundred_visits_fit_in_a_small_process",
            "--nocapture",
        ])
        .env(ROLE, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let addr = stdout
        .by_ref()
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("address ").map(str::to_owned));
    let addr: goop2_proto::Multiaddr = addr.unwrap().parse().unwrap();
    let relay = Process {
        child,
        _stdout: stdout.into_inner(),
    };
    let idle = relay.peak_kb();
    let hosts: Vec<_> = (0..HOSTS).map(|_| Client::start()).collect();
    for host in &hosts {
        host.reserve(addr.clone()).await.unwrap();
    }
    let visitors: Vec<_> = (0..VISITS).map(|_| Client::start()).collect();
    let visits = visitors
        .iter()
        .zip(hosts.iter().cycle())
        .map(|(visitor, host)| {
            let through = addr.clone().with(Protocol::P2pCircuit);
            async move {
                visitor
                    .dial(through.with(Protocol::P2p(host.id)))
                    .await
                    .unwrap();
                visitor.pipes.fetch(host.id, VISIT_BYTES, |_| {}).await
            }
        });
    let started = Instant::now();
    let came = join_all(visits).await;
    assert_eq!(came, vec![VISIT_BYTES; VISITS]);
    // Then all of them stop reading, but for one.
    let (reader, slow) = visitors.split_first().unwrap();
    let slow = slow
        .iter()
        .zip(hosts[1..].iter().chain(&hosts[..1]).cycle());
    let held = join_all(slow.map(|(visitor, host)| visitor.pipes.neglect(host.id))).await;
    assert!(held.iter().all(Option::is_some));
    let read = reader.pipes.fetch(hosts[0].id, VISIT_BYTES, |_| {}).await;
    assert_eq!(read, VISIT_BYTES);
    let peak = relay.peak_kb();
    println!(
        "{VISITS} visits of {} MiB at once in {:.1} s: the relay took {} MB at its peak, {} MB idle",
        VISIT_BYTES / MIB,
        started.elapsed().as_secs_f64(),
        peak / 1000,
        idle / 1000
    );
    assert!(peak < MEMORY_KB, "{peak} kB");
}

#[tokio::test]
async fn the_meter_costs_next_to_nothing() {
    let free = Limits {
        bytes_per_second: 0,
        bytes_per_second_per_peer: 0,
        ..Limits::default()
    };
    let metered = Limits {
        bytes_per_second: 1 << 40,
        bytes_per_second_per_peer: 1 << 40,
        ..Limits::default()
    };
    let free = World::alone(free).await;
    let metered = free.another(metered).await;
    let mut times = [Duration::MAX; 2];
    for _ in 0..3 {
        for (world, best) in [&free, &metered].into_iter().zip(&mut times) {
            let (host, visitor) = (world.guest().await, world.guest().await);
            world.reserve(&host, Over::Tcp).await.unwrap();
            world.connect(&visitor, &host, Over::Tcp).await.unwrap();
            let started = Instant::now();
            assert_eq!(
                visitor.pipes.fetch(host.id, SITE_BYTES, |_| {}).await,
                SITE_BYTES
            );
            *best = started.elapsed().min(*best);
        }
    }
    let rate = |time: Duration| SITE_BYTES as f64 / MIB as f64 / time.as_secs_f64();
    let ratio = times[0].as_secs_f64() / times[1].as_secs_f64();
    println!(
        "50 MiB through the relay: {:.0} MiB/s unmetered, {:.0} MiB/s metered, {ratio:.2} of it",
        rate(times[0]),
        rate(times[1])
    );
    promise::at_least(
        "the speed of a metered circuit, of an unmetered one",
        ratio,
        0.5,
    );
}
