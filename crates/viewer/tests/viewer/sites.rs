//! Sites as a browser receives them.

use std::fs;

use goop2_peer::api::Navigated;
use goop2_proto::{PeerId, id};
use goop2_viewer::{Config, Viewer};
use tokio::{io::AsyncReadExt, net::TcpStream};

use crate::world::{NAVIGATION, World, patient};

#[tokio::test]
async fn addresses_lead_to_the_sites_own_origin() {
    let world = World::start().await;
    let (control, site) = (&*world.control(), &*world.site(&world.owner));
    let (owner, visitor) = (world.owner.id(), world.visitor.id());
    let label = id::to_label(&owner);
    let other = world.site(&world.visitor);
    let named = |path: &str| format!("http://{site}/p/{owner}{path}");
    let table = [
        (
            control,
            format!("/p/{owner}/a/b%20c.css?x=%20y"),
            named("/a/b%20c.css?x=%20y"),
        ),
        (control, format!("/p/{owner}"), named("/")),
        (control, format!("/p/{owner}?x"), named("/?x")),
        (control, format!("///p/{owner}/"), named("/")),
        (control, format!("/p/{label}/a"), named("/a")),
        (site, "/".into(), format!("/p/{owner}/")),
        (site, "/?x".into(), format!("/p/{owner}/?x")),
        (site, format!("/p/{owner}"), format!("/p/{owner}/")),
        (site, format!("/p/{label}/a?x"), format!("/p/{owner}/a?x")),
        (
            site,
            format!("/p/{visitor}/a?x"),
            format!("http://{other}/p/{visitor}/a?x"),
        ),
    ];
    for (host, path, location) in table {
        let answer = world.get(host, &path, NAVIGATION).await;
        assert_eq!(answer.status, 307, "{host} {path}");
        assert_eq!(answer.header("location"), location, "{host} {path}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_program_gets_the_file_from_the_address_people_know() {
    let world = World::start().await;
    let answer = world
        .get(
            &world.control(),
            &format!("/p/{}/", world.owner.id()),
            &[("Accept", "*/*")],
        )
        .await;
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (200, "<h1>Owner</h1>")
    );
    assert_eq!(answer.header("content-security-policy"), "sandbox");
    let own = world
        .get(&world.control(), &format!("/p/{}", world.visitor.id()), &[])
        .await;
    assert_eq!(own.text(), "<h1>Visitor</h1>");
    world.end().await;
}

#[tokio::test]
async fn files_come_with_type_and_length() {
    let world = World::start().await;
    let (site, owner) = (world.site(&world.owner), world.owner.id());
    for path in [
        format!("/p/{owner}/a/b%20c.css?v=1"),
        "/a/b%20c.css".into(),
        "//a/b%20c.css".into(),
    ] {
        let answer = world.get(&site, &path, &[]).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "body {}"),
            "{path}"
        );
        assert_eq!(
            (
                answer.header("content-type"),
                answer.header("content-length")
            ),
            ("text/css; charset=utf-8", "7")
        );
    }
    let head = world
        .send("HEAD", &site, &format!("/p/{owner}/"), &[], "")
        .await;
    assert_eq!(
        (head.status, head.header("content-length"), head.body.len()),
        (200, "14", 0)
    );
    world.end().await;
}

#[tokio::test]
async fn only_shared_files_are_answered() {
    let world = World::start().await;
    let (site, owner) = (world.site(&world.owner), world.owner.id());
    for (path, status) in [
        ("nope", 404),
        ("lua/x.lua", 403),
        ("%2e%2e/goop.json", 404),
        ("%ff", 404),
        ("a%0aGET%20/", 404),
        (".git", 404),
    ] {
        assert_eq!(
            world
                .get(&site, &format!("/p/{owner}/{path}"), &[])
                .await
                .status,
            status,
            "{path}"
        );
    }
    world.end().await;
}

#[tokio::test]
async fn errors_are_pages_for_people_and_a_line_for_programs() {
    let world = World::start().await;
    let (site, owner) = (world.site(&world.owner), world.owner.id());
    let path = format!("/p/{owner}/%22%3E%3Cscript%3E?x=%22'");
    let page = world.get(&site, &path, NAVIGATION).await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (404, "text/html; charset=utf-8")
    );
    assert!(
        page.text().contains("<h1>Page not found</h1>"),
        "{}",
        page.text()
    );
    assert!(
        page.text()
            .contains(&format!("<a href=\"/p/{owner}/\">Go to the first page</a>")),
        "{}",
        page.text()
    );
    assert!(page.text().contains("/sdk/goop-page.css") && !page.text().contains("<script"));
    let line = world.get(&site, &path, &[]).await;
    assert_eq!(
        (line.header("content-type"), line.text().as_str()),
        (
            "text/plain; charset=utf-8",
            "This site has no page at this address.\n"
        )
    );
    world.end().await;
}

