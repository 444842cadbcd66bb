//! A network of namespaces, and the processes in it.

use std::{
    io::{BufRead, BufReader, Write},
    net::Ipv4Addr,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use super::process::{ROLE, TAG};

const INSIDE: &str = "GOOP2_LAB";

/// One lab at a time: the times are of interest, and test computers have few cores.
static ALONE: Mutex<()> = Mutex::new(());

/// Runs the body of the test called `name` as root of a namespace of its own.
pub(crate) fn inside(name: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let output = Command::new("unshare")
        .args(["-Urnm", "--kill-child"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("`unshare` of util-linux is installed");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{said}\n{errors}\nIf namespaces are what is missing: allow them with \
         `sysctl -w kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0` \
         (in a container: run it with the capability SYS_ADMIN), and install iproute2."
    );
    for line in said
        .lines()
        .filter(|line| !line.starts_with("running") && !line.starts_with("test "))
    {
        println!("{line}");
    }
}

/// Hosts 10.77.0.1, .2, … on one bridge.
pub(crate) struct Lab;

impl Lab {
    pub(crate) fn new(hosts: &[&str]) -> Self {
        let lab = Self;
        lab.run("mount -t tmpfs tmpfs /run && mkdir /run/netns && ip link set lo up");
        lab.run("ip link add br0 type bridge && ip link set br0 up");
        for (n, host) in hosts.iter().enumerate() {
            let ip = Ipv4Addr::new(10, 77, 0, u8::try_from(n + 1).unwrap());
            lab.run(&format!(
                "ip netns add {host} && ip link add to-{host} type veth peer name eth0 netns {host} &&
                 ip link set to-{host} master br0 up && ip -n {host} link set lo up &&
                 ip -n {host} addr add {ip}/24 dev eth0 && ip -n {host} link set eth0 up"
            ));
        }
        lab
    }

    pub(crate) fn run(&self, script: &str) {
        let status = Command::new("sh").args(["-ec", script]).status().unwrap();
        assert!(status.success(), "in the namespace: {script}");
    }

    /// A peer in that host.
    pub(crate) fn start(&self, host: &str, tag: &str) -> Process {
        Process::spawn(host, tag, "peer")
    }

    /// Something that only listens to mDNS there.
    pub(crate) fn listen(&self, host: &str, tag: &str) -> Process {
        Process::spawn(host, tag, "ear")
    }
}

/// A process of this binary that says what happens, a line each.
pub(crate) struct Process {
    child: Child,
    stdin: ChildStdin,
    lines: mpsc::Receiver<String>,
    received: Vec<String>,
}

/// More than any test makes a process say.
const MAX_LINES: usize = 10_000;

const PATIENCE: Duration = Duration::from_secs(20);

impl Process {
    fn spawn(host: &str, tag: &str, role: &str) -> Self {
        let mut child = Command::new("ip")
            .args(["netns", "exec", host])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "process", "--nocapture"])
            .env(ROLE, role)
            .env(TAG, tag)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (tx, lines) = mpsc::sync_channel(MAX_LINES);
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let _reader = std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if let Some(line) = line.strip_prefix("@ ")
                    && tx.send(line.to_owned()).is_err()
                {
                    break;
                }
            }
        });
        Self {
            stdin: child.stdin.take().unwrap(),
            child,
            lines,
            received: Vec::new(),
        }
    }

    /// Waits for a line that begins so, already received or not.
    pub(crate) fn line(&mut self, start: &str) -> String {
        let until = Instant::now() + PATIENCE;
        let mut next = 0;
        loop {
            if let Some(found) = self.received[next..]
                .iter()
                .find(|line| line.starts_with(start))
            {
                return found.clone();
            }
            next = self.received.len();
            match self
                .lines
                .recv_timeout(until.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.received.push(line),
                Err(_) => panic!("`{start}` was not said, but: {:#?}", self.received),
            }
        }
    }

    /// The id of the peer, once it listens.
    pub(crate) fn ready(&mut self) -> String {
        self.line("ready").split(' ').nth(1).unwrap().to_owned()
    }

    pub(crate) fn port(&mut self) -> String {
        self.line("ready").split(' ').nth(2).unwrap().to_owned()
    }

    pub(crate) fn say(&mut self, command: &str) {
        writeln!(self.stdin, "{command}").unwrap();
    }

    /// Says something and waits for a new line that begins so.
    pub(crate) fn tell(&mut self, command: &str, answer: &str) -> String {
        self.received.retain(|line| !line.starts_with(answer));
        self.say(command);
        self.line(answer)
    }

    /// Whether anything said so far contains this.
    pub(crate) fn seen(&mut self, text: &str) -> bool {
        self.received.extend(self.lines.try_iter());
        self.received.iter().any(|line| line.contains(text))
    }

    pub(crate) fn stop(&mut self) {
        self.say("stop");
        assert!(self.child.wait().unwrap().success());
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
