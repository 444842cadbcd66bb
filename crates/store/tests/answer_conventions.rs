//! What authors of websites expect of a static host: rules, apps, pages without extension, listings.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::web::Web;

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
fn the_rules_of_the_author() {
    let web = Web::new(&[
        ("index.html", "top"),
        ("app/index.html", "app"),
        ("new.html", "new"),
        ("gone.html", "gone"),
        ("there.html", "there"),
        (
            "_redirects",
            "/old /new.html 302\n/app/* /app/ 200\n/there.html /new.html\n/forced.html /new 200!\n/gone/* /gone.html 404\n\
             /out https://example.org/ 307\n/nowhere /nothing.html 200\n/loop /loop2\n/loop2 /loop\n/bad //x 301\n",
        ),
        ("forced.html", "forced"),
        (
            "_headers",
            "/*\n  Cross-Origin-Opener-Policy: same-origin\n  Set-Cookie: a=b\n/new.html\n  Cache-Control: max-age=60\n",
        ),
    ]);
    for (uri, status, location) in [
        ("/old", 302, "new.html"),
        ("/old?x=1", 302, "new.html?x=1"),
        ("/old/", 302, "../new.html"),
        ("/out", 307, "https://example.org/"),
    ] {
        let answer = web.get(uri);
        assert_eq!(
            (answer.status, answer.header("location")),
            (status, Some(location)),
            "{uri}"
        );
    }
    web.get("/app/users/7").is(200, "app");
    web.get("/app/").is(200, "app");
    web.get("/there.html").is(200, "there");
    web.get("/forced.html").is(200, "new");
    web.get("/gone/x").is(404, "gone");
    for uri in [
        "/nowhere",
        "/loop",
        "/bad",
        "/_redirects",
        "/_headers",
        "/_Headers",
    ] {
        assert_eq!(web.get(uri).status, 404, "{uri}");
    }
    let page = web.get("/new.html");
    assert_eq!(page.header("cache-control"), Some("max-age=60"));
    assert_eq!(
        page.header("cross-origin-opener-policy"),
        Some("same-origin")
    );
    assert_eq!(page.header("set-cookie"), None);
    let tag = page.header("etag").unwrap();
    let again = web.ask("GET", "/new.html", &[("if-none-match", tag)]);
    assert_eq!(
        (again.status, again.header("cache-control")),
        (304, Some("max-age=60"))
    );
    let problems: Vec<_> = web
        .folder
        .site()
        .problems()
        .into_iter()
        .map(|(file, problem)| format!("{file}, {problem}"))
        .collect();
    assert_eq!(
        problems,
        [
            "_headers, line 3: the header Set-Cookie is not supported",
            "_redirects, line 10: the destination must begin with / or https://",
        ]
    );
    // A change counts at once.
    web.write("_redirects", "/old /app/");
    assert_eq!(web.get("/old").header("location"), Some("app/"));
    fs::remove_file(web.path("_redirects")).unwrap();
    assert_eq!(web.get("/old").status, 404);
    assert_eq!(web.folder.site().problems().len(), 1);
    // Neither is listed.
    for name in ["index.html", "_headers"] {
        fs::remove_file(web.path(name)).unwrap();
    }
    web.write("_redirects", "/* /index.html 200");
    web.write("a.txt", "x");
    assert!(!web.get("/").text().contains("_redirects"));
}

#[test]
fn an_app_with_one_rule() {
    let web = Web::new(&[
        ("index.html", "app"),
        ("app.js", "js"),
        ("_redirects", "/* /index.html 200"),
    ]);
    for uri in ["/", "/users/7", "/users/", "/missing.js"] {
        web.get(uri).is(200, "app");
    }
    web.get("/app.js").is(200, "js");
    assert_eq!(web.get("/lua/x").status, 403);
    assert_eq!(web.get("/.hidden").status, 404);
}