#[tokio::test]
async fn a_page_of_an_offline_peer_can_be_tried_again() {
    let world = World::start().await;
    let nobody = PeerId::random();
    let host = format!("{}.localhost:{}", id::to_label(&nobody), world.port());
    let path = format!("/p/{nobody}/%22%3E%3Cscript%3E?x=%22'");
    let offline = world.get(&host, &path, NAVIGATION).await;
    let retry = format!("<a href=\"{}\">Try again</a>", path.replace('\'', "&#39;"));
    assert_eq!(offline.status, 502);
    for part in ["<h1>Not online right now</h1>", &retry] {
        assert!(offline.text().contains(part), "{}", offline.text());
    }
    assert!(!offline.text().contains("<script"));
    world.end().await;
}

#[tokio::test]
async fn a_transfer_that_is_cut_never_passes_as_the_whole_file() {
    let world = World::start().await;
    const LEN: u64 = 300_000_000;
    fs::File::create(world.owner_dir.path().join("site/large.bin"))
        .unwrap()
        .set_len(LEN)
        .unwrap();
    let request = format!(
        "GET /large.bin HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        world.site(&world.owner)
    );
    let mut stream = world.connect(&request).await;
    let mut first = vec![0; 64 * 1024];
    let start = patient(stream.read(&mut first)).await.unwrap();
    assert!(String::from_utf8_lossy(&first[..start]).contains(&format!("content-length: {LEN}")));
    world.owner.shutdown().await;
    let mut got = start as u64;
    // A reset says as much as an early end.
    while let Ok(read @ 1..) = patient(stream.read(&mut first)).await {
        got += read as u64;
    }
    assert!(got < LEN, "{got}");
    world.end().await;
}

#[tokio::test]
async fn navigations_of_a_frame_are_reported_with_their_outcome() {
    let world = World::start().await;
    let mut navigated = world.viewer.navigated();
    let (site, owner) = (world.site(&world.owner), world.owner.id());
    let frame = &[
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Dest", "iframe"),
        ("Sec-Fetch-Site", "cross-site"),
    ];
    world
        .get(&site, &format!("/p/{owner}/a/b%20c.css?x"), NAVIGATION)
        .await;
    world
        .get(&site, &format!("/p/{owner}/a/b%20c.css?x"), frame)
        .await;
    // A frame keeps its page during a download.
    fs::write(world.owner_dir.path().join("site/pack.zip"), "PK").unwrap();
    fs::write(world.owner_dir.path().join("site/table.csv"), "a,b").unwrap();
    for path in ["/pack.zip", "/table.csv"] {
        assert_eq!(world.get(&site, path, frame).await.status, 200);
    }
    world.get(&site, "/nope", frame).await;
    let mut reported = Vec::new();
    for _ in 0..4 {
        let Navigated {
            place,
            status,
            title,
        } = patient(navigated.recv()).await.unwrap();
        assert_eq!((place.peer, title), (owner.to_base58(), None));
        reported.push((place.path, status));
    }
    let expected = [
        ("/a/b%20c.css?x", None),
        ("/a/b%20c.css?x", Some(200)),
        ("/nope", None),
        ("/nope", Some(404)),
    ];
    assert_eq!(
        reported,
        expected.map(|(path, status)| (path.to_owned(), status))
    );
    world.end().await;
}

#[tokio::test]
async fn the_sdk_is_at_both_paths_and_never_cached() {
    let world = World::start().await;
    let site = world.site(&world.owner);
    for path in [
        "/sdk/goop-data.js",
        "/assets/js/goop-data.js",
        "/sdk/goop-chat.js",
        "/sdk/goop-component-tabs.js",
    ] {
        let answer = world.get(&site, path, &[]).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, "text/javascript; charset=utf-8"),
            "{path}"
        );
        assert_eq!(
            answer.header("cache-control"),
            "no-store, no-cache, must-revalidate, max-age=0"
        );
        assert_eq!(
            (answer.header("pragma"), answer.header("expires")),
            ("no-cache", "0")
        );
    }
    assert_eq!(
        world
            .get(&site, "/sdk/goop-component-tabs.css", &[])
            .await
            .status,
        200
    );
    assert_eq!(world.get(&site, "/sdk/core.js", &[]).await.status, 404);
    world.end().await;
}

