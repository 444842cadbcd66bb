//! Those who want everything, in networks of their own beside honest peers: how long the honest
//! wait, against the same without an attack, and that what an attack took comes back.

mod database;
mod lines;
mod list;
mod memory;
mod password;
mod punch;
mod registration;
mod relay;
mod streams;

use std::{
    fs,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use tokio::{runtime, sync::oneshot};

use crate::{
    PATIENCE,
    support::{lab::Host, peer::Peer, promise},
};

/// How long an honest visitor may wait for a small page, whoever else is there.
const SERVED: Duration = Duration::from_secs(1);
/// How long a process may take to give back what an attack took: as long as the limits that end it.
const OVER: Duration = Duration::from_secs(120);
/// How often it is asked. Nothing tells of the memory of a process.
const LOOK: Duration = Duration::from_millis(100);
/// Descriptors of connections that another peer may keep or make meanwhile.
const DESCRIPTORS: usize = 16;
/// Memory that a process has learnt to need: buffers, the pages that an allocator keeps in pieces.
const MEMORY: f64 = 32.0 * 1024.0 * 1024.0;

/// Does `meanwhile` while an attack from a host stands: from the moment that it is made until this
/// is done.
fn during<A, T>(
    host: &Host,
    attack: impl Future<Output = A> + Send,
    meanwhile: impl FnOnce() -> T,
) -> T {
    thread::scope(|scope| {
        let (made, stands) = mpsc::sync_channel(1);
        let (done, over) = oneshot::channel();
        let attacker = scope.spawn(move || {
            host.enter(|| {
                let runtime = runtime::Builder::new_multi_thread()
                    .worker_threads(1)
                    .enable_all()
                    .build();
                runtime.unwrap().block_on(async {
                    let held = attack.await;
                    made.send(()).unwrap();
                    let _done = over.await;
                    drop(held);
                });
            });
        });
        stands
            .recv()
            .expect("the attack stands: if not, see above why");
        let seen = meanwhile();
        done.send(()).expect("the attacker waits");
        attacker.join().expect("the attacker ended");
        seen
    })
}

/// What a process holds.
#[derive(Clone, Copy, Debug)]
struct Held {
    descriptors: usize,
    /// Without the program's own files, which come in where code runs for the first time.
    memory: f64,
}

impl Held {
    fn of(peer: &Peer) -> Self {
        let open = fs::read_dir(peer.process().join("fd")).expect("it runs");
        Self {
            descriptors: open.count(),
            memory: peer.memory("RssAnon:"),
        }
    }

    /// Waits until the peer holds about as much again.
    fn comes_back(self, peer: &Peer) {
        let deadline = Instant::now() + OVER;
        loop {
            let now = Self::of(peer);
            if now.descriptors <= self.descriptors + DESCRIPTORS
                && now.memory <= self.memory + MEMORY
            {
                println!("before {self:?}, after {now:?}");
                return;
            }
            assert!(
                Instant::now() < deadline,
                "before {self:?}, {OVER:?} later {now:?}"
            );
            thread::sleep(LOOK);
        }
    }
}

/// How long the owner's front page takes.
fn page(visitor: &Peer, owner: &str) -> Duration {
    let begun = Instant::now();
    let page = visitor.visit(owner, "").expect("the viewer answers");
    assert_eq!(page.status, 200, "{}", page.text());
    begun.elapsed()
}

/// The same beside an attack, as it was without and as it is promised.
fn during_an_attack(what: &str, quiet: Duration, seen: Duration) {
    println!("{what}: {quiet:?} alone, {seen:?} during the attack");
    promise::time(what, seen, SERVED);
}

/// Both are online for each other.
fn meet(one: &Peer, other: &Peer) {
    one.sees(&other.id(), PATIENCE);
    other.sees(&one.id(), PATIENCE);
}
