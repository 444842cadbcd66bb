//! What changed on the site, for everyone who has a page of it open.
//!
//! The last changes are kept, and a subscriber asks for those after the last it got. So nothing
//! is queued for anybody: a slow one learns that everything changed, once. A page also learns what
//! changed while it loaded, because it says how old it is.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use goop2_proto::PeerId;
use goop2_store::Config;
use serde::Serialize;
use tokio::sync::watch;

use crate::{
    live::served::Served,
    sites::room::{Room, Turn},
};

/// Pages that are open at the same time, over all visitors: each costs a stream and a few kilobytes.
/// Shared like everything visitors take (`sites::room`).
const MAX_SUBSCRIBERS: usize = 1024;
/// Addresses in one message; when more changed, the whole site did.
const MAX_PATHS: usize = 64;
/// Changes kept for those who load a page, or come back: at most some 10 KiB each.
const MAX_KEPT: usize = 64;

/// In a message to somebody who missed changes: any table may have been written.
const ALL_TABLES: &str = "*";

/// Something that happened, as one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) paths: BTreeSet<String>,
    /// Every address of the site.
    pub(crate) everything: bool,
    pub(crate) tables: Vec<Table>,
}

/// A table that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) readers: Shown,
}

/// Who learns of it. The owner always does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Every visitor.
    All,
    /// The authors of the rows.
    Authors(BTreeSet<PeerId>),
}

/// What one subscriber gets.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Message {
    /// With the number, its id: what was sent up to it.
    #[serde(skip)]
    pub(super) run: u64,
    #[serde(skip)]
    pub(super) number: u64,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    paths: BTreeSet<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    all: bool,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    tables: BTreeSet<String>,
}

/// From when on a page gets changes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Since {
    /// How long ago the page began to load.
    pub(crate) age: Duration,
    /// The run and the number of the last message it heard; `None` if it heard none.
    pub(crate) last: Option<(u64, u64)>,
}

impl Since {
    /// The same page, after this time.
    pub(crate) fn later(self, time: Duration) -> Self {
        Self {
            age: self.age.saturating_add(time),
            ..self
        }
    }
}

/// The changes of one run of the peer.
#[derive(Clone)]
pub(crate) struct Changes(Arc<Inner>);

struct Inner {
    started: Instant,
    /// Differs from that of every other run.
    run: u64,
    config: watch::Receiver<Config>,
    kept: Mutex<VecDeque<Kept>>,
    /// The number of the last change.
    newest: watch::Sender<u64>,
    room: Room,
    served: Served,
}

struct Kept {
    number: u64,
    at: Instant,
    change: Arc<Change>,
}

/// One open page, or several of one browser.
pub(crate) struct Subscriber {
    changes: Changes,
    /// `None` for the owner.
    peer: Option<PeerId>,
    /// The last change it got; `None` when it missed some.
    told: Option<u64>,
    newest: watch::Receiver<u64>,
    _turn: Option<Turn>,
}

impl Changes {
    pub(super) fn new(config: watch::Receiver<Config>) -> Self {
        Self(Arc::new(Inner {
            started: Instant::now(),
            run: rand::random(),
            config,
            kept: Mutex::default(),
            newest: watch::Sender::new(0),
            room: Room::new(MAX_SUBSCRIBERS),
            served: Served::default(),
        }))
    }

    /// Whether open pages reload.
    pub(crate) fn reloads(&self) -> bool {
        self.0.config.borrow().site.reload
    }

    /// What open pages use.
    pub(crate) fn served(&self) -> Served {
        self.0.served.clone()
    }

    /// Whether anyone has a page open.
    pub(super) fn is_awaited(&self) -> bool {
        self.0.newest.receiver_count() > 0
    }

    /// Tells everyone.
    pub(crate) fn publish(&self, mut change: Change) {
        if change.paths.len() > MAX_PATHS {
            change.everything = true;
        }
        if change.everything {
            change.paths.clear();
        }
        if change == Change::default() {
            return;
        }
        let mut kept = self.kept();
        let number = *self.0.newest.borrow() + 1;
        if kept.len() == MAX_KEPT {
            kept.pop_front();
        }
        kept.push_back(Kept {
            number,
            at: Instant::now(),
            change: Arc::new(change),
        });
        self.0.newest.send_replace(number);
    }

