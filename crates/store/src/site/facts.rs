//! What is in a file, as far as the head of its answer says it: read once for each version.

use std::{
    collections::HashMap,
    io::{self, Read, Seek},
    sync::{Arc, Mutex, PoisonError},
};

use goop2_proto::{
    SitePath,
    web::{
        address::{self, MAX_BYTES},
        charset::with_charset,
        condition::Version,
        encoding::{self, Encoding},
    },
};

use super::tree::Opened;
use crate::mime;

/// Files whose facts are kept. When there are more, all are read again: a site with more texts than
/// these is rare, and reading one takes less than a millisecond.
const MAX_KEPT: usize = 4096;

/// What is known about a file.
#[derive(Debug)]
pub(super) struct Fact {
    /// Its type, with its charset where that is sure.
    pub(super) mime: String,
    /// How the file itself is compressed.
    pub(super) encoding: Option<Encoding>,
    /// Whether it names peers (`address::names_peers`); only known of pages and scripts.
    pub(super) names_peers: bool,
    /// Whether a page names files of its site from the root (`address::names_root`).
    pub(super) names_root: bool,
    /// The scripts that such a page loads.
    pub(super) scripts: Vec<String>,
}

/// The facts of the files that were asked for last, by name, with the tag of their version.
#[derive(Debug, Default)]
pub(super) struct Facts(Mutex<HashMap<String, (String, Arc<Fact>)>>);

impl Facts {
    /// The facts of a file that was just opened, under this name.
    pub(super) fn of(&self, path: &SitePath, opened: &mut Opened, version: &Version) -> Arc<Fact> {
        if let Some(fact) = Fact::stored(path) {
            return Arc::new(fact);
        }
        let mime = mime::by_name_for_web(path.as_str());
        if let Some(mime) = mime.filter(|mime| !mime.starts_with("text/")) {
            return Arc::new(Fact::of_type(mime));
        }
        if let Some((tag, fact)) = self.kept().get(path.as_str())
            && *tag == version.tag
        {
            return fact.clone();
        }
        // What cannot be read has no facts; the sender will see why.
        let Ok(head) = head(opened) else {
            return Arc::new(Fact::of_type(mime::BINARY));
        };
        let complete = head.len() as u64 == opened.metadata.len();
        let fact = Arc::new(Fact::read(path, &head, complete));
        let mut kept = self.kept();
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(path.to_string(), (version.tag.clone(), fact.clone()));
        fact
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<String, (String, Arc<Fact>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fact {
    /// Of a file that lies compressed in the folder and is the file within.
    fn stored(path: &SitePath) -> Option<Self> {
        let (inner, encoding) = encoding::stored(path.name())?;
        let mime = match mime::by_name_for_web(&inner) {
            Some(mime) => mime,
            // The data of a game.
            None if inner.to_ascii_lowercase().ends_with(".data") => mime::BINARY,
            None => return None,
        };
        Some(Self {
            encoding: Some(encoding),
            ..Self::of_type(mime)
        })
    }

    fn of_type(mime: &str) -> Self {
        Self {
            mime: mime.into(),
            encoding: None,
            names_peers: false,
            names_root: false,
            scripts: vec![],
        }
    }

    fn read(path: &SitePath, head: &[u8], complete: bool) -> Self {
        let mime = mime::for_web(path.as_str(), head);
        let is_page = mime == "text/html";
        let names_peers = (is_page || mime == "text/javascript") && address::names_peers(head);
        let names_root = is_page && address::names_root(head);
        let scripts = if names_root && !names_peers {
            address::scripts(&String::from_utf8_lossy(head))
        } else {
            vec![]
        };
        Self {
            mime: with_charset(mime, head, complete),
            encoding: None,
            names_peers,
            names_root,
            scripts,
        }
    }
}

/// The first bytes of a file; it stands at its start again.
fn head(opened: &mut Opened) -> io::Result<Vec<u8>> {
    let len = opened.metadata.len().min(MAX_BYTES as u64);
    let mut head = Vec::with_capacity(usize::try_from(len).unwrap_or_default());
    (&mut opened.file)
        .take(MAX_BYTES as u64)
        .read_to_end(&mut head)?;
    opened.file.rewind()?;
    Ok(head)
}