#[tokio::test]
async fn both_loopback_addresses_answer_and_shutdown_is_prompt() {
    let world = World::start().await;
    let again = Viewer::bind(
        world.visitor.clone(),
        Config {
            http_addr: world.control(),
            ..Config::default()
        },
    )
    .await;
    assert!(again.is_err_and(|error| error.to_string().contains("in use by another program")));
    if let Ok(mut stream) = TcpStream::connect(("::1", world.port())).await {
        use tokio::io::AsyncWriteExt;
        let request = format!(
            "GET /sdk/goop-data.js HTTP/1.1\r\nHost: [::1]:{}\r\nConnection: close\r\n\r\n",
            world.port()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        patient(stream.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    // Idle and waiting connections do not delay it.
    let idle = world.connect("").await;
    let events = format!(
        "GET /api/events HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\n\r\n",
        world.control(),
        world.token()
    );
    let mut events = world.connect(&events).await;
    let mut first = [0; 1];
    patient(events.read_exact(&mut first)).await.unwrap();
    world.end().await;
    drop((idle, events));
}

#[tokio::test]
async fn all_that_is_not_goop2s_is_the_sites_own() {
    let world = World::start().await;
    let (site, owner) = (world.site(&world.owner), world.owner.id());
    let dir = world.owner_dir.path().join("site");
    let frame = &[
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Dest", "iframe"),
        ("Sec-Fetch-Site", "cross-site"),
    ];
    let own = [
        "api/index.html",
        "api/x.json",
        "assets/js/main.js",
        "assets/js/goop-data.js",
        "sdk/x.css",
        ".well-known/security.txt",
        "p/about.html",
    ];
    for path in own {
        let file = dir.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, path).unwrap();
        for address in [format!("/{path}"), format!("/p/{owner}/{path}")] {
            let answer = world.get(&site, &address, &[]).await;
            assert_eq!(
                (answer.status, answer.text().as_str()),
                (200, path),
                "{address}"
            );
        }
    }
    let framed = world.get(&site, &format!("/p/{owner}/api/"), frame).await;
    assert_eq!(framed.status, 200);
    // Behind it is the script that reloads an open page.
    assert!(framed.text().starts_with("api/index.html\n<script"));
    // What the site has no file for is Goop2's.
    let sdk = world.get(&site, "/sdk/goop-data.js", &[]).await;
    assert_eq!(sdk.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(
        world
            .get(&site, "/api/self", &[])
            .await
            .header("content-type"),
        "application/json"
    );
    assert_eq!(world.get(&site, "/api/nothing", &[]).await.status, 404);
    world.end().await;
}

#[tokio::test]
async fn a_page_that_was_built_for_the_root_is_shown_there() {
    let world = World::start().await;
    let (site, owner) = (world.site(&world.owner), world.owner.id());
    let dir = world.owner_dir.path().join("site");
    fs::write(dir.join("200.html"), "<script src=/app.js></script>").unwrap();
    fs::write(dir.join("app.js"), "location.pathname").unwrap();
    fs::write(
        dir.join("old.html"),
        "<script src=/sdk/goop-data.js></script>",
    )
    .unwrap();
    for (asked, location) in [
        (
            format!("/p/{owner}/deep/link?x=%20"),
            "/deep/link?x=%20".to_owned(),
        ),
        ("/old.html?x".into(), format!("/p/{owner}/old.html?x")),
        ("/".into(), format!("/p/{owner}/")),
    ] {
        let answer = world.get(&site, &asked, NAVIGATION).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (307, &*location),
            "{asked}"
        );
        assert_eq!(
            world.get(&site, &location, NAVIGATION).await.status,
            200,
            "{location}"
        );
    }
    // Scripts and pictures come from both.
    for path in ["/app.js".to_owned(), format!("/p/{owner}/app.js")] {
        assert_eq!(
            world.get(&site, &path, &[]).await.text(),
            "location.pathname"
        );
    }
    assert_eq!(
        world.get(&site, "/missing.js", NAVIGATION).await.status,
        404
    );
    world.end().await;
}

#[tokio::test]
async fn folders_lead_to_their_index_in_both_forms_of_address() {
    let world = World::start().await;
    let (site, owner) = (world.site(&world.owner), world.owner.id());
    let dir = world.owner_dir.path().join("site/docs");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("index.html"), "docs").unwrap();
    for prefix in [String::new(), format!("/p/{owner}")] {
        let folder = world.get(&site, &format!("{prefix}/docs?x"), &[]).await;
        assert_eq!((folder.status, folder.header("location")), (308, "docs/?x"));
        assert_eq!(
            world
                .get(&site, &format!("{prefix}/docs/"), &[])
                .await
                .text(),
            "docs"
        );
    }
    world.end().await;
}

#[tokio::test]
async fn parts_and_versions_of_files_pass_between_browser_and_owner() {
    let world = World::start().await;
    let site = world.site(&world.owner);
    fs::write(world.owner_dir.path().join("site/a.bin"), "0123456789").unwrap();
    let part = world.get(&site, "/a.bin", &[("Range", "bytes=2-4")]).await;
    assert_eq!((part.status, part.text().as_str()), (206, "234"));
    assert_eq!(part.header("content-range"), "bytes 2-4/10");
    let none = world.get(&site, "/a.bin", &[("Range", "bytes=10-")]).await;
    assert_eq!(
        (none.status, none.header("content-range")),
        (416, "bytes */10")
    );
    let tag = part.header("etag").to_owned();
    let same = world.get(&site, "/a.bin", &[("If-None-Match", &tag)]).await;
    assert_eq!((same.status, same.body.len()), (304, 0));
    assert_eq!(same.header("cache-control"), "no-cache");
    fs::write(world.owner_dir.path().join("site/a.bin"), "abcdefghij").unwrap();
    let changed = world
        .get(
            &site,
            "/a.bin",
            &[("Range", "bytes=2-4"), ("If-Range", &tag)],
        )
        .await;
    assert_eq!(
        (changed.status, changed.text().as_str()),
        (200, "abcdefghij")
    );
    world.end().await;
}
