//! The site over HTTP: which answer a request gets from a folder.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::web::Web;

#[test]
fn files_and_indexes() {
    let web = Web::new(&[
        ("index.html", "top"),
        ("a/index.html", "a"),
        ("b/index.htm", "b"),
        ("both/index.htm", "htm"),
        ("both/index.html", "html"),
        ("c/x.css", "css"),
        ("a b+c/100%.txt", "odd"),
        ("ü/index.html", "ü"),
    ]);
    for (uri, text) in [
        ("/", "top"),
        ("/?x=1", "top"),
        ("/index.html", "top"),
        ("/a/", "a"),
        ("/a/?x", "a"),
        ("/a/index.html", "a"),
        ("/b/", "b"),
        ("/both/", "html"),
        ("/c/x.css", "css"),
        ("/c/x.css?v=2", "css"),
        ("//c//x.css", "css"),
        ("/a/../c/x.css", "css"),
        ("/a/%2e%2e/c/x.css", "css"),
        ("/a%20b+c/100%25.txt", "odd"),
        ("/%C3%BC/", "ü"),
        ("/ü/", "ü"),
    ] {
        web.get(uri).is(200, text);
    }
    let page = web.get("/a/");
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(page.header("content-length"), Some("1"));
    for (uri, status) in [
        ("/nothing", 404),
        ("/c/", 404),
        ("/c/x.css/", 404),
        ("/a%2520b+c/100%25.txt", 404),
        ("/a+b+c/100%25.txt", 404),
        ("/%zz", 400),
        ("/%ff", 404),
        ("/lua/x", 403),
    ] {
        assert_eq!(web.get(uri).status, status, "{uri}");
    }
}

#[test]
fn a_folder_without_its_slash_redirects_to_it() {
    let web = Web::new(&[("a/index.html", "a"), ("x/y:z/index.html", "z")]);
    for (uri, location) in [
        ("/a", "a/"),
        ("/a?q=1&r", "a/?q=1&r"),
        ("//a", "a/"),
        ("/x/y:z", "./y:z/"),
        ("/x/y%3Az?", "y%3Az/?"),
    ] {
        let answer = web.get(uri);
        assert_eq!(
            (answer.status, answer.header("location")),
            (308, Some(location)),
            "{uri}"
        );
        assert_eq!(answer.header("content-length"), Some("0"));
    }
}

#[test]
fn only_get_and_head() {
    let web = Web::new(&[("index.html", "top"), ("404.html", "gone")]);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let answer = web.ask(method, "/", &[]);
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some("GET, HEAD"))
        );
        assert_eq!(answer.header("content-length"), Some("0"));
    }
    for uri in ["/", "/nothing", "/index.html", "/%zz"] {
        let (get, head) = (web.get(uri), web.ask("HEAD", uri, &[]));
        assert_eq!(
            (head.status, &head.headers),
            (get.status, &get.headers),
            "{uri}"
        );
        assert!(head.bytes.is_empty() && !get.bytes.is_empty());
    }
}

#[test]
fn the_page_about_what_is_missing() {
    let web = Web::new(&[("index.html", "top")]);
    web.get("/nothing").is(404, "Page not found\n");
    web.write("404.html", "gone");
    web.get("/nothing").is(404, "gone");
    web.get("/a/b/.hidden").is(404, "gone");
    let range = web.ask("GET", "/nothing", &[("range", "bytes=0-1")]);
    range.is(404, "gone");
}

#[cfg(target_os = "linux")]
#[test]
fn every_name_of_this_computer_is_served() {
    let names = [
        "a:b.html",
        "x~1",
        "GIT~1",
        "aux.html",
        "end.",
        " blank ",
        "back\\slash",
        "zwj\u{200d}.html",
        "zwnj\u{200c}x",
        "\u{feff}bom",
        "100%.txt",
        "a+b",
        "q?.txt",
        "#.txt",
        "日本語",
        "👩‍👩‍👧.html",
        "%41",
    ];
    let web = Web::new(&[("index.html", "top")]);
    for name in names {
        web.write(&format!("{name}/{name}"), name);
        let escaped: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
        web.get(&format!("/{escaped}/{escaped}")).is(200, name);
    }
    fs::remove_file(web.path("index.html")).unwrap();
    let page = web.get("/");
    for link in page.text().split("href=\"").skip(1) {
        let link = link.split('"').next().unwrap().trim_start_matches("./");
        assert_eq!(web.get(&format!("/{link}")).status, 200, "{link}");
    }
    assert_eq!(page.text().matches("<li>").count(), names.len());
}

#[cfg(target_os = "linux")]
#[test]
fn an_equivalent_name_is_served_where_the_exact_one_is_missing() {
    let (composed, decomposed) = ("%C3%BC", "u%CC%88");
    let web = Web::new(&[
        ("index.html", "top"),
        ("u\u{308}/\u{fc}.txt", "mixed"),
        ("both/\u{fc}", "composed"),
        ("both/u\u{308}", "decomposed"),
        ("\u{1e9b}\u{323}.txt", "other"),
    ]);
    for folder in [composed, decomposed] {
        for name in [composed, decomposed] {
            web.get(&format!("/{folder}/{name}.txt")).is(200, "mixed");
        }
    }
    web.get(&format!("/both/{composed}")).is(200, "composed");
    web.get(&format!("/both/{decomposed}"))
        .is(200, "decomposed");
    web.get("/%C5%BF%CC%A3%CC%87.txt").is(200, "other");
    // Compatible is not equivalent.
    assert_eq!(web.get("/s%CC%A3%CC%87.txt").status, 404);
    assert_eq!(web.get(&format!("/{composed}/{composed}")).status, 404);
}
