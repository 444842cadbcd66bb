//! Every pair of sites: two peers that know nothing of each other; a click as soon as one sees the
//! other.

use std::{
    collections::BTreeMap,
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    World,
    observer::{Observer, Way},
};
use crate::{
    PATIENCE, RETRY, inside_alone,
    support::{
        lab::internet::{Internet, Nat, Site},
        median,
        peer::{Folder, Peer},
        promise,
    },
};

/// Large enough that handshakes at the same time do not hide its path.
const PAGE_BYTES: usize = 512 * 1024;
const FILE_BYTES: usize = 5_000_000;
/// A pair that is not connected directly this long after being seen counts as relayed.
const SETTLED: Duration = Duration::from_secs(8);
/// What a peer shows follows what it does within this.
const AGREED: Duration = Duration::from_secs(1);
/// Pairs at once: they wait more than they compute, but their work is timed.
const AT_ONCE: usize = 2;

/// The kinds that are combined with each other.
const CORE: [Nat; 4] = [
    Nat::Public,
    Nat::FullCone,
    Nat::PortRestricted,
    Nat::Symmetric,
];
const TCP_WORLD: [Nat; 3] = [Nat::UdpBlocked, Nat::Double, Nat::AddressRestricted];
const MAPPED: [Nat; 2] = [Nat::SymmetricMapped, Nat::Symmetric];
const SIX: [Nat; 2] = [Nat::Ipv6Only, Nat::DualStack];
/// Both peers at one site.
const TOGETHER: [Nat; 2] = [Nat::OneLan, Nat::Hairpin];

const TABLES: [&[Nat]; 3] = [&CORE, &TCP_WORLD, &MAPPED];
/// Of the pairs of each table, at least so many end up with a direct path.
const DIRECT: [usize; 3] = [14, 9, 3];
/// From the click to the first byte on any path; and from being seen to a direct path, if there is
/// one.
const SOON: Duration = Duration::from_secs(2);

type Pair = (Nat, Nat);

/// What became of a visit.
struct Visit {
    /// From the click on: the path of the page, and when its first byte arrived.
    click: Look,
    first_byte: Duration,
    /// The path of the file, fetched when no better path was expected.
    after: Look,
    file: Duration,
    /// From being seen until a direct path was shown.
    direct: Option<Duration>,
}

impl Visit {
    fn is_late(&self) -> bool {
        let soon = promise::allowed(SOON);
        self.first_byte > soon || self.direct.is_some_and(|direct| direct > soon)
    }
}

/// A path, as the routers saw it and as the peer showed it.
struct Look {
    taken: Option<Way>,
    /// From just before the request until it agreed with what was taken, or [`AGREED`] had passed.
    shown: Vec<Option<Way>>,
}

impl Look {
    /// Whether the path shown is the path taken. Of paths that lasted for a moment, only the last
    /// is shown; a page that used two, or came during attempts to find a better one, proves
    /// nothing.
    fn is_true(&self) -> bool {
        self.taken.is_none()
            || self.shown.contains(&self.taken)
            || self.shown.first() != self.shown.last()
    }
}

type Outcome = Result<Visit, String>;

#[test]
fn every_pair_connects() {
    inside_alone("reach::matrix::every_pair_connects", || {
        let started = Instant::now();
        let internet = Arc::new(Internet::new());
        let mut outcomes = visit_all(&internet, pairs(), AT_ONCE);
        // A busy host makes times meaningless, and hole punching depends on time: a pair that looks
        // wrong is tried again with nothing else running.
        let again = doubtful(&outcomes);
        if !again.is_empty() {
            println!("visited again, alone: {again:?}");
            outcomes.extend(visit_all(&internet, again, 1));
        }
        for kinds in [&CORE[..], &TCP_WORLD, &MAPPED, &SIX] {
            print_table(kinds, &outcomes);
        }
        for nat in TOGETHER {
            println!(
                "both behind the same router, {}: {}\n",
                nat.name(),
                cell(outcomes.get(&(nat, nat)))
            );
        }
        summarize(&outcomes);
        println!(
            "{} pairs in {:.0} s",
            outcomes.len(),
            started.elapsed().as_secs_f64()
        );
        check(&outcomes);
    });
}

