//! What happens in a site folder, as the system reports it: on real disks, with what editors and
//! people do.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    sync::mpsc::{Receiver, sync_channel},
    time::{Duration, Instant},
};

use goop2_proto::SitePath;
use goop2_store::{Folder, Seen, Watch};

/// More than any of these tests makes happen.
const MAX_SEEN: usize = 4096;
/// For the system to report a change.
const PATIENCE: Duration = Duration::from_secs(20);

struct Watched {
    dir: tempfile::TempDir,
    folder: Folder,
    watch: Watch,
    seen: Receiver<Seen>,
}

impl Watched {
    fn new(files: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::create(dir.path(), "Test").unwrap();
        for name in files {
            let path = folder.site().root().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "before").unwrap();
        }
        let (tell, seen) = sync_channel(MAX_SEEN);
        let watch = folder.site().watch(move |what| drop(tell.try_send(what)));
        Self {
            dir,
            watch: watch.unwrap(),
            folder,
            seen,
        }
    }

    fn root(&self) -> PathBuf {
        self.folder.site().root().to_owned()
    }

    /// Everything that is seen until a file of this name is: the last thing that a test does.
    fn until(&self, last: &str) -> Vec<Seen> {
        let deadline = Instant::now() + PATIENCE;
        let mut all = vec![];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let seen = self
                .seen
                .recv_timeout(left)
                .unwrap_or_else(|_| panic!("{all:?}"));
            if seen == Seen::Path(path(last)) {
                return all;
            }
            all.push(seen);
        }
    }

    /// The same, as addresses.
    fn addresses(&self, last: &str) -> Option<Vec<String>> {
        let paths: BTreeSet<SitePath> = self
            .until(last)
            .into_iter()
            .filter_map(|seen| match seen {
                Seen::Path(path) => Some(path),
                _ => None,
            })
            .collect();
        self.folder.site().addresses(&paths, &self.watch)
    }

    /// Writes a file that was not there: what comes before it has been seen when it is.
    fn end(&self, name: &str) {
        fs::write(self.root().join(name), "").unwrap();
    }
}

fn path(text: &str) -> SitePath {
    SitePath::parse(text).unwrap()
}

#[test]
fn changes_become_addresses_and_hidden_names_never() {
    let site = Watched::new(&["a/b.css", ".git/x", "lua/secret.lua", "kept.html"]);
    let root = site.root();
    fs::write(root.join("a/b.css"), "now").unwrap();
    fs::write(root.join(".git/x"), "now").unwrap();
    fs::write(root.join(".git/y"), "now").unwrap();
    fs::write(root.join("lua/secret.lua"), "now").unwrap();
    // Looking is no change.
    fs::read(root.join("kept.html")).unwrap();
    let renamed = root.join("a/c.css");
    fs::rename(root.join("a/b.css"), &renamed).unwrap();
    fs::remove_file(renamed).unwrap();
    site.end("end");
    assert_eq!(site.addresses("end").unwrap(), ["/a/b.css", "/a/c.css"]);
}

#[test]
fn a_file_that_an_editor_replaces_has_changed() {
    let site = Watched::new(&["page.html"]);
    let root = site.root();
    // Writes a new file and renames it, in several places.
    for (draft, end) in [
        (".page.html.swp", "1"),
        ("page.html~", "2"),
        ("../draft", "3"),
    ] {
        let draft = root.join(draft);
        fs::write(&draft, "now").unwrap();
        fs::rename(draft, root.join("page.html")).unwrap();
        site.end(end);
        let seen = site.until(end);
        assert!(seen.contains(&Seen::Path(path("page.html"))), "{seen:?}");
        let saved = Seen::Saved(path("page.html"));
        assert!(
            !cfg!(target_os = "linux") || seen.contains(&saved),
            "{seen:?}"
        );
        assert!(!seen.iter().any(|seen| format!("{seen:?}").contains("swp")));
    }
}

