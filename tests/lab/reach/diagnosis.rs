//! What `goop2 doctor` says when something is wrong: what it is and what to do, for people who are
//! not network engineers. With `REACH_SHOTS=FOLDER`, the Network page is also drawn in each of
//! these situations.

use std::{env, path::Path, process::Stdio, thread};

use super::World;
use crate::{
    PATIENCE,
    change::drop_mdns,
    inside,
    rendezvous::joined,
    support::{
        lab::{
            Host,
            internet::{Nat, Site},
        },
        peer::{Folder, Peer},
    },
};

/// How often the doctor is asked at most.
const ATTEMPTS: usize = 4;

/// A host somewhere, and what the doctor should say there.
struct Situation {
    name: &'static str,
    site: Site,
    folder: Folder,
    /// The first line, and parts of the rest.
    verdict: &'static str,
    words: &'static [&'static str],
}

/// `silent` has no server.
fn situations(world: &World, silent: &Site) -> Vec<Situation> {
    let at = |name, nat, verdict, words| Situation {
        name,
        site: world.internet.site(nat),
        folder: world.joined(name, nat),
        verdict,
        words,
    };
    let all = vec![
        at(
            "public",
            Nat::Public,
            "good: Others can reach you from anywhere, and connect directly.",
            &[],
        ),
        at(
            "port-restricted",
            Nat::PortRestricted,
            "good: Others can reach you from anywhere, almost always directly.",
            &["forward port", "A test connection from outside failed"],
        ),
        at(
            "symmetric",
            Nat::Symmetric,
            "limited: Others can reach you from anywhere, but some only through a relay, which is slower.",
            &["What to do: Turn on UPnP or NAT-PMP in your router"],
        ),
        at(
            "UDP blocked",
            Nat::UdpBlocked,
            "limited: Others can reach you from anywhere, but some only through a relay, which is slower.",
            &["blocks UDP", "What to do: Allow UDP"],
        ),
        at(
            "no multicast",
            Nat::Public,
            "good: Others can reach you from anywhere, and connect directly.",
            &[
                "This network: limited",
                "What to do: Add a peer by its address",
            ],
        ),
        at(
            "no network",
            Nat::Public,
            "broken: This computer is not connected to a network.",
            &["What to do: Connect it to a network"],
        ),
        Situation {
            folder: joined(
                "rendezvous away",
                &format!("http://{}:8787", silent.public[0]),
            ),
            ..at(
                "rendezvous away",
                Nat::PortRestricted,
                "limited: No rendezvous responds, so people on other networks can't find you.",
                &[
                    "It can't be reached",
                    "What to do: Check that this computer is on the Internet.",
                ],
            )
        },
    ];
    for situation in &all {
        match situation.name {
            "no multicast" => drop_mdns(situation.site.host()),
            "no network" => situation.site.unplug(),
            _ => {}
        }
    }
    all
}

impl Situation {
    /// What the doctor says in the end: it gives its tests a limited time, in which a busy computer
    /// may not finish them.
    fn diagnose(&self) -> String {
        let mut said = self.ask();
        for _ in 1..ATTEMPTS {
            if self.lacks(&said).is_none() {
                break;
            }
            said = self.ask();
        }
        said
    }

    fn ask(&self) -> String {
        let mut doctor = self.site.host().command(env!("CARGO_BIN_EXE_goop2"));
        let output = doctor
            .arg("doctor")
            .arg(self.folder.path())
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {errors}", self.name);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The first of what it should say, and does not.
    fn lacks(&self, said: &str) -> Option<&'static str> {
        let second = said.lines().nth(1).unwrap_or_default();
        if !second.starts_with(self.verdict) {
            return Some(self.verdict);
        }
        self.words
            .iter()
            .find(|words| !said.contains(**words))
            .copied()
    }

    fn check(&self, said: &str) {
        if let Some(words) = self.lacks(said) {
            panic!("{}: no “{words}” in {said}", self.name);
        }
    }

    /// Draws the Network page of a peer there, once all is found out.
    fn draw(&self, folder: &Path) {
        let peer = Peer::start(&self.folder, Some(self.site.host()));
        peer.wait("tests have ended", PATIENCE, |event| {
            event["event"] == "network" && event["network"]["testing"] == false
        });
        draw(self.site.host(), &peer, &folder.join(self.name));
    }
}

fn draw(host: &Host, peer: &Peer, file: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/shot.mjs");
    let open = peer.ready().event["open_url"].clone();
    let mut browser = host.command("node");
    browser
        .arg(script)
        .args([open.as_str().unwrap(), "Network"]);
    let drawn = browser.arg(file).stdin(Stdio::null()).status().unwrap();
    assert!(drawn.success(), "{}", file.display());
}

#[test]
fn each_situation_comes_with_what_to_do() {
    inside(
        "reach::diagnosis::each_situation_comes_with_what_to_do",
        || {
            let world = World::new();
            let silent = world.internet.site(Nat::Public);
            let situations = situations(&world, &silent);
            let said: Vec<_> = thread::scope(|scope| {
                let all: Vec<_> = situations
                    .iter()
                    .map(|situation| scope.spawn(|| situation.diagnose()))
                    .collect();
                all.into_iter().map(|one| one.join().unwrap()).collect()
            });
            for (situation, said) in situations.iter().zip(&said) {
                println!("── {} ──\n{said}", situation.name);
            }
            if let Some(folder) = env::var_os("REACH_SHOTS") {
                for situation in &situations {
                    situation.draw(Path::new(&folder));
                }
            }
            for (situation, said) in situations.iter().zip(&said) {
                situation.check(said);
            }
        },
    );
}