fn pairs() -> Vec<Pair> {
    let mut pairs = Vec::new();
    for kinds in [&CORE[..], &TCP_WORLD, &MAPPED, &SIX] {
        pairs.extend(
            kinds
                .iter()
                .flat_map(|&a| kinds.iter().map(move |&b| (a, b))),
        );
    }
    pairs.extend(TOGETHER.map(|nat| (nat, nat)));
    pairs.sort_unstable();
    pairs.dedup();
    if let Ok(only) = env::var("REACH_PAIR") {
        pairs.retain(|(from, to)| format!("{},{}", from.name(), to.name()) == only);
        assert!(
            !pairs.is_empty(),
            "no pair “{only}”; names are {:?}",
            CORE.map(Nat::name)
        );
    }
    pairs
}

fn visit_all(
    internet: &Arc<Internet>,
    pairs: Vec<Pair>,
    at_once: usize,
) -> BTreeMap<Pair, Outcome> {
    let left = Mutex::new(pairs);
    let outcomes = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                // One for each, so that pairs stay separate.
                let world = World::on(Arc::clone(internet));
                loop {
                    let Some(pair) = left.lock().unwrap().pop() else {
                        return;
                    };
                    let outcome = catch_unwind(AssertUnwindSafe(|| visit(&world, pair)));
                    let outcome = outcome.unwrap_or_else(|_| Err("see above".into()));
                    outcomes.lock().unwrap().insert(pair, outcome);
                }
            });
        }
    });
    outcomes.into_inner().unwrap()
}

fn visit(world: &World, (from, to): Pair) -> Outcome {
    let together = TOGETHER.contains(&to);
    let owner_site = world.internet.site_of(to, if together { 2 } else { 1 });
    let visitor_site = (!together).then(|| world.internet.site(from));
    let owner_host = owner_site.host();
    let (visitor_site, visitor_host): (&Site, _) = match &visitor_site {
        Some(site) => (site, site.host()),
        None => (&owner_site, &owner_site.hosts[1]),
    };
    let folders = [("visitor", from), ("owner", to)].map(|(label, nat)| world.joined(label, nat));
    furnish(&folders[1]);
    let visitor = Peer::launch(&folders[0], Some(visitor_host));
    let owner = Peer::launch(&folders[1], Some(owner_host));
    let id = owner.id();
    let seen = visitor.sees(&id, PATIENCE).at;
    let observer = Observer {
        world,
        owner: (&owner_site, owner_host),
        visitor: (visitor_site, visitor_host),
    };

    let outcome = watch(&observer, &visitor, &id, seen);
    keep_logs((from, to), [&visitor, &owner, &world.server]);
    // In order: the next pair would still see a peer that only vanishes.
    visitor.stop();
    owner.stop();
    outcome
}

fn watch(observer: &Observer<'_>, visitor: &Peer, id: &str, seen: Instant) -> Outcome {
    let (click, first_byte, _) = look(observer, visitor, id, "")?;
    let direct = loop {
        let direct = visitor.all().into_iter().find(|event| {
            way(&event.event, id).is_some_and(|way| way.is_some_and(|way| !way.is_relayed()))
        });
        if direct.is_some() || seen.elapsed() > SETTLED {
            break direct.map(|event| event.at.saturating_duration_since(seen));
        }
        thread::sleep(RETRY);
    };
    let (mut after, _, mut file) = look(observer, visitor, id, "five.bin")?;
    if after.taken.is_none() {
        // Connections that both made at once became one meanwhile.
        (after, _, file) = look(observer, visitor, id, "five.bin")?;
    }
    Ok(Visit {
        click,
        first_byte,
        after,
        file,
        direct,
    })
}

