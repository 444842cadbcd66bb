//! The figures we claim, measured on this machine: two peers as processes of their own on loopback,
//! one visiting the other through its viewer. Beside each stands a baseline of the same run (what
//! the machine does without any of ours in between), and what existing peers needed on two
//! processors. `cargo bench --no-default-features --bench peer`

#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use futures::future::try_join_all;
use reqwest::Client;
use support::{
    http, median, millis,
    peer::{Folder, Peer},
    promise,
};
use tokio::runtime::Runtime;

const MB: f64 = 1e6;
/// What existing peers need on two processors is the least that is promised.
const START: Duration = Duration::from_millis(120);
const FIRST_BYTE: Duration = Duration::from_micros(1200);
const LARGE_RATE: f64 = 190.0;
const STARTS: usize = 10;
/// After this a peer that nobody visits has settled.
const IDLE: Duration = Duration::from_secs(3);
const SMALL_FETCHES: usize = 200;
const LARGE_BYTES: usize = 40_000_000;
const LARGE_FETCHES: usize = 5;
const HUGE_BYTES: usize = 1 << 30;
/// What both processes may take at the most while a file of [`HUGE_BYTES`] passes through them.
const HUGE_MEMORY: f64 = 100.0 * MB;
const PAGE_FILES: usize = 100;
const PAGE_FILE_BYTES: usize = 10_000;
const PAGE_LOADS: usize = 20;
/// For one answer to begin, and for one to pass from end to end.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    // Another command than `cargo bench` only wants to know that this compiles.
    if std::env::args().any(|arg| arg == "--bench") {
        line("", "ours", "of the baseline", "existing peers");
        starts();
        let pair = Pair::start();
        pair.small_page();
        pair.large_file();
        pair.whole_page();
        pair.huge_file();
    }
}

fn starts() {
    let folder = Folder::new("starting", "goop2-bench");
    Peer::start(&folder, None).stop();
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let peer = Peer::start(&folder, None);
        times.push(peer.ready().at - peer.launched);
        peer.stop();
    }
    let bare = samples(STARTS, || {
        let mut version = Command::new(env!("CARGO_BIN_EXE_goop2"));
        version
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .expect("it was built for this");
    });
    row(
        "start to ready",
        median(&times),
        "goop2 --version",
        median(&bare),
        "0.12 s",
    );
    promise::time("from a start to ready", median(&times), START);
}

/// A visitor and an owner who know each other's address, and nobody else.
struct Pair {
    visitor: Peer,
    owner: Peer,
    site: Folder,
    runtime: Runtime,
    client: Client,
    _visitors: Folder,
}

impl Pair {
    fn start() -> Self {
        let (visitors, site) = (
            Folder::new("visitor", "goop2-bench-a"),
            Folder::new("owner", "goop2-bench-b"),
        );
        site.write("site/large.bin", noise(LARGE_BYTES));
        for file in 0..PAGE_FILES {
            site.write(&format!("site/page/{file}.bin"), noise(PAGE_FILE_BYTES));
        }
        let huge = File::create(site.path().join("site/huge.bin")).expect("own folder");
        huge.set_len(HUGE_BYTES as u64).expect("holes take no room");
        let (visitor, owner) = (Peer::start(&visitors, None), Peer::start(&site, None));
        visitor.add_address(&owner.address("127.0.0.1"));
        let answer = visitor.visit(&owner.id(), "").expect("the viewer answers");
        assert_eq!(answer.status, 200, "{}", answer.text());
        thread::sleep(IDLE);
        let idle = megabytes(&[visitor.memory("VmRSS"), owner.memory("VmRSS")]);
        line("memory, idle, visitor and owner", &idle, "", "80 MB");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        Self {
            visitor,
            owner,
            site,
            runtime,
            client: http::client(),
            _visitors: visitors,
        }
    }

    fn small_page(&self) {
        let mut times = Vec::new();
        for _ in 0..SMALL_FETCHES {
            times.push(self.fetch("").0);
        }
        let page = fs::read(self.site.path().join("site/index.html")).expect("own folder");
        let bare = loopback_answers(&page, SMALL_FETCHES);
        row(
            "first byte of a small page",
            median(&times),
            "loopback TCP, connected",
            median(&bare),
            "1.2 ms",
        );
        promise::time("the first byte of a small page", median(&times), FIRST_BYTE);
    }

