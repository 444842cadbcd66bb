//! A running `goop2 peer` or `goop2 rendezvous`, driven as any script would: by its JSON lines, its
//! viewer and signals.

use std::{
    env,
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use goop2_proto::id;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    http::{self, Answer, Timed},
    lab::Host,
};

/// A start on a busy machine, in a build without optimisation.
const START: Duration = Duration::from_secs(20);
/// More than an orderly end may take, so that one which is too slow is measured rather than given
/// up.
const END: Duration = Duration::from_secs(10);

/// A peer's folder, gone with this value.
pub(crate) struct Folder(TempDir);

impl Folder {
    /// A folder as small as a user could write it. The tag keeps peers of one test from meeting
    /// those of another.
    pub(crate) fn new(label: &str, tag: &str) -> Self {
        Self::with(&json!({
            "profile": { "label": label },
            "p2p": { "mdns_tag": tag },
            "viewer": { "http_addr": "127.0.0.1:0" },
        }))
    }

    pub(crate) fn with(config: &Value) -> Self {
        let folder = Self(TempDir::new().expect("a temporary folder"));
        folder.write("goop.json", config.to_string());
        folder.write("site/index.html", "<!doctype html><title>front</title>\n");
        folder
    }

    /// A copy of a folder, whose files may be read-only.
    pub(crate) fn copy(original: &Path) -> Self {
        let folder = Self(TempDir::new().expect("a temporary folder"));
        copy_into(original, folder.path());
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("files are inside the folder"))
            .expect("own folder");
        fs::write(path, bytes).expect("own folder");
    }
}

fn copy_into(original: &Path, copy: &Path) {
    fs::create_dir_all(copy).expect("own folder");
    for entry in fs::read_dir(original).expect("the original is there") {
        let entry = entry.expect("the original is readable");
        let target = copy.join(entry.file_name());
        if entry.path().is_dir() {
            copy_into(&entry.path(), &target);
        } else {
            fs::write(
                target,
                fs::read(entry.path()).expect("the original is readable"),
            )
            .expect("own folder");
        }
    }
}

/// One line of a peer, and when it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    pub(crate) event: Value,
}

/// A process of ours. Killed when dropped.
pub(crate) struct Peer {
    child: Child,
    said: Arc<Said>,
    reader: Option<JoinHandle<()>>,
    errors: PathBuf,
    host: Option<Host>,
    pub(crate) launched: Instant,
}

#[derive(Default)]
struct Said {
    lines: Mutex<Lines>,
    changed: Condvar,
}

#[derive(Default)]
struct Lines {
    seen: Vec<Seen>,
    ended: bool,
}

impl Peer {
    /// Starts and waits until it listens.
    pub(crate) fn start(folder: &Folder, host: Option<&Host>) -> Self {
        let peer = Self::launch(folder, host);
        peer.ready();
        peer
    }

    /// Starts without waiting.
    pub(crate) fn launch(folder: &Folder, host: Option<&Host>) -> Self {
        Self::run("peer", folder, host)
    }

    /// The same, with what it does in detail among its [`Peer::errors`].
    pub(crate) fn talkative(folder: &Folder, host: Option<&Host>) -> Self {
        let mut command = Self::program(host);
        command.env("RUST_LOG", "goop2=debug");
        let peer = Self::spawn(command, "peer", folder, host);
        peer.ready();
        peer
    }

    /// The folder's rendezvous server instead, listening.
    pub(crate) fn rendezvous(folder: &Folder, host: Option<&Host>) -> Self {
        let server = Self::run("rendezvous", folder, host);
        server.ready();
        server
    }

    /// The same built for Windows, listening.
    pub(crate) fn start_on_windows(folder: &Folder, host: &Host) -> Self {
        let peer = Self::spawn(Self::wine(host), "peer", folder, Some(host));
        peer.ready();
        peer
    }

    /// The program for Windows, where `scripts/test-windows` says that it is, on this host. Wine
    /// runs it in the process that is started.
    pub(crate) fn wine(host: &Host) -> Command {
        let program = env::var_os("GOOP2_WINDOWS").expect("run this by make test-windows");
        let mut command = host.command("wine");
        command.arg(program);
        command
    }

    fn run(subcommand: &str, folder: &Folder, host: Option<&Host>) -> Self {
        Self::spawn(Self::program(host), subcommand, folder, host)
    }

    fn program(host: Option<&Host>) -> Command {
        let program = env!("CARGO_BIN_EXE_goop2");
        host.map_or_else(|| Command::new(program), |host| host.command(program))
    }

