//! The owner's work on the site: files, the bin and undo, adding, another folder.

#![expect(clippy::unwrap_used, reason = "a panic here is the report")]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use common::new_peer;
use goop2_store::{
    Error, Folder,
    publish::{Clash, Fault, Progress, Receiving},
};
use tempfile::TempDir;

/// A new peer whose removed files stay in its folder: a test must not fill anyone's bin.
fn peer() -> (TempDir, Folder, PathBuf) {
    let (dir, folder) = new_peer();
    folder.publish().keep_removed();
    let site = folder.site().root().to_owned();
    (dir, folder, site)
}

fn put(site: &Path, path: &str, text: &str) {
    let file = site.join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

fn text(site: &Path, path: &str) -> String {
    fs::read_to_string(site.join(path)).unwrap()
}

fn paths(folder: &Folder) -> Vec<String> {
    let files = folder.publish().files().unwrap();
    files.entries.into_iter().map(|entry| entry.path).collect()
}

fn copy(folder: &Folder, from: &[PathBuf], into: &str, clash: Clash) -> Result<Vec<String>, Fault> {
    let copied = folder.publish().copy(from, into, clash, &mut |_| true);
    copied.map(|copied| copied.added)
}

fn upload(folder: &Folder, path: &str, clash: Clash, text: &str) -> Result<Vec<String>, Fault> {
    let publish = folder.publish();
    match publish.receive(path, clash, Some(text.len() as u64))? {
        Receiving::Skipped => Ok(vec![]),
        Receiving::Into(mut upload) => {
            upload.write(text.as_bytes())?;
            Ok(publish.keep(upload, None)?.added)
        }
    }
}

#[test]
fn lists_what_is_there_and_says_what_visitors_do_not_get() {
    let (_dir, folder, site) = peer();
    assert!(folder.publish().files().unwrap().untouched);
    put(&site, "photos/summer/a.jpg", "12345");
    put(&site, "photos/b.jpg", "123");
    put(&site, ".git/config", "x");
    put(&site, "_redirects", "/old /index.html 301\nnonsense\n");
    put(&site, "lua/functions/x.lua", "x");
    let files = folder.publish().files().unwrap();
    assert!(files.own && files.complete && !files.listed && !files.untouched);
    let of = |path: &str| {
        files
            .entries
            .iter()
            .find(|entry| entry.path == path)
            .unwrap()
    };
    assert_eq!((of("photos").files, of("photos").size), (2, 8));
    assert!(of("photos").folder && of("photos/summer").folder);
    assert!(of("index.html").front && of("photos/b.jpg").modified > 0);
    assert!(of(".git").unserved.as_ref().unwrap().contains("hidden"));
    assert!(of("lua").unserved.as_ref().unwrap().contains("scripts"));
    assert!(of("_redirects").unserved.is_some());
    assert_eq!(of("style.css").unserved, None);
    let problem = &files.problems[0];
    assert_eq!((problem.0, problem.1), ("_redirects", 2));
    fs::remove_file(site.join("index.html")).unwrap();
    assert!(folder.publish().files().unwrap().listed);
}

#[test]
fn finds_links_that_lead_nowhere() {
    let (_dir, folder, site) = peer();
    put(
        &site,
        "posts/one.html",
        "<a href=../about>there</a>\n<a href='two.html'>not there</a><img src=/pic.png>\
         <a href=https://example.org/x>elsewhere</a><a href=/old>moved</a><a href=#x>here</a>",
    );
    put(
        &site,
        "about.html",
        "<a href=posts/>no page, so nothing</a>",
    );
    put(&site, "_redirects", "/old /about 301");
    let broken = folder.publish().files().unwrap().broken;
    let found: Vec<_> = broken
        .iter()
        .map(|it| (it.page.as_str(), it.line, it.link.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("posts/one.html", 2, "two.html"),
            ("posts/one.html", 2, "/pic.png"),
            ("about.html", 1, "posts/"),
        ]
    );
}

#[test]
fn a_text_is_saved_only_over_what_was_read() {
    let (_dir, folder, site) = peer();
    let publish = folder.publish();
    let first = publish.write("notes/a.txt", "one", None).unwrap();
    assert!(matches!(
        publish.write("notes/a.txt", "x", None),
        Err(Fault::Exists(_))
    ));
    assert!(matches!(
        publish.write("notes/A.TXT", "x", None),
        Err(Fault::Exists(_))
    ));
    let second = publish
        .write("notes/a.txt", "two", Some(&first.version))
        .unwrap();
    assert_eq!(publish.read("notes/a.txt").unwrap(), second);
    fs::write(site.join("notes/a.txt"), "by another program").unwrap();
    let refused = publish.write("notes/a.txt", "three", Some(&second.version));
    assert!(matches!(refused, Err(Fault::Conflict(_))));
    assert_eq!(text(&site, "notes/a.txt"), "by another program");
    fs::remove_file(site.join("notes/a.txt")).unwrap();
    let gone = publish.write("notes/a.txt", "three", Some(&second.version));
    assert!(matches!(gone, Err(Fault::NotFound(_))));
    put(&site, "binary", "");
    fs::write(site.join("binary"), [0xff, 0xfe, 0]).unwrap();
    assert!(matches!(publish.read("binary"), Err(Fault::Invalid(_))));
    assert!(matches!(
        publish.read("notes"),
        Err(Fault::Io { .. } | Fault::Invalid(_))
    ));
    assert_eq!(
        fs::read_dir(site.join("notes")).unwrap().count(),
        0,
        "no temporary file stays"
    );
}

#[test]
fn what_is_removed_or_moved_comes_back() {
    let (dir, folder, site) = peer();
    let publish = folder.publish();
    put(&site, "a/b.txt", "b");
    put(&site, "c.txt", "c");
    let undo = publish
        .remove(&["a".into(), "a/b.txt".into(), "c.txt".into()])
        .unwrap();
    assert_eq!(undo.message, "2 files moved to the bin.");
    assert!(!site.join("a").exists() && !site.join("c.txt").exists());
    publish.undo(&undo.id).unwrap();
    assert_eq!(
        (text(&site, "a/b.txt"), text(&site, "c.txt")),
        ("b".into(), "c".into())
    );
    assert!(
        matches!(publish.undo(&undo.id), Err(Fault::Invalid(_))),
        "once"
    );
    assert_eq!(fs::read_dir(dir.path().join("removed")).unwrap().count(), 0);

    let undo = publish.rename("c.txt", "a/d.txt").unwrap();
    assert!(matches!(
        publish.rename("a/b.txt", "a/D.txt"),
        Err(Fault::Exists(_))
    ));
    publish.undo(&undo.id).unwrap();
    assert_eq!(text(&site, "c.txt"), "c");
    let undo = publish.rename("c.txt", "C.txt").unwrap();
    assert_eq!(undo.message, "c.txt is now C.txt.");
    assert_eq!(text(&site, "C.txt"), "c");
    assert!(matches!(
        publish.rename("a", "a/b/c"),
        Err(Fault::Invalid(_))
    ));
    assert!(matches!(
        publish.remove(&["none".into()]),
        Err(Fault::NotFound(_))
    ));

    // Something else took the place: nothing is lost, and it can be tried again.
    let undo = publish.remove(&["C.txt".into()]).unwrap();
    put(&site, "C.txt", "new");
    assert!(matches!(publish.undo(&undo.id), Err(Fault::Exists(_))));
    fs::remove_file(site.join("C.txt")).unwrap();
    publish.undo(&undo.id).unwrap();
    assert_eq!(text(&site, "C.txt"), "c");
}

#[test]
fn nothing_leads_out_of_the_site() {
    let (dir, folder, site) = peer();
    let publish = folder.publish();
    for path in [
        "../goop.json",
        "/etc/passwd",
        "a/../../x",
        ".hidden",
        "lua/x",
        "",
        "a\0b",
    ] {
        assert!(publish.read(path).is_err(), "{path:?}");
        assert!(publish.write(path, "x", None).is_err(), "{path:?}");
        assert!(publish.make_folder(path).is_err(), "{path:?}");
        assert!(publish.remove(&[path.into()]).is_err(), "{path:?}");
        assert!(publish.rename(path, "y").is_err(), "{path:?}");
        assert!(publish.rename("index.html", path).is_err(), "{path:?}");
        assert!(
            upload(&folder, path, Clash::Replace, "x").is_ok_and(|added| added.is_empty())
                || path != ".hidden"
        );
    }
    assert!(upload(&folder, "../x", Clash::Replace, "x").is_err());
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        let secret = dir.path().join("secret");
        fs::create_dir(&secret).unwrap();
        fs::write(secret.join("x"), "secret").unwrap();
        symlink(&secret, site.join("out")).unwrap();
        symlink(secret.join("x"), site.join("link")).unwrap();
        for path in ["out/x", "link"] {
            assert!(publish.read(path).is_err(), "{path}");
        }
        assert!(publish.write("out/new", "x", None).is_err());
        assert!(publish.make_folder("out/new").is_err());
        assert!(publish.remove(&["out/x".into()]).is_err());
        assert!(publish.rename("out/x", "x").is_err());
        assert!(publish.rename("index.html", "out/index.html").is_err());
        assert!(upload(&folder, "out/new", Clash::Replace, "x").is_err());
        // The link itself can be removed; what it leads to stays.
        publish.remove(&["out".into(), "link".into()]).unwrap();
        assert_eq!(fs::read_dir(&secret).unwrap().count(), 1);
        assert_eq!(text(&secret, "x"), "secret");
    }
    assert!(!dir.path().join("x").exists());
}

