//! The site over HTTP: which answer a request gets from a folder.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    fs,
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
};

use common::new_peer;
use goop2_store::{Content, Folder};
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
        let mut bytes = vec![];
        match content {
            Content::Empty => {}
            Content::Bytes(content) => bytes.extend(content),
            Content::File {
                mut file,
                offset,
                len,
                ..
            } => {
                file.seek(SeekFrom::Start(offset)).unwrap();
                file.take(len).read_to_end(&mut bytes).unwrap();
            }
        }
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            bytes,
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
        ("/lua/x", 404),
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
