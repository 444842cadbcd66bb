//! Requests from outside while the app runs: links (`goop://…`) and other starts. Each waits here
//! until the user confirms it in the window; when too many wait, further ones are dropped.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Mutex, PoisonError},
};

use tauri::Url;
use tokio::sync::watch;

use super::shell::{Ask, Shell, Wish};

/// Most requests that wait: more than a person causes before looking.
const MAX_WAITING: usize = 4;
/// Of links to Goop2.
pub(super) const SCHEME: &str = "goop";
/// Longest link accepted, in bytes.
const MAX_LINK: usize = 4096;
/// As much of a link that leads nowhere as tells a person which one it was, in characters.
const MAX_SHOWN: usize = 200;

pub(crate) struct Wishes {
    waiting: Mutex<Waiting>,
    shell: watch::Sender<Shell>,
}

#[derive(Default)]
struct Waiting {
    asks: VecDeque<Ask>,
    last: u32,
}

impl Wishes {
    pub(crate) fn new(shell: watch::Sender<Shell>) -> Self {
        Self {
            waiting: Mutex::default(),
            shell,
        }
    }

    /// Whether the user will be asked: not if this or too much else is already waiting.
    pub(crate) fn ask(&self, wish: Wish) -> bool {
        self.change(|waiting| {
            let known = waiting.asks.iter().any(|ask| ask.wish == wish);
            let taken = !known && waiting.asks.len() < MAX_WAITING;
            if taken {
                waiting.last = waiting.last.wrapping_add(1);
                let number = waiting.last;
                waiting.asks.push_back(Ask { number, wish });
            }
            taken
        })
    }

    /// The question with this number was answered.
    pub(crate) fn answered(&self, number: u32) {
        self.change(|waiting| waiting.asks.retain(|ask| ask.number != number));
    }

    fn change<T>(&self, change: impl FnOnce(&mut Waiting) -> T) -> T {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = change(&mut waiting);
        let first = waiting.asks.front().cloned();
        self.shell.send_modify(|shell| shell.ask = first);
        answer
    }
}

/// What a link of ours asks for: a page of a peer, `goop://<peer-id>/<path>`, or a rendezvous,
/// `goop://connect?url=<connect URL>`. Of one that means nothing, the person who clicked it learns that.
pub(crate) fn of_link(link: &Url) -> Option<Wish> {
    (link.scheme() == SCHEME).then(|| meant(link).unwrap_or_else(|| nowhere(link.as_str())))
}

/// A link that leads nowhere.
pub(crate) fn nowhere(link: &str) -> Wish {
    let link = link.chars().take(MAX_SHOWN).collect();
    Wish::Nowhere { link }
}

fn meant(link: &Url) -> Option<Wish> {
    if link.as_str().len() > MAX_LINK {
        return None;
    }
    if link.host_str() == Some("connect") {
        let (_, url) = link.query_pairs().find(|(key, _)| key == "url")?;
        return connect(&url);
    }
    let place = goop2_peer::link::parse(link.as_str()).ok()?;
    Some(Wish::Visit {
        peer: place.peer,
        path: place.path,
    })
}

/// A web address that cannot be mistaken for another.
fn connect(url: &str) -> Option<Wish> {
    let url = Url::parse(url).ok()?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.host().is_some()
        && url.username().is_empty()
        && url.password().is_none();
    plain.then(|| Wish::Connect { url: url.into() })
}

/// What another start of Goop2 for this folder asks for.
pub(crate) fn of_folder(folder: &Path) -> Wish {
    Wish::Switch {
        folder: folder.to_string_lossy().into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";

    fn of(link: &str) -> Option<Wish> {
        of_link(&Url::parse(link).unwrap())
    }

    #[test]
    fn links_are_understood() {
        let (peer, path) = (PEER.to_owned(), "/a/b?c=d".to_owned());
        assert_eq!(
            of(&format!("goop://{PEER}/a/b?c=d")),
            Some(Wish::Visit { peer, path })
        );
        let url = "https://meet.example/".to_owned();
        assert_eq!(
            of("goop://connect?url=https%3A%2F%2Fmeet.example"),
            Some(Wish::Connect { url: url.clone() })
        );
        assert_eq!(
            of("goop://connect/?url=https://meet.example"),
            Some(Wish::Connect { url })
        );
    }

    #[test]
    fn links_that_mean_harm_or_nothing_lead_nowhere_and_say_so() {
        for link in [
            "goop://connect",
            "goop://connect?url=file:///etc/passwd",
            "goop://connect?url=javascript:alert(1)",
            "goop://connect?url=https://good.example@bad.example/",
            "goop://nobody/",
            "goop:--hidden",
        ] {
            assert_eq!(of(link), Some(nowhere(link)), "{link}");
        }
        let long = of(&format!("goop://{PEER}/{}", "x".repeat(MAX_LINK)));
        assert!(matches!(long, Some(Wish::Nowhere { link }) if link.len() == MAX_SHOWN));
        assert_eq!(of("https://example.org/"), None);
    }
}