#[test]
fn copies_files_and_folders_and_settles_clashes() {
    let (_dir, folder, site) = peer();
    let from = tempfile::tempdir().unwrap();
    put(from.path(), "album/one.jpg", "one");
    put(from.path(), "album/deep/two.jpg", "two");
    put(from.path(), "album/.DS_Store", "x");
    let album = vec![from.path().join("album")];
    let publish = folder.publish();
    let mut seen = vec![];
    let mut report = |progress: Progress| {
        seen.push((progress.done, progress.total));
        true
    };
    let added = publish
        .copy(&album, "photos", Clash::Ask, &mut report)
        .unwrap();
    assert_eq!(added.skipped, ["photos/album/.DS_Store"]);
    assert_eq!(added.undo.message, "2 files added.");
    assert_eq!(seen.last(), Some(&(6, 6)));
    assert_eq!(text(&site, "photos/album/deep/two.jpg"), "two");

    let Err(Fault::Exists(names)) = copy(&folder, &album, "photos", Clash::Ask) else {
        panic!("asked")
    };
    assert_eq!(names.len(), 2);
    put(from.path(), "album/one.jpg", "new");
    assert_eq!(
        copy(&folder, &album, "photos", Clash::Skip).unwrap(),
        Vec::<String>::new()
    );
    assert_eq!(text(&site, "photos/album/one.jpg"), "one");
    let both = copy(&folder, &album, "photos", Clash::Both).unwrap();
    assert!(
        both.contains(&"photos/album/one (2).jpg".to_owned()),
        "{both:?}"
    );
    let replaced = publish
        .copy(&album, "photos", Clash::Replace, &mut |_| true)
        .unwrap();
    assert_eq!(text(&site, "photos/album/one.jpg"), "new");
    publish.undo(&replaced.undo.id).unwrap();
    assert_eq!(text(&site, "photos/album/one.jpg"), "one");
    publish.undo(&added.undo.id).unwrap();
    assert!(!site.join("photos/album/deep/two.jpg").exists());
}

