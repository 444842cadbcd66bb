//! What lies in the site folder and is not served, and what its owner learns about it.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::web::Web;
use goop2_proto::path::Objection;
use goop2_store::site::unserved::Reason;

fn unserved(web: &Web) -> Vec<(String, Reason)> {
    let found = web.folder.site().unserved();
    assert!(found.complete);
    let entries = found.entries.into_iter();
    let mut entries: Vec<_> = entries.map(|entry| (entry.path, entry.reason)).collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    entries
}

#[test]
fn an_ordinary_site_has_nothing_to_report() {
    let web = Web::new(&[
        ("index.html", "x"),
        ("a/b/ü.txt", "x"),
        ("lua/x.lua", "x"),
        ("_headers", ""),
        ("_redirects", ""),
        (".well-known/security.txt", "x"),
    ]);
    assert_eq!(unserved(&web), []);
}

#[cfg(target_os = "linux")]
#[test]
fn each_reason_is_given() {
    use std::os::unix::{ffi::OsStrExt, fs::symlink};
    let web = Web::new(&[
        (".git/config", "x"),
        ("a/.env", "x"),
        ("a/b\nc", "x"),
        ("aux.html", "x"),
        ("inside.txt", "x"),
    ]);
    symlink("inside.txt", web.path("good")).unwrap();
    symlink("../data", web.path("out")).unwrap();
    symlink("nothing", web.path("gone")).unwrap();
    symlink("a", web.path("folder")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(web.path("socket")).unwrap();
    fs::write(
        web.path("").join(std::ffi::OsStr::from_bytes(b"\xff.txt")),
        "x",
    )
    .unwrap();
    let expected = [
        (".git", Reason::Name(Objection::Hidden)),
        ("a/.env", Reason::Name(Objection::Hidden)),
        ("a/b\nc", Reason::Name(Objection::Control)),
        ("gone", Reason::Link),
        ("out", Reason::Link),
        ("socket", Reason::Kind),
        ("\u{fffd}.txt", Reason::NotText),
    ];
    let expected = expected.map(|(path, reason)| (path.to_owned(), reason));
    assert_eq!(unserved(&web), expected);
}

#[test]
fn the_report_is_bounded() {
    let web = Web::new(&[]);
    for n in 0..300 {
        fs::write(web.path(&format!(".{n}")), "x").unwrap();
    }
    let found = web.folder.site().unserved();
    assert!(!found.complete);
    assert_eq!(found.entries.len(), 200);
}
