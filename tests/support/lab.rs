//! Networks of our own, without being root: a test runs itself again in fresh user, network, mount
//! and process namespaces, where it is root over nothing but them. Hosts are network namespaces
//! joined to a bridge by veth pairs, so multicast is real. Everything, processes included, is gone
//! when the test ends, however it ends.

pub(crate) mod firewall;
pub(crate) mod internet;
mod nat;

use std::{
    env,
    fs::File,
    io::{self, Write},
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::sched::{CloneFlags, setns};

/// Says to the test that it runs inside.
const INSIDE: &str = "GOOP2_LAB";
/// Inside, processes die with the test, and so do the networks they used.
const NAMESPACES: [&str; 6] = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--"];
/// Only where the user is not root already, or root may not do everything.
const BECOME_ROOT: [&str; 2] = ["--user", "--map-root-user"];
/// Neighbours of IPv6 need up to two seconds to be sure that an address is nobody else's.
const ADDRESSES_SETTLE: Duration = Duration::from_secs(10);

/// Runs a test's body inside. `test` is its full name, as the test harness prints it.
pub(crate) fn inside(test: &str, body: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        furnish();
        return body();
    }
    let status = unshare()
        .arg(env::current_exe().expect("a test knows its program"))
        .args([test, "--exact", "--include-ignored", "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .expect("unshare worked a moment ago");
    assert!(
        status.success(),
        "{test} failed inside its namespaces: see above"
    );
}

/// Namespaces as this machine allows them, or a failure that says what to do.
fn unshare() -> Command {
    let attempts = [&BECOME_ROOT[..], &[]].map(|user| {
        let mut command = Command::new("unshare");
        command.args(user).args(NAMESPACES);
        command
    });
    let mut refusals = Vec::new();
    for mut command in attempts {
        let words: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        match command.arg("true").output() {
            Ok(output) if output.status.success() => {
                let mut command = Command::new("unshare");
                command.args(words);
                return command;
            }
            Ok(output) => refusals.push(String::from_utf8_lossy(&output.stderr).into_owned()),
            Err(error) => refusals.push(error.to_string()),
        }
    }
    panic!(
        "No network namespaces on this machine: {}\nThis test needs them (packages util-linux, iproute2, nftables). Run it as root, or allow \
         them: sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0",
        refusals.join("; ")
    );
}

/// A place for the names of network namespaces, and a loopback interface.
fn furnish() {
    run("mount", &["-t", "tmpfs", "lab", "/run"]);
    std::fs::create_dir("/run/netns").expect("an empty file system of our own");
    run("ip", &["link", "set", "lo", "up"]);
}

/// A switch, and the hosts plugged into it.
pub(crate) struct Lan {
    number: u8,
    hosts: u8,
    routed: bool,
}

impl Lan {
    /// Addresses are 11.77.`number`.x: public ones, so that nothing works only because an address
    /// looks private.
    pub(crate) fn new(number: u8) -> Self {
        let bridge = format!("br{number}");
        run(
            "ip",
            &[
                "link",
                "add",
                &bridge,
                "type",
                "bridge",
                "mcast_snooping",
                "0",
            ],
        );
        run("ip", &["link", "set", &bridge, "up"]);
        Self {
            number,
            hosts: 0,
            routed: false,
        }
    }

    /// A network that reaches all other routed ones, as over the Internet: whatever has one
    /// receiver passes, multicast does not.
    pub(crate) fn routed(number: u8) -> Self {
        let lan = Self::new(number);
        let (router, bridge) = (format!("{}/24", lan.router()), format!("br{number}"));
        run("ip", &["addr", "add", &router, "dev", &bridge]);
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("a network of our own");
        Self {
            routed: true,
            ..lan
        }
    }

    fn router(&self) -> String {
        format!("11.77.{}.254", self.number)
    }

    pub(crate) fn host(&mut self) -> Host {
        let host = self.plug("eui64");
        let deadline = Instant::now() + ADDRESSES_SETTLE;
        loop {
            let v6 = host.ip(&["-6", "addr", "show", "dev", "eth0"]);
            let v6 = String::from_utf8_lossy(&v6.stdout);
            if v6.contains("fe80::") && !v6.contains("tentative") {
                return host;
            }
            assert!(
                Instant::now() < deadline,
                "eth0 got no usable IPv6 address: {v6}"
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// A host whose only address is the one that [`Host::address`] tells.
    pub(crate) fn host_ipv4(&mut self) -> Host {
        self.plug("none")
    }

    /// Another interface of this host on the same network, `eth1`; its address. Each of the two
    /// answers for its own address only, so that one that is down is not replaced by the other
    /// below everybody's notice.
    pub(crate) fn plug_again(&mut self, host: &Host) -> String {
        self.hosts += 1;
        let (lan, number) = (self.number, self.hosts);
        let address = format!("11.77.{lan}.{number}");
        let (port, bridge) = (format!("p{lan}-{number}"), format!("br{lan}"));
        run(
            "ip",
            &[
                "link", "add", &port, "type", "veth", "peer", "name", "eth1", "netns", &host.name,
            ],
        );
        run("ip", &["link", "set", &port, "master", &bridge, "up"]);
        host.enter(|| {
            for (switch, value) in [("arp_ignore", "1"), ("arp_announce", "2")] {
                let switch = format!("/proc/sys/net/ipv4/conf/all/{switch}");
                std::fs::write(switch, value).expect("a network of our own");
            }
        });
        host.ip(&["link", "set", "eth1", "addrgenmode", "none", "up"]);
        host.ip(&["addr", "add", &format!("{address}/24"), "dev", "eth1"]);
        address
    }

    /// Pulls the cable out of the interface with this address: it stays up, without a carrier. What
    /// manages the networks of a computer takes its routes away then.
    pub(crate) fn unplug(&self, host: &Host, address: &str) {
        host.enter(|| {
            let switch = "/proc/sys/net/ipv4/conf/all/ignore_routes_with_linkdown";
            std::fs::write(switch, "1").expect("a network of our own");
        });
        let (_, number) = address
            .rsplit_once('.')
            .expect("an address of this network");
        let port = format!("p{}-{number}", self.number);
        run("ip", &["link", "set", &port, "down"]);
    }

    fn plug(&mut self, ipv6: &str) -> Host {
        self.hosts += 1;
        let (lan, number) = (self.number, self.hosts);
        let name = format!("h{lan}-{number}");
        let host = Host {
            name,
            address: format!("11.77.{lan}.{number}"),
        };
        let (port, bridge) = (format!("p{lan}-{number}"), format!("br{lan}"));
        run("ip", &["netns", "add", &host.name]);
        run(
            "ip",
            &[
                "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &host.name,
            ],
        );
        run("ip", &["link", "set", &port, "master", &bridge, "up"]);
        host.ip(&["link", "set", "lo", "up"]);
        host.ip(&["link", "set", "eth0", "addrgenmode", ipv6, "up"]);
        host.ip(&[
            "addr",
            "add",
            &format!("{}/24", host.address),
            "dev",
            "eth0",
        ]);
        if self.routed {
            host.ip(&["route", "add", "default", "via", &self.router()]);
        }
        host
    }
}

/// A machine on a [`Lan`].
#[derive(Clone)]
pub(crate) struct Host {
    name: String,
    address: String,
}

impl Host {
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The same host at another address of its network.
    pub(crate) fn move_to(&mut self, last: u8) {
        self.move_to_on("eth0", last);
    }

    fn move_to_on(&mut self, device: &str, last: u8) {
        let (network, _) = self.address.rsplit_once('.').expect("an IPv4 address");
        let address = format!("{network}.{last}");
        let [old, new] = [&self.address, &address].map(|address| format!("{address}/24"));
        self.ip(&["addr", "del", &old, "dev", device]);
        self.ip(&["addr", "add", &new, "dev", device]);
        self.address = address;
    }

    /// Runs `ip` on this host.
    pub(crate) fn ip(&self, args: &[&str]) -> Output {
        run("ip", &[&["-n", &self.name], args].concat())
    }

    /// Runs a program on this host to its end.
    pub(crate) fn run(&self, program: &str, args: &[&str]) -> Output {
        run(
            "ip",
            &[&["netns", "exec", &self.name, program], args].concat(),
        )
    }

    /// The same, with something to read.
    fn feed(&self, program: &str, args: &[&str], input: &str) {
        feed(
            "ip",
            &[&["netns", "exec", &self.name, program], args].concat(),
            input,
        );
    }

    /// A program that will run on this host; its process is the one that is started.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Runs a closure on this host: the sockets that it opens are the host's.
    pub(crate) fn enter<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        let entered = thread::scope(|scope| {
            let inside = scope.spawn(|| {
                let namespace = File::open(Path::new("/run/netns").join(&self.name))?;
                setns(namespace, CloneFlags::CLONE_NEWNET)?;
                Ok::<_, io::Error>(body())
            });
            inside
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        entered.expect("a host of ours can be entered")
    }
}

fn run(program: &str, args: &[&str]) -> Output {
    let output = Command::new(program)
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} {}: {why}",
        args.join(" ")
    );
    output
}

/// Runs a program that reads this.
fn feed(program: &str, args: &[&str], input: &str) {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut stdin = child.stdin.take().expect("piped above");
    stdin
        .write_all(input.as_bytes())
        .expect("it reads to the end");
    drop(stdin);
    let output = child.wait_with_output().expect("own child");
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} {}: {why}\n{input}",
        args.join(" ")
    );
}