/// Keeps the logs if `REACH_LOGS` names a folder; the server's log also has the earlier pairs.
fn keep_logs(pair: Pair, logs: [&Peer; 3]) {
    let Ok(folder) = env::var("REACH_LOGS") else {
        return;
    };
    let folder = Path::new(&folder);
    fs::create_dir_all(folder).unwrap();
    for (process, role) in logs.into_iter().zip(["visitor", "owner", "server"]) {
        let name =
            format!("{} to {} {role}", pair.0.name(), pair.1.name()).replace([' ', ','], "-");
        fs::write(folder.join(name), process.errors()).unwrap();
    }
}

fn furnish(folder: &Folder) {
    // Nothing that could be compressed.
    let mut state = 1_u64;
    let mut bytes = Vec::with_capacity(FILE_BYTES);
    while bytes.len() < FILE_BYTES {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&state.to_be_bytes()[..4]);
    }
    folder.write("site/five.bin", &bytes[..FILE_BYTES]);
    folder.write("site/index.html", &bytes[..PAGE_BYTES]);
}

fn look(
    observer: &Observer<'_>,
    visitor: &Peer,
    owner: &str,
    path: &str,
) -> Result<(Look, Duration, Duration), String> {
    let since = Instant::now();
    let before = observer.count();
    let fetched = visitor
        .fetch(&format!("p/{owner}/{path}"))
        .map_err(|error| format!("“{path}”: {error}"))?;
    let ended = Instant::now();
    let taken = observer.way_since(&before);
    let expected = if path.is_empty() {
        PAGE_BYTES
    } else {
        FILE_BYTES
    };
    let answer = &fetched.answer;
    if (answer.status, answer.body.len()) != (200, expected) {
        let start: String = answer.text().chars().take(200).collect();
        let (status, length) = (answer.status, answer.body.len());
        return Err(format!("“{path}”: {status} with {length} bytes: {start}"));
    }
    let mut shown = shown_since(visitor, owner, since);
    while !shown.contains(&taken) && ended.elapsed() < promise::allowed(AGREED) {
        thread::sleep(RETRY);
        shown = shown_since(visitor, owner, since);
    }
    Ok((Look { taken, shown }, fetched.first_byte, fetched.whole))
}

/// The paths that the visitor showed from a moment on, that of the moment first.
fn shown_since(visitor: &Peer, owner: &str, since: Instant) -> Vec<Option<Way>> {
    let all = visitor.all().into_iter();
    let mut ways: Vec<_> = all
        .filter_map(|seen| Some((seen.at, way(&seen.event, owner)?)))
        .collect();
    let earlier = ways.iter().filter(|(at, _)| *at <= since).count();
    ways.drain(..earlier.saturating_sub(1));
    let ways: Vec<_> = ways.into_iter().map(|(_, way)| way).collect();
    if earlier == 0 {
        [&[None], &*ways].concat()
    } else {
        ways
    }
}

/// The path in an event, if it is about this peer.
fn way(event: &Value, peer: &str) -> Option<Option<Way>> {
    let is_path = event["event"] == "path" && event["peer_id"] == peer;
    is_path.then(|| Way::shown(event))
}

fn print_table(kinds: &[Nat], outcomes: &BTreeMap<Pair, Outcome>) {
    let names: Vec<_> = kinds.iter().map(|nat| nat.name()).collect();
    println!("| visitor ↓ owner → | {} |", names.join(" | "));
    println!("|---{}|", "|---".repeat(kinds.len()));
    for from in kinds {
        let cells: Vec<_> = kinds
            .iter()
            .map(|to| cell(outcomes.get(&(*from, *to))))
            .collect();
        println!("| {} | {} |", from.name(), cells.join(" | "));
    }
    println!();
}

fn cell(outcome: Option<&Outcome>) -> String {
    let way = |way: Option<Way>| way.map_or_else(|| "mixed".to_owned(), |way| way.to_string());
    match outcome {
        None => "not tried".into(),
        Some(Err(_)) => "**failed**".into(),
        Some(Ok(visit)) => {
            let (click, after) = (way(visit.click.taken), way(visit.after.taken));
            let ways = if click == after {
                after
            } else {
                format!("{click} → {after}")
            };
            let direct = visit.direct.map_or_else(|| "–".into(), seconds);
            format!("{ways} · {} · {direct}", seconds(visit.first_byte))
        }
    }
}