    fn large_file(&self) {
        let times: Vec<_> = (0..LARGE_FETCHES)
            .map(|_| self.fetch_all("large.bin", LARGE_BYTES))
            .collect();
        let tcp: Vec<_> = (0..LARGE_FETCHES)
            .map(|_| loopback_copy(LARGE_BYTES))
            .collect();
        let path = self.site.path().join("site/large.bin");
        let read = samples(LARGE_FETCHES, || {
            drain(&mut File::open(&path).expect("own folder"))
        });
        rate(
            "a 40 MB file through the viewer",
            LARGE_BYTES,
            median(&times),
            "loopback TCP",
            median(&tcp),
            "190 MB/s",
        );
        let seen = LARGE_BYTES as f64 / MB / median(&times).as_secs_f64();
        promise::at_least("a 40 MB file through the viewer, in MB/s", seen, LARGE_RATE);
        rate(
            "",
            LARGE_BYTES,
            median(&times),
            "reading the file",
            median(&read),
            "",
        );
        line("  memory after it", &self.memory("VmRSS"), "", "200–230 MB");
    }

    fn whole_page(&self) {
        let times: Vec<_> = (0..PAGE_LOADS)
            .map(|_| {
                let started = Instant::now();
                let files = (0..PAGE_FILES)
                    .map(|file| self.get(format!("page/{file}.bin"), PAGE_FILE_BYTES));
                self.runtime
                    .block_on(try_join_all(files))
                    .expect("each file comes whole");
                started.elapsed()
            })
            .collect();
        let bare = samples(PAGE_LOADS, || loopback_files(PAGE_FILES, PAGE_FILE_BYTES));
        row(
            "100 files of 10 KB in parallel",
            median(&times),
            "loopback TCP, one each",
            median(&bare),
            "",
        );
        line(
            "  TCP connections between the two",
            &self.connections().to_string(),
            "",
            "",
        );
    }

    fn huge_file(&self) {
        let time = self.fetch_all("huge.bin", HUGE_BYTES);
        rate(
            "a file of 1 GiB through the viewer",
            HUGE_BYTES,
            time,
            "loopback TCP",
            loopback_copy(HUGE_BYTES),
            "refused",
        );
        line("  most memory ever", &self.memory("VmHWM"), "", "");
        for peer in [&self.visitor, &self.owner] {
            assert!(
                peer.memory("VmHWM") < HUGE_MEMORY,
                "a process took more than {} MB",
                HUGE_MEMORY / MB
            );
        }
    }

    /// The time to the first byte and to the last one.
    fn fetch(&self, path: &str) -> (Duration, Duration, usize) {
        let url = self.url(path);
        self.runtime.block_on(async {
            let started = Instant::now();
            let mut answer = self
                .client
                .get(url)
                .timeout(PATIENCE)
                .send()
                .await
                .expect("the viewer answers");
            assert_eq!(answer.status(), 200);
            let (mut first, mut bytes) = (None, 0);
            while let Some(chunk) = answer.chunk().await.expect("it comes whole") {
                first.get_or_insert_with(|| started.elapsed());
                bytes += chunk.len();
            }
            (first.expect("no page is empty"), started.elapsed(), bytes)
        })
    }

    fn fetch_all(&self, path: &str, len: usize) -> Duration {
        let (_, whole, bytes) = self.fetch(path);
        assert_eq!(bytes, len);
        whole
    }

    async fn get(&self, path: String, len: usize) -> Result<(), reqwest::Error> {
        let answer = self
            .client
            .get(self.url(&path))
            .timeout(PATIENCE)
            .send()
            .await?
            .error_for_status()?;
        assert_eq!(answer.bytes().await?.len(), len);
        Ok(())
    }

    fn url(&self, path: &str) -> String {
        format!("{}p/{}/{path}", self.visitor.viewer(), self.owner.id())
    }

    fn memory(&self, figure: &str) -> String {
        megabytes(&[self.visitor.memory(figure), self.owner.memory(figure)])
    }

