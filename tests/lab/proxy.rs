//! The proxies of `deploy/`, real ones with TLS, in front of `goop2 rendezvous`: nothing waits in
//! them, and every client keeps its own address.

use std::{
    collections::BTreeSet,
    fs,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use goop2_proto::{
    Keypair,
    presence::{Kind, Message, Presence},
};
use reqwest::{Certificate, Client, Response, StatusCode, redirect::Policy};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::{
    PATIENCE, measured,
    rendezvous::{joined, visit_each_other},
    support::{
        lab::{Host, Lan},
        millis,
        peer::{Folder, Peer},
        promise,
    },
};

/// The name in the shipped files.
const NAME: &str = "meet.example.org";
/// Where nginx's file looks for the certificate of that name.
const CERTIFICATES: &str = "/etc/letsencrypt/live/meet.example.org";
/// Which authorities a Debian system trusts.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
const PASSWORD: &str = "a password for the lab";
/// Peers behind the proxy, each at an address of its own.
const PEERS: u8 = 200;
/// Messages of each: an existing server refuses the sixty-first in a minute, from any sender.
const MESSAGES: u8 = 3;
/// As many at a time as keeps two processors busy.
const AT_ONCE: usize = 16;
/// From a message to the event at the subscribers. A proxy that buffers waits for far more.
const UNBUFFERED: Duration = Duration::from_secs(5);

#[test]
fn caddy_passes_everything_on_at_once() {
    measured("proxy::caddy_passes_everything_on_at_once", || {
        let files = TempDir::new().unwrap();
        let config = files.path().join("Caddyfile");
        // No public certificate authority: nobody owns the name.
        let lab = "{\n\tlocal_certs\n\tskip_install_trust\n\tadmin off\n}\n";
        fs::write(&config, format!("{lab}{}", shipped("Caddyfile"))).unwrap();
        let ca = files.path().join("caddy/pki/authorities/local/root.crt");
        works("Caddy", &ca, |host| {
            let mut command = host.command("caddy");
            command.args(["run", "--adapter", "caddyfile", "--config"]);
            command.arg(&config).env("XDG_DATA_HOME", files.path());
            command.env("XDG_CONFIG_HOME", files.path());
            Proxy::start(command, files.path())
        });
    });
}

#[test]
fn nginx_passes_everything_on_at_once() {
    measured("proxy::nginx_passes_everything_on_at_once", || {
        let files = TempDir::new().unwrap();
        let dir = files.path().display();
        let ca = certify(files.path());
        let site = shipped("nginx.conf").replace(CERTIFICATES, &dir.to_string());
        let buffers = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {dir}/{name};"))
            .concat();
        let config = files.path().join("main.conf");
        let lab = format!(
            "daemon off; user root; pid {dir}/pid; events {{ worker_connections 2048; }} http {{ {buffers} access_log off;\n{site}\n}}\n"
        );
        fs::write(&config, lab).unwrap();
        works("nginx", &ca, |host| {
            let mut command = host.command("nginx");
            command.args(["-e", "stderr", "-c"]).arg(&config);
            Proxy::start(command, files.path())
        });
    });
}

#[test]
fn the_unit_is_valid_and_hardened() {
    let files = TempDir::new().unwrap();
    let unit = files.path().join("goop2-rendezvous.service");
    let program = env!("CARGO_BIN_EXE_goop2");
    let text = shipped("goop2-rendezvous.service")
        .replace("/usr/local/bin/goop2 ", &format!("{program} "));
    fs::write(&unit, text).unwrap();
    // 0 is a service that may do nothing, 100 one that may do everything.
    for check in [
        &["verify"][..],
        &["security", "--offline=true", "--threshold=20"],
    ] {
        let output = Command::new("systemd-analyze")
            .args(check)
            .arg(&unit)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{check:?}: {said}");
        assert_eq!(said, "", "{check:?}");
    }
}

fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(name);
    fs::read_to_string(path).unwrap()
}

/// A certificate authority for a day, and what it says about [`NAME`].
fn certify(dir: &Path) -> PathBuf {
    let ca = dir.join("ca.pem");
    let (key, name) = (dir.join("ca.key"), format!("/CN={NAME}"));
    let file = |name: &str| dir.join(name).display().to_string();
    let common = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 1";
    let openssl = |args: &[&str]| {
        let output = Command::new("openssl")
            .args(common.split(' '))
            .args(args)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    };
    let (ca_file, key_file) = (file("ca.pem"), key.display().to_string());
    openssl(&["-subj", "/CN=lab", "-out", &ca_file, "-keyout", &key_file]);
    let names = format!("subjectAltName=DNS:{NAME}");
    openssl(&[
        "-CA",
        &ca_file,
        "-CAkey",
        &key_file,
        "-subj",
        &name,
        "-addext",
        &names,
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-out",
        &file("fullchain.pem"),
        "-keyout",
        &file("privkey.pem"),
    ]);
    ca
}