#[test]
fn a_copy_that_is_stopped_leaves_nothing() {
    let (dir, folder, site) = peer();
    let from = tempfile::tempdir().unwrap();
    for number in 0..5 {
        put(from.path(), &format!("many/{number}.txt"), "text");
    }
    let before = paths(&folder);
    let mut left = 3;
    let mut report = |_: Progress| {
        left -= 1;
        left > 0
    };
    let many = [from.path().join("many")];
    let stopped = folder.publish().copy(&many, "", Clash::Ask, &mut report);
    assert!(matches!(stopped, Err(Fault::Canceled)));
    assert_eq!(paths(&folder), before);
    assert!(fs::read_dir(&site).unwrap().all(|entry| {
        !entry
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with('.')
    }));
    assert!(matches!(
        copy(&folder, &[dir.path().to_owned()], "", Clash::Ask),
        Err(Fault::Invalid(_))
    ));
}

#[test]
fn an_upload_is_there_as_a_whole_or_not_at_all() {
    let (dir, folder, site) = peer();
    let publish = folder.publish();
    let Receiving::Into(mut begun) = publish.receive("big.bin", Clash::Ask, None).unwrap() else {
        panic!()
    };
    begun.write(b"half").unwrap();
    assert!(!site.join("big.bin").exists());
    drop(begun);
    assert_eq!(paths(&folder), ["index.html", "style.css"]);
    assert_eq!(
        upload(&folder, "a/b.txt", Clash::Ask, "1").unwrap(),
        ["a/b.txt"]
    );
    assert!(matches!(
        upload(&folder, "A/B.txt", Clash::Ask, "2"),
        Err(Fault::Exists(_))
    ));
    assert_eq!(
        upload(&folder, "a/b.txt", Clash::Both, "2").unwrap(),
        ["a/b (2).txt"]
    );
    assert_eq!(
        upload(&folder, "a/.DS_Store", Clash::Ask, "2").unwrap(),
        Vec::<String>::new()
    );
    assert!(
        matches!(publish.free(&["a/b.txt".into(), "c".into()]), Err(Fault::Exists(names)) if names == ["a/b.txt"])
    );
    let too_large = publish.receive("huge", Clash::Ask, Some(u64::MAX / 2));
    assert!(cfg!(windows) || matches!(too_large, Err(Fault::Full)));

    // Left behind by a crash.
    fs::write(site.join(".goop-adding-1-1"), "half").unwrap();
    drop(folder);
    let _folder = Folder::open(dir.path()).unwrap();
    assert!(!site.join(".goop-adding-1-1").exists());
}