    fn spawn(mut command: Command, subcommand: &str, folder: &Folder, host: Option<&Host>) -> Self {
        let errors = folder.path().join("stderr.log");
        let launched = Instant::now();
        let mut child = command
            .arg(subcommand)
            .arg(folder.path())
            .arg("--json")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&errors).expect("own folder"))
            .spawn()
            .expect("the program was built before its tests");
        let said = Arc::new(Said::default());
        let stdout = child.stdout.take().expect("piped above");
        let reader = thread::spawn({
            let said = Arc::clone(&said);
            move || said.read(stdout)
        });
        Self {
            child,
            said,
            reader: Some(reader),
            errors,
            host: host.cloned(),
            launched,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its folder in `/proc`, where a process inside namespaces has the number that it has outside.
    pub(crate) fn process(&self) -> PathBuf {
        let namespace = |process: &Path| fs::read_link(process.join("ns/pid")).ok();
        let ours = namespace(Path::new("/proc/self"));
        let number = self.pid().to_string();
        let is_it = |process: &PathBuf| {
            let status = fs::read_to_string(process.join("status")).unwrap_or_default();
            let numbers = status.lines().find(|line| line.starts_with("NSpid:"));
            let inside = numbers.and_then(|numbers| numbers.split_whitespace().last());
            inside == Some(&number) && namespace(process) == ours
        };
        let all = fs::read_dir("/proc").expect("Linux has it").flatten();
        let mut found = all.map(|entry| entry.path()).filter(is_it);
        found.next().expect("it runs")
    }

    /// Bytes from `/proc`: `VmRSS` is what the process holds now, `RssAnon` that without files,
    /// `VmHWM` the most that it ever held.
    pub(crate) fn memory(&self, figure: &str) -> f64 {
        let status = fs::read_to_string(self.process().join("status")).expect("it runs");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(figure))
            .expect("every process has it");
        let kibibytes: f64 = line
            .trim_matches(|char: char| !char.is_ascii_digit())
            .parse()
            .expect("a number");
        kibibytes * 1024.0
    }

    /// The line that says that everything listens.
    pub(crate) fn ready(&self) -> Seen {
        self.wait("ready", START, |event| event["event"] == "ready")
    }

    pub(crate) fn id(&self) -> String {
        text(&self.ready().event["peer_id"])
    }

    /// A TCP address of this peer with its id, as one would write it down for a friend.
    pub(crate) fn address(&self, ip: &str) -> String {
        let ready = self.ready().event;
        let start = format!("/ip4/{ip}/tcp/");
        let listen = ready["listen"].as_array().expect("a list of addresses");
        let address = listen
            .iter()
            .filter_map(Value::as_str)
            .find(|address| address.starts_with(&start))
            .unwrap_or_else(|| panic!("no {start}… among {listen:?}"));
        format!("{address}/p2p/{}", self.id())
    }

    pub(crate) fn wait(
        &self,
        what: &str,
        within: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Seen {
        self.wait_from(0, what, within, wanted)
    }

    /// The first wanted event after the first `from` ones (see [`Peer::mark`]).
    pub(crate) fn wait_from(
        &self,
        from: usize,
        what: &str,
        within: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Seen {
        let deadline = Instant::now() + within;
        let mut lines = self.said.lock();
        loop {
            if let Some(seen) = lines.seen[from..].iter().find(|seen| wanted(&seen.event)) {
                return seen.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || lines.ended {
                let why = if lines.ended {
                    "the process ended".into()
                } else {
                    format!("{within:?} passed")
                };
                let said: Vec<_> = lines
                    .seen
                    .iter()
                    .map(|seen| seen.event.to_string())
                    .collect();
                drop(lines);
                panic!(
                    "no “{what}”: {why}.\nSaid: {}\nLogged: {}",
                    said.join("\n      "),
                    self.errors()
                );
            }
            lines = self
                .said
                .changed
                .wait_timeout(lines, left)
                .expect(UNPOISONED)
                .0;
        }
    }

    /// How many events there were so far.
    pub(crate) fn mark(&self) -> usize {
        self.said.lock().seen.len()
    }

    pub(crate) fn events(&self) -> Vec<Value> {
        self.all().into_iter().map(|seen| seen.event).collect()
    }

    /// The same, with when they came.
    pub(crate) fn all(&self) -> Vec<Seen> {
        self.said.lock().seen.clone()
    }

    pub(crate) fn sees(&self, other: &str, within: Duration) -> Seen {
        self.wait(&format!("{other} online"), within, |event| {
            is(event, other, "online")
        })
    }

    /// Whether the last that was said of a peer is that it is online.
    pub(crate) fn shows(&self, other: &str) -> bool {
        let events = self.events();
        let last = events
            .iter()
            .rfind(|event| event["event"] == "peer" && event["peer_id"] == other);
        last.is_some_and(|event| event["state"] == "online")
    }

    /// What it wrote to standard error.
    pub(crate) fn errors(&self) -> String {
        fs::read_to_string(&self.errors).unwrap_or_default()
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) {
        self.signal(Signal::SIGINT);
    }

    pub(crate) fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    pub(crate) fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().expect("process ids are small"));
        kill(pid, signal).expect("a child not yet waited for has its id");
    }

    /// When it had ended, and how.
    pub(crate) fn ended(&mut self) -> (Instant, ExitStatus) {
        let deadline = Instant::now() + END;
        loop {
            if let Some(status) = self.child.try_wait().expect("own child") {
                return (Instant::now(), status);
            }
            assert!(
                Instant::now() < deadline,
                "still running after {END:?}\n{}",
                self.errors()
            );
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// SIGTERM, and the wait for the end.
    pub(crate) fn stop(mut self) {
        self.terminate();
        let (_, status) = self.ended();
        assert!(status.success(), "ended with {status}\n{}", self.errors());
    }

    /// Its viewer as people write it, `http://127.0.0.1:PORT/`.
    pub(crate) fn viewer(&self) -> String {
        text(&self.ready().event["viewer_url"])
    }

    /// Fetches from the viewer as a program without credentials would; `path` has no leading slash.
    pub(crate) fn get(&self, path: &str) -> Result<Answer, reqwest::Error> {
        let url = format!("{}{path}", self.viewer());
        self.send(|client| client.get(url))
    }

    /// The same, timed.
    pub(crate) fn fetch(&self, path: &str) -> Result<Timed, reqwest::Error> {
        let url = format!("{}{path}", self.viewer());
        let fetch = || http::timed(|client| client.get(url));
        match &self.host {
            Some(host) => host.enter(fetch),
            None => fetch(),
        }
    }

    /// Fetches a page of another peer.
    pub(crate) fn visit(&self, peer: &str, path: &str) -> Result<Answer, reqwest::Error> {
        self.get(&format!("p/{peer}/{path}"))
    }

    /// Posts as this peer's own UI does.
    pub(crate) fn api(&self, path: &str, body: &Value) -> Answer {
        let (url, token) = (format!("{}api/{path}", self.viewer()), self.token());
        self.send(|client| client.post(url).bearer_auth(token).json(body))
            .expect("the viewer answers")
    }

    /// Reads as this peer's own UI does.
    pub(crate) fn authorised(&self, path: &str) -> Answer {
        let (url, token) = (format!("{}api/{path}", self.viewer()), self.token());
        self.send(|client| client.get(url).bearer_auth(token))
            .expect("the viewer answers")
    }

    /// The same of something that must be there and is JSON.
    pub(crate) fn read(&self, path: &str) -> Value {
        let answer = self.authorised(path);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// What the opened URL carries.
    fn token(&self) -> String {
        let open_url = text(&self.ready().event["open_url"]);
        let (_, token) = open_url.split_once("?token=").expect("it signs in");
        token.to_owned()
    }

    /// Posts a data operation as a page of `peer`'s site would, from that site's origin.
    pub(crate) fn as_site(&self, peer: &str, operation: &str, body: &Value) -> Answer {
        let host = self.site_host(peer);
        let url = format!("{}api/p/{peer}/data/{operation}", self.viewer());
        self.send(|client| {
            let request = client
                .post(url)
                .header("host", &host)
                .header("origin", format!("http://{host}"));
            request.header("sec-fetch-site", "same-origin").json(body)
        })
        .expect("the viewer answers")
    }

    /// Where this peer's viewer serves a site to browsers, as a browser names it.
    pub(crate) fn site_host(&self, peer: &str) -> String {
        let viewer = self.viewer();
        let (_, port) = viewer
            .trim_end_matches('/')
            .rsplit_once(':')
            .expect("it has a port");
        let peer = id::parse(peer).expect("a peer id");
        format!("{}.localhost:{port}", id::to_label(&peer))
    }

    /// Tells this peer an address of another, as typed by hand.
    pub(crate) fn add_address(&self, address: &str) {
        let answer = self.api("address", &json!({ "address": address }));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    fn send(
        &self,
        request: impl FnOnce(&Client) -> RequestBuilder + Send,
    ) -> Result<Answer, reqwest::Error> {
        match &self.host {
            Some(host) => host.enter(|| http::send(request)),
            None => http::send(request),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl Said {
    fn read(&self, stdout: ChildStdout) {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let at = Instant::now();
            let event = serde_json::from_str(&line)
                .unwrap_or_else(|_| json!({ "event": "not JSON", "line": line }));
            self.lock().seen.push(Seen { at, event });
            self.changed.notify_all();
        }
        self.lock().ended = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().expect(UNPOISONED)
    }
}

const UNPOISONED: &str = "nothing panics while it is held";

pub(crate) fn is(event: &Value, peer: &str, state: &str) -> bool {
    event["event"] == "peer" && event["peer_id"] == peer && event["state"] == state
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("a text, not {value}"))
        .to_owned()
}
