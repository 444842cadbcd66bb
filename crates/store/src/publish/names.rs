//! Which names of the site are taken: also by one that differs only in case or in how its letters
//! are composed, because some systems do not tell these apart.

use std::collections::HashMap;

use cap_std::fs::Dir;
use goop2_proto::SitePath;
use icu_normalizer::ComposingNormalizerBorrowed;

/// Names of one folder that are compared: some milliseconds.
const MAX_COMPARED: usize = 100_000;

/// The names in the folders that were asked for.
pub(super) struct Names<'a> {
    dir: &'a Dir,
    folders: HashMap<String, HashMap<String, String>>,
}

impl<'a> Names<'a> {
    pub(super) fn new(dir: &'a Dir) -> Self {
        Self {
            dir,
            folders: HashMap::new(),
        }
    }

    /// What has this name, or stands in the way of one of its folders.
    pub(super) fn taken(&mut self, path: &SitePath) -> Option<String> {
        let mut above = String::new();
        let mut names = path.as_str().split('/').peekable();
        while let Some(name) = names.next() {
            let listed = self.folder(&above).get(&folded(name)).cloned()?;
            let here = joined(&above, &listed);
            let is_last = names.peek().is_none();
            if is_last || listed != name || !self.dir.metadata(&here).is_ok_and(|it| it.is_dir()) {
                return Some(here);
            }
            above = here;
        }
        None
    }

    /// Something was put there.
    pub(super) fn add(&mut self, path: &SitePath) {
        let mut above = String::new();
        for name in path.as_str().split('/') {
            if let Some(folder) = self.folders.get_mut(&above) {
                folder.insert(folded(name), name.to_owned());
            }
            above = joined(&above, name);
        }
    }

    /// A name next to the one that is taken.
    pub(super) fn free(&mut self, path: &SitePath) -> Option<SitePath> {
        const MAX_TRIED: usize = 1000;
        let (stem, extension) = match path.name().rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
            _ => (path.name(), String::new()),
        };
        (2..MAX_TRIED).find_map(|number| {
            let name = format!("{stem} ({number}){extension}");
            let folder = path.folder();
            let above = folder.as_ref().map_or("", SitePath::as_str);
            let path = super::path::new(&joined(above, &name)).ok()?;
            self.taken(&path).is_none().then_some(path)
        })
    }

    fn folder(&mut self, path: &str) -> &HashMap<String, String> {
        let dir = self.dir;
        self.folders.entry(path.to_owned()).or_insert_with(|| {
            let path = if path.is_empty() { "." } else { path };
            let entries = dir.read_dir(path).into_iter().flatten().flatten();
            let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
            let names = names.take(MAX_COMPARED);
            names.map(|name| (folded(&name), name)).collect()
        })
    }
}

pub(super) fn joined(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.into()
    } else {
        format!("{folder}/{name}")
    }
}

fn folded(name: &str) -> String {
    ComposingNormalizerBorrowed::new_nfc()
        .normalize(&name.to_lowercase())
        .into_owned()
}
