//! The forms a file is sent in over HTTP: its type, its charset, compressed, as a part.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::web::Web;
use goop2_store::Encoding;

#[test]
fn a_changed_file_is_another_version() {
    let web = Web::new(&[("a.txt", "one")]);
    let first = web.get("/a.txt");
    let tag = first.header("etag").unwrap().to_owned();
    assert!(tag.starts_with('"') && first.header("last-modified").is_some());
    let again = web.ask("GET", "/a.txt", &[("if-none-match", &tag)]);
    assert_eq!((again.status, again.bytes.len()), (304, 0));

    // The same length and the same time, as `cp -p` and some generators leave it.
    let modified = fs::metadata(web.path("a.txt")).unwrap().modified().unwrap();
    web.write("b.txt", "two");
    fs::rename(web.path("b.txt"), web.path("a.txt")).unwrap();
    let file = fs::File::options()
        .write(true)
        .open(web.path("a.txt"))
        .unwrap();
    file.set_modified(modified).unwrap();
    let changed = web.ask("GET", "/a.txt", &[("if-none-match", &tag)]);
    changed.is(200, "two");
    assert_eq!(
        changed.header("last-modified"),
        first.header("last-modified")
    );
    let part = [("range", "bytes=1-"), ("if-range", tag.as_str())];
    web.ask("GET", "/a.txt", &part).is(200, "two");
    let now = changed.header("etag").unwrap();
    let part = [("range", "bytes=1-"), ("if-range", now)];
    web.ask("GET", "/a.txt", &part).is(206, "wo");
}

#[test]
fn a_file_from_the_future_or_before_1970_has_no_date() {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};
    let web = Web::new(&[("a.txt", "x")]);
    for time in [
        SystemTime::now() + Duration::from_secs(86400),
        UNIX_EPOCH - Duration::from_secs(86400),
    ] {
        let file = fs::File::options()
            .write(true)
            .open(web.path("a.txt"))
            .unwrap();
        file.set_modified(time).unwrap();
        let answer = web.get("/a.txt");
        assert_eq!((answer.status, answer.header("last-modified")), (200, None));
    }
}

#[test]
fn a_page_that_was_built_for_the_root_says_so() {
    let web = Web::new(&[
        (
            "index.html",
            "<link rel=stylesheet href=/a.css><script src=/js/app.js></script><script src=https://x.example/y.js></script>",
        ),
        ("js/app.js", "let a = 1;"),
        (
            "sdk.html",
            "<a href=/>Home</a><script src=\"/sdk/goop-data.js\"></script>",
        ),
        ("sdk.txt", "<a href=/>Home</a>"),
        (
            "relative.html",
            "<a href=index.html>Home</a><script src=js/app.js></script>",
        ),
        ("sub/index.html", "<script src=\"/js/app.js?v=1\"></script>"),
        ("404.html", "<script src=/js/app.js></script>"),
    ]);
    let address = |uri: &str| web.get(uri).header("goop-address").map(str::to_owned);
    let root = Some("root".to_owned());
    for uri in ["/", "/index.html", "/sub/", "/x"] {
        assert_eq!(address(uri), root, "{uri}");
    }
    for uri in ["/sdk.html", "/sdk.txt", "/relative.html", "/js/app.js"] {
        assert_eq!(address(uri), None, "{uri}");
    }
    // What a browser keeps is about the page; the header is about now.
    let tag = web.get("/").header("etag").unwrap().to_owned();
    let again = web.ask("GET", "/", &[("if-none-match", &tag)]);
    assert_eq!(
        (again.status, again.header("goop-address")),
        (304, Some("root"))
    );
    assert_eq!(
        web.ask("HEAD", "/", &[]).header("goop-address"),
        Some("root")
    );
    web.write("js/app.js", "fetch(`/api/p/${id}/data/tables`)");
    for uri in ["/", "/index.html", "/sub/", "/x"] {
        assert_eq!(address(uri), None, "{uri}");
    }
    web.write("js/app.js", "let a = 1;");
    assert_eq!(address("/"), root);
}

#[test]
fn a_page_that_declares_its_charset_is_not_overruled() {
    let web = Web::new(&[("index.html", "<p>ü"), ("a.json", "{}")]);
    web.write("latin.html", b"<p>\xe9");
    web.write("sjis.html", "<meta charset=shift_jis><p>x");
    web.write("long.txt", "ü".repeat(400_000));
    web.write(
        "odd.txt",
        [b"x".as_slice(), "ü".repeat(400_000).as_bytes()].concat(),
    );
    web.write("source.php", "<?php echo 1;");
    let mime = |uri: &str| web.get(uri).header("content-type").unwrap().to_owned();
    for (uri, expected) in [
        ("/", "text/html; charset=utf-8"),
        ("/latin.html", "text/html"),
        ("/sjis.html", "text/html"),
        ("/long.txt", "text/plain; charset=utf-8"),
        ("/odd.txt", "text/plain; charset=utf-8"),
        ("/a.json", "application/json"),
        ("/source.php", "text/plain; charset=utf-8"),
    ] {
        assert_eq!(mime(uri), expected, "{uri}");
    }
    // The type belongs to the version, not to the name.
    web.write("latin.html", "<p>now in UTF-8");
    assert_eq!(mime("/latin.html"), "text/html; charset=utf-8");
}