fn summarize(outcomes: &BTreeMap<Pair, Outcome>) {
    for (pair, outcome) in outcomes {
        if let Err(why) = outcome {
            println!("{} → {}: {why}", pair.0.name(), pair.1.name());
        }
    }
    let visits: Vec<_> = outcomes
        .values()
        .filter_map(|outcome| outcome.as_ref().ok())
        .collect();
    if visits.is_empty() {
        return;
    }
    let figure = |name: &str, times: Vec<Duration>| {
        let worst = times.iter().max().copied()?;
        println!(
            "{name}: {} (median of {}), worst {}",
            seconds(median(&times)),
            times.len(),
            seconds(worst)
        );
        Some(worst)
    };
    let first_byte = figure(
        "click to first byte",
        visits.iter().map(|visit| visit.first_byte).collect(),
    );
    figure(
        "click to 5 MB, afterwards",
        visits.iter().map(|visit| visit.file).collect(),
    );
    let direct = figure(
        "seen to direct",
        visits.iter().filter_map(|visit| visit.direct).collect(),
    );
    for (what, worst) in [
        ("from a click to the first byte", first_byte),
        ("from seen to direct", direct),
    ] {
        if let Some(worst) = worst {
            promise::time(&format!("{what}, the slowest pair"), worst, SOON);
        }
    }
}

/// Pairs of which [`check`] would complain.
fn doubtful(outcomes: &BTreeMap<Pair, Outcome>) -> Vec<Pair> {
    let short = TABLES.into_iter().zip(DIRECT);
    let short: Vec<_> = short
        .filter(|(kinds, least)| direct(kinds, outcomes) < *least)
        .map(|(kinds, _)| kinds)
        .collect();
    let should_be_direct = |(a, b): &Pair| {
        let mut short = short.iter();
        short.any(|kinds| kinds.contains(a) && kinds.contains(b))
    };
    let doubtful = outcomes.iter().filter(|(pair, outcome)| {
        let Ok(visit) = outcome else { return true };
        let relayed = |way: Way| way.is_relayed() && should_be_direct(pair);
        visit.is_late()
            || visit.after.taken.is_none_or(relayed)
            || !(visit.click.is_true() && visit.after.is_true())
    });
    doubtful.map(|(pair, _)| *pair).collect()
}

/// How many pairs of these end up with a direct path.
fn direct(kinds: &[Nat], outcomes: &BTreeMap<Pair, Outcome>) -> usize {
    let pairs = kinds.iter().flat_map(|a| kinds.iter().map(|b| (*a, *b)));
    let ways = pairs.filter_map(|pair| outcomes.get(&pair)?.as_ref().ok()?.after.taken);
    ways.filter(|way| !way.is_relayed()).count()
}

fn check(outcomes: &BTreeMap<Pair, Outcome>) {
    for (pair, outcome) in outcomes {
        let visit = outcome
            .as_ref()
            .unwrap_or_else(|why| panic!("{pair:?} did not connect: {why}"));
        assert!(
            !visit.is_late(),
            "{pair:?}: first byte after {:?}, direct after {:?}, {SOON:?} promised",
            visit.first_byte,
            visit.direct
        );
        assert!(
            visit.after.taken.is_some(),
            "{pair:?}: of two paths at once"
        );
        for (when, look) in [("at the click", &visit.click), ("afterwards", &visit.after)] {
            assert!(
                look.is_true(),
                "{pair:?} {when}: taken {:?}, shown {:?}",
                look.taken,
                look.shown
            );
        }
    }
    let figures = TABLES.map(|kinds| direct(kinds, outcomes));
    println!("direct: {figures:?} of [16, 9, 4]");
    if env::var_os("REACH_PAIR").is_none() {
        let enough = figures
            .iter()
            .zip(DIRECT)
            .all(|(found, least)| *found >= least);
        assert!(
            enough,
            "{figures:?} pairs are direct, at least {DIRECT:?} must be"
        );
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