#[test]
fn folders_that_come_later_are_watched_too() {
    let site = Watched::new(&[]);
    let root = site.root();
    fs::create_dir(root.join("new")).unwrap();
    let deadline = Instant::now() + PATIENCE;
    // Its watch comes a moment after the folder.
    loop {
        fs::write(root.join("new/file"), "x").unwrap();
        let seen = site.seen.recv_timeout(Duration::from_millis(100));
        if seen == Ok(Seen::Path(path("new/file"))) {
            break;
        }
        assert!(Instant::now() < deadline);
    }
    let moved = site.dir.path().join("moved");
    fs::create_dir(&moved).unwrap();
    fs::write(moved.join("x"), "").unwrap();
    fs::rename(moved, root.join("moved")).unwrap();
    site.end("end");
    let addresses = site.addresses("end").unwrap();
    assert!(addresses.contains(&"/moved/".to_owned()), "{addresses:?}");
}

#[test]
fn what_decides_about_every_page_changes_all_of_them() {
    let site = Watched::new(&["_headers"]);
    fs::write(site.root().join("_headers"), "/*\n  X-A: b\n").unwrap();
    site.end("end");
    assert!(site.until("end").contains(&Seen::Everything));
    fs::write(site.root().join("200.html"), "app").unwrap();
    site.end("again");
    assert_eq!(site.addresses("again"), None);
}

#[test]
fn a_folder_without_a_page_changes_with_what_is_in_it() {
    let site = Watched::new(&["photos/heron.jpg"]);
    fs::remove_file(site.root().join("index.html")).unwrap();
    site.end("end");
    site.until("end");
    fs::write(site.root().join("photos/kestrel.jpg"), "").unwrap();
    site.end("again");
    let addresses = site.addresses("again").unwrap();
    assert!(
        addresses.contains(&"/photos/index.html".into()),
        "{addresses:?}"
    );
    assert!(
        addresses.contains(&"/photos/kestrel.jpg".into()),
        "{addresses:?}"
    );
}

#[cfg(unix)]
#[test]
fn a_link_within_the_site_makes_every_change_one_of_everything() {
    use std::os::unix::fs::symlink;

    let site = Watched::new(&["a.css", "outside/x"]);
    symlink("/etc/hostname", site.root().join("out")).unwrap();
    site.end("end");
    site.until("end");
    symlink("a.css", site.root().join("b.css")).unwrap();
    site.end("again");
    assert_eq!(site.addresses("again"), None);
    fs::write(site.root().join("a.css"), "now").unwrap();
    site.end("later");
    assert_eq!(site.addresses("later"), None);
}

#[test]
fn a_folder_that_was_replaced_is_noticed() {
    let site = Watched::new(&["a.css"]);
    let (root, folder) = (site.root(), &site.folder);
    assert!(site.watch.is_current(&folder.site()));
    let old = site.dir.path().join("old");
    fs::rename(&root, &old).unwrap();
    assert!(!site.watch.is_current(&folder.site()));
    assert!(folder.site().watch(|_| {}).is_err());
    fs::create_dir(&root).unwrap();
    assert!(!site.watch.is_current(&folder.site()));
    let (tell, seen) = sync_channel(MAX_SEEN);
    let again = folder
        .site()
        .watch(move |what| drop(tell.try_send(what)))
        .unwrap();
    assert!(again.is_current(&folder.site()));
    fs::write(root.join("a.css"), "now").unwrap();
    assert_eq!(
        seen.recv_timeout(PATIENCE).unwrap(),
        Seen::Path(path("a.css"))
    );
}

#[test]
fn a_hundred_thousand_files_take_one_watch() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::create(dir.path(), "Test").unwrap();
    let root = folder.site().root().to_owned();
    for number in 0..100_000 {
        fs::hard_link(root.join("index.html"), root.join(format!("{number}.html")))
            .or_else(|_| fs::write(root.join(format!("{number}.html")), ""))
            .unwrap();
    }
    let (tell, seen) = sync_channel(MAX_SEEN);
    let begun = Instant::now();
    let _watch = folder
        .site()
        .watch(move |what| drop(tell.try_send(what)))
        .unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    fs::remove_file(root.join("99999.html")).unwrap();
    assert_eq!(
        seen.recv_timeout(PATIENCE).unwrap(),
        Seen::Path(path("99999.html"))
    );
}