#[test]
fn texts_are_compressed_as_the_client_asks() {
    let long = "text ".repeat(500);
    let web = Web::new(&[("a.js", &long), ("short.js", "short"), ("a.png", &long)]);
    let ask = |uri: &str, accept: &str| web.ask("GET", uri, &[("accept-encoding", accept)]);
    let plain = web.get("/a.js");
    for (accept, encoding, name) in [
        ("gzip, br, zstd", Encoding::Brotli, "br"),
        ("gzip, zstd", Encoding::Zstd, "zstd"),
        ("gzip", Encoding::Gzip, "gzip"),
        ("br;q=0.5, gzip", Encoding::Gzip, "gzip"),
    ] {
        let answer = ask("/a.js", accept);
        answer.is(200, &long);
        assert_eq!(answer.encode, Some(encoding));
        assert_eq!(answer.header("content-encoding"), Some(name));
        assert_eq!(answer.header("content-length"), None);
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
        assert_ne!(answer.header("etag"), plain.header("etag"));
        // Each form is known by its own tag.
        let tag = answer.header("etag").unwrap();
        let again = [("accept-encoding", accept), ("if-none-match", tag)];
        let again = web.ask("GET", "/a.js", &again);
        assert_eq!((again.status, again.header("etag")), (304, Some(tag)));
        assert_eq!(again.header("vary"), Some("Accept-Encoding"));
        let other = [("if-none-match", tag)];
        assert_eq!(web.ask("GET", "/a.js", &other).status, 200);
        // Half of one form does not complete the other.
        let rest = [
            ("accept-encoding", accept),
            ("range", "bytes=5-"),
            ("if-range", tag),
        ];
        let rest = web.ask("GET", "/a.js", &rest);
        assert_eq!((rest.status, rest.encode), (200, Some(encoding)));
        let head = web.ask("HEAD", "/a.js", &[("accept-encoding", accept)]);
        assert_eq!(head.headers, answer.headers);
    }
    for (uri, accept) in [
        ("/a.js", "identity"),
        ("/a.js", ""),
        ("/short.js", "br"),
        ("/a.png", "br"),
    ] {
        let answer = ask(uri, accept);
        assert_eq!(
            (answer.encode, answer.header("content-encoding")),
            (None, None),
            "{uri}"
        );
        assert!(answer.header("content-length").is_some());
    }
    assert_eq!(plain.header("vary"), Some("Accept-Encoding"));
    assert_eq!(ask("/a.png", "br").header("vary"), None);
    // A part is one of the plain file.
    let part = web.ask(
        "GET",
        "/a.js",
        &[("accept-encoding", "br"), ("range", "bytes=0-3")],
    );
    part.is(206, "text");
    assert_eq!(
        (part.header("content-encoding"), part.header("etag")),
        (None, plain.header("etag"))
    );
    web.write("404.html", &long);
    let missing = ask("/nothing", "gzip");
    assert_eq!(
        (missing.status, missing.encode),
        (404, Some(Encoding::Gzip))
    );
}

#[test]
fn a_compressed_neighbor_is_used_while_it_is_current() {
    let long = "text ".repeat(500);
    let web = Web::new(&[("a.js", &long), ("a.js.gz", "gz"), ("a.js.br", "br")]);
    let age = |name: &str, seconds: u64| {
        let file = fs::File::options()
            .write(true)
            .open(web.path(name))
            .unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        file.set_modified(time).unwrap();
    };
    age("a.js", 1000);
    age("a.js.gz", 1000);
    age("a.js.br", 2000);
    let ask = |accept: &str| web.ask("GET", "/a.js", &[("accept-encoding", accept)]);
    for (accept, text, name) in [("gzip, br, zstd", "br", "br"), ("gzip, zstd", "gz", "gzip")] {
        let answer = ask(accept);
        answer.is(200, text);
        assert_eq!(
            (answer.encode, answer.header("content-encoding")),
            (None, Some(name))
        );
        assert_eq!(answer.header("content-length"), Some("2"));
        assert_eq!(
            answer.header("content-type"),
            Some("text/javascript; charset=utf-8")
        );
    }
    ask("").is(200, &long);
    assert_eq!(ask("zstd").encode, Some(Encoding::Zstd));
    // The author changed the file and forgot the other one.
    age("a.js", 3000);
    let answer = ask("br");
    answer.is(200, &long);
    assert_eq!(answer.encode, Some(Encoding::Brotli));
}

#[test]
fn compressed_files_asked_for_by_name() {
    let web = Web::new(&[]);
    for (name, mime, encoding) in [
        ("x.js.gz", "text/javascript", Some("gzip")),
        ("x.wasm.gz", "application/wasm", Some("gzip")),
        ("x.wasm.br", "application/wasm", Some("br")),
        ("x.data.br", "application/octet-stream", Some("br")),
        ("a.svgz", "image/svg+xml", Some("gzip")),
        ("x.tar.gz", "application/gzip", None),
        ("x.tgz", "application/gzip", None),
        ("x.gz", "application/gzip", None),
        ("x.csv.gz", "application/gzip", None),
    ] {
        web.write(name, "x".repeat(2000));
        let answer = web.ask(
            "GET",
            &format!("/{name}"),
            &[("accept-encoding", "gzip, br")],
        );
        assert_eq!(answer.header("content-encoding"), encoding, "{name}");
        assert_eq!(answer.header("content-type"), Some(mime), "{name}");
        assert_eq!(answer.header("content-length"), Some("2000"), "{name}");
        assert_eq!(answer.encode, None, "{name}");
    }
}