    /// A visitor's browser. `None` when the visitor has its share.
    pub(crate) fn subscribe(&self, peer: PeerId, since: Since) -> Option<Subscriber> {
        let turn = self.0.room.turn_now(peer)?;
        Some(self.subscriber(Some(peer), since, Some(turn)))
    }

    /// A browser of the owner.
    pub(crate) fn subscribe_owner(&self, since: Since) -> Subscriber {
        self.subscriber(None, since, None)
    }

    fn subscriber(&self, peer: Option<PeerId>, since: Since, turn: Option<Turn>) -> Subscriber {
        Subscriber {
            told: self.told(since),
            changes: self.clone(),
            peer,
            newest: self.0.newest.subscribe(),
            _turn: turn,
        }
    }

    /// The last change that a page knows; `None` if it may have missed some that nobody knows.
    fn told(&self, since: Since) -> Option<u64> {
        let kept = self.kept();
        let newest = *self.0.newest.borrow();
        if let Some((run, number)) = since.last {
            return (run == self.0.run && number <= newest).then_some(number);
        }
        let now = Instant::now();
        if now.duration_since(self.0.started) < since.age {
            return None;
        }
        let later = kept
            .iter()
            .position(|change| now.duration_since(change.at) <= since.age);
        match later {
            None => Some(newest),
            // Those before the first that is kept may be later than the page, too.
            Some(0) if kept[0].number > 1 => None,
            Some(position) => Some(kept[position].number - 1),
        }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber {
    /// What it missed, or nothing: the id tells it where it is.
    pub(crate) fn first(&mut self) -> Message {
        let newest = *self.newest.borrow();
        self.pending().unwrap_or(Message {
            run: self.changes.0.run,
            number: newest,
            ..Message::default()
        })
    }

    /// Waits for what concerns this one; everything since the last message is one. `None` when the
    /// peer ends.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.pending() {
                return Some(message);
            }
            self.newest.changed().await.ok()?;
        }
    }

    /// What came since, if it concerns this one.
    fn pending(&mut self) -> Option<Message> {
        let changes = self.changes.clone();
        let kept = changes.kept();
        let newest = *self.newest.borrow_and_update();
        let first = kept.front().map_or(newest + 1, |front| front.number);
        let missed = self.told.is_none_or(|told| told + 1 < first);
        let told = self.told.replace(newest).unwrap_or(newest);
        let mut message = Message {
            all: missed,
            ..Message::default()
        };
        for change in kept.iter().filter(|change| change.number > told) {
            self.add(&mut message, &change.change);
        }
        if message.paths.len() > MAX_PATHS {
            message.all = true;
        }
        if missed {
            message.tables = [ALL_TABLES.to_owned()].into();
        }
        let reloads = changes.reloads();
        message.all &= reloads;
        if message.all || !reloads {
            message.paths.clear();
        }
        (message != Message::default()).then_some(Message {
            run: changes.0.run,
            number: newest,
            ..message
        })
    }

    fn add(&self, message: &mut Message, change: &Change) {
        message.all |= change.everything;
        message.paths.extend(change.paths.iter().cloned());
        for table in &change.tables {
            let shown = match (&table.readers, &self.peer) {
                (Shown::All, _) | (_, None) => true,
                (Shown::Authors(authors), Some(peer)) => authors.contains(peer),
            };
            if shown {
                message.tables.insert(table.name.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn changes() -> (watch::Sender<Config>, Changes) {
        let (sender, config) = watch::channel(Config::default());
        (sender, Changes::new(config))
    }

    fn of(path: &str) -> Change {
        Change {
            paths: [path.to_owned()].into(),
            ..Change::default()
        }
    }

    fn text(subscriber: &mut Subscriber) -> Option<String> {
        let message = subscriber.next().now_or_never()??;
        Some(serde_json::to_string(&message).unwrap())
    }

    #[test]
    fn a_page_learns_what_changed_since_it_began_to_load() {
        let (_config, changes) = changes();
        changes.publish(of("/a.css"));
        let mut new = changes.subscribe_owner(Since::default());
        assert_eq!(text(&mut new), None);
        changes.publish(of("/b.css"));
        changes.publish(of("/c.css"));
        assert_eq!(text(&mut new).unwrap(), r#"{"paths":["/b.css","/c.css"]}"#);
        assert_eq!(text(&mut new), None);
        let of_age = |age| Since { age, last: None };
        let age = changes.0.started.elapsed();
        let mut older = changes.subscribe_owner(of_age(age));
        assert!(text(&mut older).unwrap().contains("/a.css"));
        let of_run = |run, number| Since {
            age,
            last: Some((run, number)),
        };
        let mut back = changes.subscribe_owner(of_run(changes.0.run, 2));
        assert_eq!(text(&mut back).unwrap(), r#"{"paths":["/c.css"]}"#);
        // From before this peer ran: nobody knows.
        for since in [
            of_age(age + Duration::from_secs(60)),
            of_run(changes.0.run ^ 1, 2),
            of_run(changes.0.run, 9),
        ] {
            let mut lost = changes.subscribe_owner(since);
            assert!(text(&mut lost).unwrap().contains(r#""all":true"#));
        }
        let mut oldest = changes.subscribe_owner(of_age(age + Duration::from_secs(60)));
        assert_eq!(text(&mut oldest).unwrap(), r#"{"all":true,"tables":["*"]}"#);
        assert_eq!(text(&mut oldest), None);
    }

    #[test]
    fn slow_readers_and_those_who_missed_much_reload_once() {
        let (_config, changes) = changes();
        let mut slow = changes.subscribe_owner(Since::default());
        for number in 0..10_000 {
            changes.publish(of(&format!("/{number}")));
        }
        assert_eq!(changes.kept().len(), MAX_KEPT);
        assert_eq!(text(&mut slow).unwrap(), r#"{"all":true,"tables":["*"]}"#);
        assert_eq!(text(&mut slow), None);
        let many = (0..500).map(|number| format!("/{number}.css"));
        changes.publish(Change {
            paths: many.collect(),
            ..Change::default()
        });
        assert_eq!(text(&mut slow).unwrap(), r#"{"all":true}"#);
    }

    #[test]
    fn a_table_goes_to_those_who_read_it() {
        let (_config, changes) = changes();
        let (author, other) = (PeerId::random(), PeerId::random());
        let mut everyone = [author, other].map(|peer| changes.subscribe(peer, Since::default()));
        let mut owner = changes.subscribe_owner(Since::default());
        let table = |name: &str, readers| Table {
            name: name.into(),
            readers,
        };
        changes.publish(Change {
            tables: vec![
                table("book", Shown::All),
                table("answers", Shown::Authors([author].into())),
            ],
            ..Change::default()
        });
        let mut told = everyone.iter_mut().flatten().map(|one| text(one).unwrap());
        assert_eq!(told.next().unwrap(), r#"{"tables":["answers","book"]}"#);
        assert_eq!(told.next().unwrap(), r#"{"tables":["book"]}"#);
        assert_eq!(
            text(&mut owner).unwrap(),
            r#"{"tables":["answers","book"]}"#
        );
    }

    #[test]
    fn without_reloading_only_tables_are_sent() {
        let (config, changes) = changes();
        let mut subscriber = changes.subscribe_owner(Since::default());
        config.send_modify(|config| config.site.reload = false);
        changes.publish(of("/a.css"));
        assert_eq!(text(&mut subscriber), None);
        config.send_modify(|config| config.site.reload = true);
        changes.publish(of("/b.css"));
        assert_eq!(text(&mut subscriber).unwrap(), r#"{"paths":["/b.css"]}"#);
    }

    #[test]
    fn one_visitor_leaves_room_for_two_hundred() {
        let (_config, changes) = changes();
        let greedy = PeerId::random();
        let mut held: Vec<_> = (0..MAX_SUBSCRIBERS)
            .map_while(|_| changes.subscribe(greedy, Since::default()))
            .collect();
        assert_eq!(held.len(), MAX_SUBSCRIBERS / 2);
        held.extend((0..200).map(|_| {
            let visitor = changes.subscribe(PeerId::random(), Since::default());
            visitor.expect("there is room for a visitor")
        }));
        drop(held);
        assert!(changes.subscribe(greedy, Since::default()).is_some());
        assert!(!changes.is_awaited());
    }
}