/// A proxy's process, ended with this value.
struct Proxy {
    child: Child,
    log: PathBuf,
}

impl Proxy {
    fn start(mut command: Command, dir: &Path) -> Self {
        let log = dir.join("proxy.log");
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { child, log }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

/// A rendezvous behind the proxy on one host, everything else on another.
fn works(name: &str, ca: &Path, start: impl FnOnce(&Host) -> Proxy) {
    let (mut lan, mut elsewhere) = (Lan::routed(1), Lan::routed(2));
    let (here, there) = (lan.host_ipv4(), lan.host_ipv4());
    let folder = Folder::with(&json!({ "presence": {
        "rendezvous_bind": "127.0.0.1",
        "external_url": format!("https://{NAME}"),
        "admin_password": PASSWORD,
        "ttl_seconds": 120, // the first is still there when the last has come
    } }));
    let addresses: String = (0..PEERS)
        .map(|number| format!("addr add {}/24 dev eth0\n", address(number)))
        .collect();
    folder.write("addresses", addresses);
    let batch = folder.path().join("addresses").display().to_string();
    there.ip(&["-batch", &batch]);

    let server = Peer::rendezvous(&folder, Some(&here));
    let proxy = start(&here);
    let visitors = Visitors {
        server: here.address().parse().unwrap(),
        ca: ca.to_owned(),
    };
    there.enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            visitors.until_it_answers().await;
            visitors.hear_at_once(name).await;
            visitors.publish_in_great_number(name).await;
            visitors.administrate().await;
        });
    });
    peers_meet(name, [&there, &elsewhere.host_ipv4()], &visitors);
    drop(proxy);
    server.stop();
}

/// Two peers that know the rendezvous by its URL, and trust the authority as they trust any other
/// of their system.
fn peers_meet(name: &str, hosts: [&Host; 2], visitors: &Visitors) {
    let files = TempDir::new().unwrap();
    let names = files.path().join("hosts");
    fs::write(&names, format!("{} {NAME}\n", visitors.server)).unwrap();
    for (ours, theirs) in [(&names, "/etc/hosts"), (&visitors.ca, AUTHORITIES)] {
        let mut bind = Command::new("mount");
        bind.arg("--bind").arg(ours).arg(theirs);
        assert!(bind.status().unwrap().success(), "{theirs}");
    }
    let folders = ["left", "right"].map(|label| joined(label, &url("")));
    let [left, right] = [0, 1].map(|index: usize| Peer::start(&folders[index], Some(hosts[index])));
    let started = right.ready().at;
    let met = left.sees(&right.id(), PATIENCE);
    assert_eq!(met.event["source"], "wan");
    right.sees(&left.id(), PATIENCE);
    visit_each_other(&left, &right);
    println!(
        "{name}: two peers see each other {} after the second was ready",
        millis(met.at.saturating_duration_since(started))
    );
    left.stop();
    right.stop();
}

fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(11, 77, 1, 50 + number)
}

/// Everybody who knows the rendezvous by its name only.
struct Visitors {
    server: IpAddr,
    ca: PathBuf,
}

impl Visitors {
    /// A client with its own connections.
    fn client(&self, from: Option<Ipv4Addr>) -> Client {
        let ca = Certificate::from_pem(&fs::read(&self.ca).unwrap()).unwrap();
        Client::builder()
            .tls_certs_only([ca])
            .resolve(NAME, (self.server, 443).into())
            .local_address(from.map(IpAddr::from))
            .redirect(Policy::none())
            .no_proxy()
            .build()
            .unwrap()
    }

    /// Caddy makes its authority at the start.
    async fn until_it_answers(&self) {
        let answers = async {
            while !self.ca.exists() {
                sleep(Duration::from_millis(50)).await;
            }
            let client = self.client(None);
            while !matches!(client.get(url("/healthz")).send().await, Ok(answer) if answer.status() == 200)
            {
                sleep(Duration::from_millis(50)).await;
            }
            let page = client.get(url("/")).send().await.unwrap();
            assert!(page.text().await.unwrap().contains(&url("")));
        };
        timeout(PATIENCE, answers).await.expect("it answers");
    }