    /// TCP connections that the owner has accepted and that still stand.
    fn connections(&self) -> usize {
        let address = self.owner.address("127.0.0.1");
        let port: u16 = address
            .split('/')
            .nth(4)
            .and_then(|port| port.parse().ok())
            .expect("a port");
        let tables = ["tcp", "tcp6"]
            .map(|table| fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default());
        let established = |line: &&str| {
            let mut fields = line.split_whitespace().skip(1);
            let local = fields.next().unwrap_or_default();
            local.ends_with(&format!(":{port:04X}")) && fields.nth(1) == Some("01")
        };
        tables
            .iter()
            .flat_map(|table| table.lines())
            .filter(established)
            .count()
    }
}

/// Answers on one connection that is there already: a line in, a page out.
fn loopback_answers(page: &[u8], count: usize) -> Vec<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().expect("one comes");
            stream.set_nodelay(true).expect("a TCP stream");
            let mut request = [0; 64];
            while matches!(stream.read(&mut request), Ok(1..)) {
                stream.write_all(page).expect("it waits for this");
            }
        });
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.set_nodelay(true).expect("a TCP stream");
        let mut answer = vec![0; page.len()];
        samples(count, || {
            stream.write_all(b"GET /index.html\n").expect("it reads");
            stream.read_exact(&mut answer).expect("it answers");
        })
    })
}

/// Zeros from one thread to another over TCP.
fn loopback_copy(bytes: usize) -> Duration {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().expect("one comes");
            let chunk = [0; 128 * 1024];
            let mut left = bytes;
            while left > 0 {
                let now = left.min(chunk.len());
                stream.write_all(&chunk[..now]).expect("it reads");
                left -= now;
            }
        });
        let started = Instant::now();
        drain(&mut TcpStream::connect(address).expect("it listens"));
        started.elapsed()
    })
}

/// As many connections at once as files, one file each.
fn loopback_files(files: usize, bytes: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::scope(|scope| {
        scope.spawn(|| {
            let content = vec![0; bytes];
            for _ in 0..files {
                listener
                    .accept()
                    .and_then(|(mut stream, _)| stream.write_all(&content))
                    .expect("one comes and reads");
            }
        });
        let mut streams: Vec<_> = (0..files)
            .map(|_| TcpStream::connect(address).expect("it listens"))
            .collect();
        streams.iter_mut().for_each(drain);
    });
}

fn drain(from: &mut impl Read) {
    let mut chunk = vec![0; 128 * 1024];
    while from.read(&mut chunk).expect("it comes whole") > 0 {}
}

fn samples(count: usize, mut work: impl FnMut()) -> Vec<Duration> {
    let mut sample = || {
        let started = Instant::now();
        work();
        started.elapsed()
    };
    (0..count).map(|_| sample()).collect()
}

/// Bytes that no compression shortens.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..bytes).map(|_| next()).collect()
}

/// One line of the report; without a baseline where nothing compares.
fn line(what: &str, ours: &str, baseline: &str, existing: &str) {
    println!("{what:<40}{ours:>14}   {baseline:<44}{existing}");
}

fn row(what: &str, ours: Duration, against: &str, baseline: Duration, existing: &str) {
    let ratio = ours.as_secs_f64() / baseline.as_secs_f64();
    let baseline = format!("{ratio:.1} × {} of {against}", time(baseline));
    line(what, &time(ours), &baseline, existing);
}

fn rate(
    what: &str,
    bytes: usize,
    ours: Duration,
    against: &str,
    baseline: Duration,
    existing: &str,
) {
    let [ours, baseline] = [ours, baseline].map(|time| bytes as f64 / MB / time.as_secs_f64());
    let ratio = ours / baseline;
    let baseline = format!("{ratio:.2} × {baseline:.0} MB/s of {against}");
    line(what, &format!("{ours:.0} MB/s"), &baseline, existing);
}

fn time(time: Duration) -> String {
    if time < Duration::from_millis(10) {
        format!("{:.2} ms", time.as_secs_f64() * 1000.0)
    } else {
        millis(time)
    }
}

fn megabytes(figures: &[f64]) -> String {
    let figures: Vec<_> = figures
        .iter()
        .map(|bytes| format!("{:.0}", bytes / MB))
        .collect();
    format!("{} MB", figures.join(" + "))
}
