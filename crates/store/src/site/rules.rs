//! The files at the top of a site that say how it is served, read again when they change.

use std::{
    io::Read,
    sync::{Arc, Mutex, PoisonError},
};

use goop2_proto::web::rules::{MAX_BYTES, Problem, headers::Headers, redirects::Redirects};

use super::{Site, tree::Tree, version};

/// Headers that the author adds.
pub(super) const HEADERS: &str = "_headers";

/// Redirects and rewrites.
pub(super) const REDIRECTS: &str = "_redirects";

/// The rules of a site, as they were when they were last read.
#[derive(Debug, Default)]
pub(super) struct Rules {
    headers: Kept<Headers>,
    redirects: Kept<Redirects>,
}

/// A file that was read, and the tag of its version.
#[derive(Debug)]
struct Kept<T>(Mutex<Option<(String, Parsed<T>)>>);

type Parsed<T> = Arc<(T, Vec<Problem>)>;

impl Site {
    /// What in `_headers` and `_redirects` is not supported or wrong: the name of the file, the line
    /// and why. Blocks (disk).
    pub fn problems(&self) -> Vec<(&'static str, Problem)> {
        let Ok(tree) = Tree::open(self) else {
            return vec![];
        };
        let headers = self.rules.headers(&tree);
        let redirects = self.rules.redirects(&tree);
        let headers = headers.1.iter().map(|problem| (HEADERS, problem.clone()));
        let redirects = redirects
            .1
            .iter()
            .map(|problem| (REDIRECTS, problem.clone()));
        headers.chain(redirects).collect()
    }
}

impl Rules {
    pub(super) fn headers(&self, tree: &Tree<'_>) -> Parsed<Headers> {
        self.headers.read(tree, HEADERS, Headers::parse)
    }

    pub(super) fn redirects(&self, tree: &Tree<'_>) -> Parsed<Redirects> {
        self.redirects.read(tree, REDIRECTS, Redirects::parse)
    }
}

impl<T: Default> Kept<T> {
    /// The rules in the file of this name; none when there is no such file.
    fn read(
        &self,
        tree: &Tree<'_>,
        name: &str,
        parse: fn(&[u8]) -> (T, Vec<Problem>),
    ) -> Parsed<T> {
        let Some(mut opened) = tree.special(name) else {
            return Arc::default();
        };
        let version = version::of(&opened.metadata);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((tag, rules)) = &*kept
            && *tag == version.tag
        {
            return rules.clone();
        }
        let mut bytes = vec![];
        // Enough to see that there is more.
        let limit = MAX_BYTES as u64 + 2;
        if let Err(error) = (&mut opened.file).take(limit).read_to_end(&mut bytes) {
            tracing::warn!(file = name, %error, "the rules of the site cannot be read");
            return Arc::default();
        }
        let rules = Arc::new(parse(&bytes));
        if let Some(first) = rules.1.first() {
            let count = rules.1.len();
            tracing::warn!(file = name, count, %first, "some rules of the site are not applied");
        }
        *kept = Some((version.tag, rules.clone()));
        rules
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}
