//! Whatever a stranger asks for over HTTP, and whatever the author's rules make of it, nothing is
//! answered from what is private or lies outside the site.
#![allow(clippy::unwrap_used)]

mod common;

use std::{fs, sync::LazyLock};

use common::web::Web;
use http::Uri;
use proptest::prelude::*;

const SECRET: &str = "a secret that nobody may read";

/// A site among secrets, with rules that pass on whatever was asked for.
static WEB: LazyLock<Web> = LazyLock::new(|| {
    let web = Web::new(&[
        ("index.html", "top"),
        ("a/index.html", "a"),
        ("a/b.txt", "b"),
        ("luau/x.txt", "x"),
        (".git/config", SECRET),
        ("a/.env", SECRET),
        (".hidden.html", SECRET),
        ("lua/x.lua", SECRET),
        ("lua/index.html", SECRET),
        ("_headers", "/*\n  X-Robots-Tag: none\n"),
        (
            "_redirects",
            "/r/* /:splat 200\n/n/* /:splat 404\n/s/:a /:a/x.lua 200\n/m/* /:splat\n/h/* /.:splat 200\n",
        ),
    ]);
    for name in ["secret.txt", "index.html", "data/secret.txt"] {
        fs::create_dir_all(web.dir.path().join("data")).unwrap();
        fs::write(web.dir.path().join(name), SECRET).unwrap();
    }
    #[cfg(unix)]
    for (name, target) in [
        ("out", ".."),
        ("a/out", "../../data"),
        ("hidden", ".git"),
        ("scripts", "lua"),
        ("script.txt", "lua/x.lua"),
        ("rules.txt", "_redirects"),
        ("absolute", "/etc"),
    ] {
        std::os::unix::fs::symlink(target, web.path(name)).unwrap();
    }
    web
});

fn uri() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "/",
        "/",
        "/",
        "//",
        "%2f",
        "%2F",
        "\\",
        "%5c",
        ".",
        "..",
        "%2e%2e",
        "%2E.",
        "%252e",
        "a",
        "b.txt",
        "out",
        "hidden",
        "scripts",
        "script.txt",
        "rules.txt",
        "absolute",
        "lua",
        "LUA",
        "%6cua",
        "luau",
        "x.lua",
        "x.txt",
        ".git",
        "%2egit",
        "git",
        "config",
        ".env",
        "env",
        "index.html",
        "secret.txt",
        "data",
        "_headers",
        "_redirects",
        "%5fheaders",
        "r",
        "n",
        "s",
        "m",
        "h",
        "?",
        "%00",
        "%0d%0a",
        "%20",
        "+",
        ":",
        "~1",
        "%",
        "hidden.html",
        "identity.key",
        "goop.json",
    ]);
    prop::collection::vec(pieces, 1..10).prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn nothing_private_is_answered(uri in uri()) {
        prop_assume!(uri.parse::<Uri>().is_ok());
        let answer = WEB.get(&uri);
        let text = String::from_utf8_lossy(&answer.bytes);
        prop_assert!(!text.contains(SECRET) && !text.contains(":splat") && !text.contains("X-Robots"), "{}", uri);
        prop_assert!([200, 301, 308, 400, 403, 404].contains(&answer.status), "{} {}", uri, answer.status);
        if let Some(location) = answer.header("location") {
            // As a browser reads it: a relative address, on the same host.
            prop_assert!(!location.starts_with('/') && !location.contains('\\'), "{} {}", uri, location);
            prop_assert!(!location.split(['/', '?', '#']).next().unwrap().contains(':'), "{} {}", uri, location);
        }
        let sent = answer.header("content-length").map(|len| len.parse().unwrap());
        prop_assert_eq!(sent, Some(answer.bytes.len()), "{}", uri);
    }
}

#[cfg(unix)]
#[test]
fn the_secrets_are_where_the_requests_look() {
    // The same requests find what is public, so the rules do pass them on.
    WEB.get("/r/a/b.txt").is(200, "b");
    WEB.get("/n/a/b.txt").is(404, "b");
    WEB.get("/m/a/b.txt").header("location").unwrap();
    for uri in [
        "/out/secret.txt",
        "/a/out/secret.txt",
        "/r/out/secret.txt",
        "/h/git/config",
        "/h/hidden.html",
        "/rules.txt",
    ] {
        assert_eq!(WEB.get(uri).status, 404, "{uri}");
    }
    for path in [
        "out/secret.txt",
        "a/out/secret.txt",
        "hidden/config",
        "scripts/x.lua",
        "script.txt",
    ] {
        assert_eq!(fs::read_to_string(WEB.path(path)).unwrap(), SECRET);
    }
}