#[test]
fn another_folder_is_published_where_it_is() {
    let (dir, folder, _site) = peer();
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("index.html"), "x").unwrap();
    for (bad, why) in [
        (PathBuf::from("relative"), "absolute"),
        (other.path().join("index.html"), "not a folder"),
        (PathBuf::from("/"), "whole disk"),
        (std::env::home_dir().unwrap(), "everything you have"),
    ] {
        let error = folder.set_site_root(Some(&bad)).unwrap_err().to_string();
        assert!(cfg!(windows) || error.contains(why), "{error}");
    }
    let exposed = folder.set_site_root(Some(dir.path()));
    assert!(matches!(exposed, Err(Error::Exposed { .. })));
    assert!(
        folder
            .set_site_root(Some(&dir.path().join("none")))
            .is_err()
    );
    assert!(!dir.path().join("none").exists());
    folder.set_site_root(Some(other.path())).unwrap();
    let is_other = |folder: &Folder| {
        let files = folder.publish().files().unwrap();
        assert!(!files.own);
        let real = fs::canonicalize(other.path()).unwrap();
        assert_eq!(files.root, real.to_string_lossy());
    };
    is_other(&folder);
    drop(folder);
    let folder = Folder::open(dir.path()).unwrap();
    is_other(&folder);
    folder.set_site_root(None).unwrap();
    assert!(folder.publish().files().unwrap().own);
}

#[test]
fn what_began_in_one_folder_ends_there_when_another_is_chosen() {
    let (_dir, folder, site) = peer();
    let (chosen, told) = (tempfile::tempdir().unwrap(), Arc::new(AtomicUsize::new(0)));
    let tell = Arc::clone(&told);
    folder.on_site(move || {
        tell.fetch_add(1, Ordering::Relaxed);
    });
    put(chosen.path(), "index.html", "chosen");
    let removed = folder.publish().remove(&["index.html".into()]).unwrap();
    let writing = folder.publish();
    let received = writing.receive("photo.jpg", Clash::Ask, None).unwrap();
    let Receiving::Into(mut upload) = received else {
        panic!("{received:?}");
    };
    upload.write(b"one").unwrap();
    folder.set_site_root(Some(chosen.path())).unwrap();
    upload.write(b"two").unwrap();
    let added = writing.keep(upload, None).unwrap();
    assert_eq!(text(&site, "photo.jpg"), "onetwo");
    assert!(!chosen.path().join("photo.jpg").exists());
    // Neither is undone in the other folder, whatever it has of these names.
    put(chosen.path(), "photo.jpg", "another");
    for id in [&removed.id, &added.undo.id] {
        let undone = folder.publish().undo(id);
        assert!(matches!(undone, Err(Fault::Invalid(_))), "{undone:?}");
    }
    let renamed = folder.publish().rename("photo.jpg", "b.jpg").unwrap();
    assert!(![removed.id, added.undo.id].contains(&renamed.id));
    // Other settings, and the same folder again, are no other site.
    folder
        .update_config(|config| config.profile.label = "B".into())
        .unwrap();
    folder.set_site_root(Some(chosen.path())).unwrap();
    assert_eq!(told.load(Ordering::Relaxed), 1);
    folder.publish().undo(&renamed.id).unwrap();
    assert_eq!(text(chosen.path(), "photo.jpg"), "another");
}
