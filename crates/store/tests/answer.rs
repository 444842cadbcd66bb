//! The site over HTTP: which answer a request gets from a folder.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    fs,
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
};

use common::new_peer;
use goop2_store::{Content, Encoding, Folder};
use http::{HeaderMap, Request};
use tempfile::TempDir;

/// A folder with a site of these files.
struct Web {
    dir: TempDir,
    folder: Folder,
}

/// What a browser sees.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    bytes: Vec<u8>,
    /// What the sender is to compress it with.
    encode: Option<Encoding>,
}

impl Web {
    fn new(files: &[(&str, &str)]) -> Self {
        let (dir, folder) = new_peer();
        fs::remove_dir_all(dir.path().join("site")).unwrap();
        fs::create_dir(dir.path().join("site")).unwrap();
        let web = Self { dir, folder };
        for (name, content) in files {
            web.write(name, content);
        }
        web
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("site").join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn get(&self, uri: &str) -> Answer {
        self.ask("GET", uri, &[])
    }

    fn ask(&self, method: &str, uri: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let (parts, content) = self.folder.site().answer(&parts).into_parts();
        let (mut bytes, mut encode) = (vec![], None);
        match content {
            Content::Empty => {}
            Content::Bytes(content) => bytes.extend(content),
            Content::File {
                mut file,
                offset,
                len,
                encoding,
            } => {
                encode = encoding;
                file.seek(SeekFrom::Start(offset)).unwrap();
                file.take(len).read_to_end(&mut bytes).unwrap();
            }
        }
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            bytes,
            encode,
        }
    }
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        Some(self.headers.get(name)?.to_str().unwrap())
    }

    fn text(&self) -> &str {
        str::from_utf8(&self.bytes).unwrap()
    }

    #[track_caller]
    fn is(&self, status: u16, text: &str) {
        assert_eq!((self.status, self.text()), (status, text));
    }
}

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

#[test]
fn the_nearest_page_about_what_is_missing() {
    let web = Web::new(&[
        ("index.html", "top"),
        ("404.html", "gone"),
        ("de/404.html", "fort"),
        ("de/a/x", "x"),
    ]);
    web.get("/x").is(404, "gone");
    web.get("/de/x").is(404, "fort");
    web.get("/de/a/b/c/x").is(404, "fort");
    web.get("/de/a/").is(404, "fort");
    web.get(&format!("/de{}", "/x".repeat(2000)))
        .is(404, "gone");
}

#[test]
fn a_page_needs_no_extension() {
    let web = Web::new(&[
        ("index.html", "top"),
        ("about.html", "about"),
        ("docs.html", "docs"),
        ("docs/a.html", "a"),
        ("both.html", "page"),
        ("both/index.html", "folder"),
    ]);
    web.get("/about").is(200, "about");
    web.get("/docs").is(200, "docs");
    web.get("/docs/a").is(200, "a");
    assert_eq!(web.get("/both").header("location"), Some("both/"));
    for uri in ["/about/", "/docs/", "/a", "/about.htm", "/.html"] {
        assert_eq!(web.get(uri).status, 404, "{uri}");
    }
}

#[test]
fn a_single_page_app_gets_every_page_and_no_file() {
    let web = Web::new(&[
        ("index.html", "top"),
        ("200.html", "app"),
        ("404.html", "gone"),
        ("a/x.txt", "x"),
    ]);
    let navigate = [("sec-fetch-mode", "navigate"), ("accept", "text/html")];
    let accept = [("accept", "text/html,*/*;q=0.8")];
    for uri in ["/users/7", "/users/", "/a/", "/a", "/x.html"] {
        web.ask("GET", uri, &navigate).is(200, "app");
        web.ask("GET", uri, &accept).is(200, "app");
        web.ask("GET", uri, &[("accept", "*/*")]).is(404, "gone");
        web.ask("GET", uri, &[("sec-fetch-mode", "cors"), accept[0]])
            .is(404, "gone");
    }
    for uri in ["/app.js", "/assets/x.PNG", "/x.css?v"] {
        web.ask("GET", uri, &navigate).is(404, "gone");
        web.ask("GET", uri, &accept).is(404, "gone");
    }
    web.ask("GET", "/users/j.doe", &navigate).is(200, "app");
    web.ask("GET", "/", &navigate).is(200, "top");
    let tag = web
        .ask("GET", "/users/7", &navigate)
        .header("etag")
        .unwrap()
        .to_owned();
    let again = web.ask("GET", "/users/8", &[navigate[0], ("if-none-match", &tag)]);
    assert_eq!(again.status, 304);
}

#[test]
fn a_folder_of_photos_is_listed() {
    let web = Web::new(&[
        ("b.txt", "text"),
        ("photos/a <1>.JPG", "picture"),
        (".hidden", "x"),
        (".well-known/x", "x"),
        ("lua/x.lua", "x"),
    ]);
    let page = web.get("/");
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    assert_eq!(
        page.header("content-length"),
        Some(page.bytes.len().to_string().as_str())
    );
    assert!(page.text().contains("href=\"photos/\"") && page.text().contains("href=\"b.txt\""));
    for hidden in ["hidden", "well-known", "lua"] {
        assert!(!page.text().contains(hidden), "{hidden}");
    }
    let photos = web.get("/photos/");
    assert!(
        photos.text().contains("<img src=\"a%20%3C1%3E.JPG\""),
        "{}",
        photos.text()
    );
    assert_eq!(web.get("/photos?x").header("location"), Some("photos/?x"));
    web.get("/photos/a%20%3C1%3E.JPG").is(200, "picture");
    web.get("/.well-known/x").is(200, "x");
    for uri in ["/.well-known/", "/nothing/", "/b.txt/"] {
        web.get(uri).is(404, "Page not found\n");
    }
    web.get("/lua/").is(403, "Not shared\n");
    // A website is not listed.
    for index in ["index.html", "index.htm", "200.html"] {
        web.write(index, "top");
        web.get("/photos/").is(404, "Page not found\n");
        fs::remove_file(web.path(index)).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_listing_shows_no_link_that_leads_out() {
    use std::os::unix::fs::symlink;
    let web = Web::new(&[("a.txt", "x"), (".secret", "x"), ("lua/x.lua", "x")]);
    fs::write(web.dir.path().join("outside.txt"), "x").unwrap();
    for (name, target) in [
        ("out", "../outside.txt"),
        ("key", "../data/identity.key"),
        ("up", ".."),
        ("etc", "/etc"),
        ("dot", ".secret"),
        ("scripts", "lua"),
        ("gone", "nothing"),
        ("round", "round"),
        ("inside", "a.txt"),
    ] {
        symlink(target, web.path(name)).unwrap();
    }
    let _socket = std::os::unix::net::UnixListener::bind(web.path("socket")).unwrap();
    let page = web.get("/");
    let listed: Vec<_> = page
        .text()
        .split("href=\"")
        .skip(1)
        .map(|link| link.split('"').next().unwrap())
        .collect();
    assert_eq!(listed, ["a.txt", "inside"]);
}

#[test]
fn a_listing_ends_somewhere() {
    let web = Web::new(&[]);
    for n in 0..10_001 {
        fs::File::create(web.path(&format!("{n}.txt"))).unwrap();
    }
    let page = web.get("/");
    assert_eq!(page.text().matches("<li>").count(), 10_000);
    assert!(page.text().contains("more files than are listed"));
}

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