    async fn hear_at_once(&self, name: &str) {
        let publisher = self.client(None);
        let mut feeds = Vec::new();
        for path in ["/events", "/events?changes=1"] {
            let feed = self.client(None).get(url(path)).send().await.unwrap();
            assert_eq!(feed.status(), 200);
            feeds.push((path, feed));
        }
        // One subscriber must not be helped by what was sent to the other.
        for ((path, mut feed), number) in feeds.into_iter().zip([PEERS, PEERS + 1]) {
            heard(&mut feed, ": ok").await;
            let key = key(number);
            let id = key.public().to_peer_id().to_base58();
            let sent = Instant::now();
            let message = message(&key, Kind::Online, 0);
            assert_eq!(publish(&publisher, &message).await, StatusCode::NO_CONTENT);
            heard(&mut feed, &id).await;
            let took = sent.elapsed();
            println!("{name}: {path} tells of a message {} later", millis(took));
            promise::time(&format!("{name} passes an event on"), took, UNBUFFERED);
        }
    }

    async fn publish_in_great_number(&self, name: &str) {
        let started = Instant::now();
        let peers = stream::iter(0..PEERS).map(async |number| {
            let (client, key) = (self.client(Some(address(number))), key(number));
            for index in 0..MESSAGES {
                let kind = if index == 0 {
                    Kind::Online
                } else {
                    Kind::Update
                };
                let answer = publish(&client, &message(&key, kind, index)).await;
                assert_eq!(answer, StatusCode::NO_CONTENT, "peer {number}");
            }
        });
        let peers = peers.buffer_unordered(AT_ONCE);
        peers.collect::<()>().await;
        println!(
            "{name}: {PEERS} peers, {MESSAGES} messages each, all taken in {}",
            millis(started.elapsed())
        );
    }

    async fn administrate(&self) {
        let client = self.client(None);
        let page = async |cookie: &str, path: &str| -> Response {
            let request = client.get(url(path)).header("cookie", cookie);
            request.header("accept", "text/html").send().await.unwrap()
        };
        assert_eq!(page("", "/admin").await.status(), 401);
        let form = [("password", PASSWORD)];
        let login = client.post(url("/admin/login")).form(&form);
        let login = login.send().await.unwrap();
        assert_eq!(login.status(), StatusCode::SEE_OTHER);
        let cookie = login.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.ends_with("; Secure"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap();
        let admin = page(cookie, "/admin").await;
        assert_eq!(admin.status(), 200);
        assert!(admin.text().await.unwrap().contains("./assets/admin.js"));

        let state: Value = page(cookie, "/admin/state.json")
            .await
            .json()
            .await
            .unwrap();
        let peers = state["peers"].as_array().unwrap();
        let from: BTreeSet<_> = peers.iter().map(|peer| peer["from"].as_str()).collect();
        let missing: Vec<_> = (0..PEERS)
            .map(|number| address(number).to_string())
            .filter(|address| !from.contains(&Some(address)))
            .collect();
        assert_eq!(missing, [""; 0], "counted as themselves");

        let subject = json!({ "peer": key(0).public().to_peer_id().to_base58() });
        let kick = client.post(url("/admin/kick")).header("cookie", cookie);
        let kicked = kick.header("goop2-admin", "1").json(&subject).send().await;
        assert_eq!(kicked.unwrap().status(), StatusCode::NO_CONTENT);
    }
}

fn url(path: &str) -> String {
    format!("https://{NAME}{path}")
}

fn key(number: u8) -> Keypair {
    Keypair::ed25519_from_bytes([number; 32]).unwrap()
}

/// What a peer says; `index` keeps its messages in order.
fn message(key: &Keypair, kind: Kind, index: u8) -> Message {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = i64::try_from(now.unwrap().as_millis()).unwrap();
    let presence = Presence {
        kind,
        label: "somebody".into(),
        addrs: vec!["/ip4/198.51.100.7/tcp/4001".parse().unwrap()],
        ..Presence::offline(key.public().to_peer_id(), now + i64::from(index))
    };
    let mut message = presence.message();
    message.sign(key);
    message
}

async fn publish(client: &Client, message: &Message) -> StatusCode {
    let request = client.post(url("/publish")).body(message.encode());
    request.send().await.unwrap().status()
}

/// Reads until the text was there.
async fn heard(feed: &mut Response, text: &str) {
    let mut all = String::new();
    let reading = async {
        while !all.contains(text) {
            let bytes = feed.chunk().await.unwrap().expect("it goes on");
            all.push_str(&String::from_utf8_lossy(&bytes));
        }
    };
    timeout(PATIENCE, reading).await.expect("it is told");
}
