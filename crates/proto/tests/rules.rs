//! `_headers` and `_redirects`: what an author writes, and what a stranger makes of it.
#![allow(clippy::unwrap_used)]

use goop2_proto::web::rules::{
    Fault, MAX_BYTES, MAX_RULES, Problem,
    headers::Headers,
    redirects::{Action, Redirects},
};
use http::{HeaderMap, StatusCode};
use proptest::prelude::*;

fn rules(file: &str) -> Redirects {
    let (rules, problems) = Redirects::parse(file.as_bytes());
    assert_eq!(problems, [], "{file}");
    rules
}

/// What a request gets when nothing is at its address.
fn go(file: &str, uri: &str) -> Option<(u16, String)> {
    go_where(file, uri, &|_| false)
}

fn go_where(file: &str, uri: &str, exists: &dyn Fn(&str) -> bool) -> Option<(u16, String)> {
    let (path, query) = match uri.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (uri, None),
    };
    let clean = match path.trim_end_matches('/') {
        "" => "/",
        path => path,
    };
    rules(file)
        .action(clean, path, query, exists)
        .map(|action| match action {
            Action::Redirect(status, location) => (status.as_u16(), location),
            Action::Rewrite(status, path) => (status.as_u16(), format!("show {path}")),
        })
}

#[test]
fn where_rules_lead() {
    for (file, uri, status, to) in [
        ("/a /b", "/a", 301, "b"),
        ("/a /b", "/a/", 301, "../b"),
        ("/a/ /b", "/a", 301, "b"),
        ("/a /b 302", "/a?x=1", 302, "b?x=1"),
        ("/a /b?y=2 303", "/a?x=1", 303, "b?y=2"),
        ("/a /b#c 307", "/a?x", 307, "b?x#c"),
        ("/a / 308", "/a", 308, "./"),
        ("/a/b/c /x/y 301", "/a/b/c", 301, "../../x/y"),
        ("/a/b /", "/a/b", 301, "../"),
        ("/a /c:d", "/a", 301, "./c:d"),
        (
            "/blog/* /news/:splat",
            "/blog/2026/x",
            301,
            "../../news/2026/x",
        ),
        ("/blog/* /news/:splat", "/blog", 301, "news/"),
        ("/:y/:m /a-:m-:y.html", "/2026/11", 301, "../a-11-2026.html"),
        (
            "/s/:q /find?q=:q&x=1",
            "/s/a&b=c",
            301,
            "../find?q=a%26b%3Dc&x=1",
        ),
        ("/a https://example.org", "/a", 301, "https://example.org/"),
        (
            "/a/* https://example.org:8443/:splat 302",
            "/a/b/c",
            302,
            "https://example.org:8443/b/c",
        ),
        ("/* /index.html 200", "/users/7", 200, "show /index.html"),
        ("/app/* /app/ 200", "/app/x", 200, "show /app/"),
        ("/en/* /en/404.html 404", "/en/x", 404, "show /en/404.html"),
        ("/x/* /y%20z/:splat 200", "/x/100%", 200, "show /y z/100%"),
        ("# comment\n\n/a /b # why\r\n", "/a", 301, "b"),
        ("\u{feff}/a /b", "/a", 301, "b"),
        ("/a /b\n/a /c", "/a", 301, "b"),
        ("/a /ü", "/a", 301, "%C3%BC"),
    ] {
        assert_eq!(go(file, uri), Some((status, to.into())), "{file} {uri}");
    }
    for (file, uri) in [
        ("/a /b", "/c"),
        ("/a /b", "/A"),
        ("/a/* /b", "/ab"),
        ("", "/"),
        ("/a /b", "/a/x"),
    ] {
        assert_eq!(go(file, uri), None, "{file} {uri}");
    }
}

#[test]
fn a_file_that_exists_wins_unless_the_rule_is_forced() {
    let exists = |path: &str| path == "/a";
    assert_eq!(go_where("/a /b", "/a", &exists), None);
    assert_eq!(go_where("/* /b 200", "/a", &exists), None);
    assert_eq!(
        go_where("/a /b 301!", "/a", &exists),
        Some((301, "b".into()))
    );
    assert_eq!(
        go_where("/a /b\n/a /c 200!", "/a", &exists),
        Some((200, "show /c".into()))
    );
    assert_eq!(
        go_where("/* /index.html 200", "/b", &exists),
        Some((200, "show /index.html".into()))
    );
}

#[test]
fn loops_end() {
    for file in [
        "/a /a 301!",
        "/a /a/ 301!",
        "/* /:splat 301!",
        "/a /b 301!\n/b /a 301!",
        "/a /b\n/b /c\n/c /d\n/d /b",
        "/a /a/x\n/a/* /a/:splat/x",
    ] {
        assert_eq!(go(file, "/a"), None, "{file}");
    }
    // One that ends, and one that shows what it is.
    assert_eq!(go("/a /b\n/b /c\n/c /d", "/a"), Some((301, "b".into())));
    assert_eq!(
        go("/* /index.html 200!", "/index.html"),
        Some((200, "show /index.html".into()))
    );
    assert_eq!(
        go("/a /b\n/* /index.html 200", "/a"),
        Some((301, "b".into()))
    );
}

#[test]
fn no_value_leads_out_of_the_site() {
    for (file, uri) in [
        ("/go/* /:splat", "/go//evil.example"),
        ("/go/* /:splat", "/go///evil.example/x"),
        ("/go/* /:splat", "/go/\\evil.example"),
        ("/go/* /:splat", "/go/https://evil.example"),
        ("/* /:splat/x", "/\\\\evil.example"),
        ("/:a /:a/x", "/javascript:alert(1)"),
        ("/go/* /x:splat", "/go/\r\nset-cookie: a=b"),
    ] {
        let Some((_, location)) = go(file, uri) else {
            continue;
        };
        let scheme = location.split(['/', '?', '#']).next().unwrap();
        assert!(
            !scheme.contains(':') && !location.starts_with('/'),
            "{location}"
        );
        assert!(!location.contains(['\\', '\r', '\n', ' ']), "{location}");
    }
    for (file, uri) in [
        ("/go/* /:splat", "/go/.."),
        ("/go/* /:splat", "/go/../../api/x"),
        ("/go/* /a/.:splat", "/go/."),
        ("/go/* /:splat 200", "/go/../x"),
    ] {
        assert_eq!(go(file, uri), None, "{file} {uri}");
    }
    let file = "/go/* https://example.org/:splat";
    assert_eq!(
        go(file, "/go/@evil.example"),
        Some((301, "https://example.org/%40evil.example".into()))
    );
}

#[test]
fn what_is_not_supported_is_said_by_line() {
    let cases: &[(&str, Fault)] = &[
        ("/a", Fault::Destination),
        ("a /b", Fault::NotAPath),
        ("https://x.example/a /b", Fault::NotAPath),
        ("/a b", Fault::Destination),
        ("/a //evil.example", Fault::Destination),
        ("/a http://example.org", Fault::Destination),
        ("/a javascript://x", Fault::Destination),
        ("/a https://", Fault::Destination),
        ("/a https://user@example.org/", Fault::Destination),
        ("/* https://:splat/", Fault::Destination),
        ("/* https://x:splat/", Fault::Destination),
        ("/* https://x.:splat", Fault::Destination),
        ("/a /:b", Fault::Unknown(":b".into())),
        ("/a /x-:splat", Fault::Unknown(":splat".into())),
        ("/a /b 410", Fault::Status("410".into())),
        ("/a /b x", Fault::Status("x".into())),
        ("/a /b 301!!", Fault::Status("301!!".into())),
        (
            "/a /b 302 Country=nl",
            Fault::Condition("Country=nl".into()),
        ),
        ("/a /b Language=nl", Fault::Condition("Language=nl".into())),
        ("/a id=:id /b/:id", Fault::Condition("id=:id".into())),
        ("/a https://example.org/ 200", Fault::Proxy),
        ("/*/* /b", Fault::Pattern),
    ];
    for (line, fault) in cases {
        let file = format!("# first\n{line}\n/x /y");
        let (rules, problems) = Redirects::parse(file.as_bytes());
        let expected = Problem {
            line: 2,
            fault: fault.clone(),
        };
        assert_eq!(problems, [expected], "{line}");
        assert!(
            rules.action("/x", "/x", None, &|_| false).is_some(),
            "{line}"
        );
    }
}

#[test]
fn files_are_bounded() {
    let faults = |file: &[u8]| {
        let (_, problems) = Redirects::parse(file);
        problems
            .into_iter()
            .map(|problem| (problem.line, problem.fault))
            .collect::<Vec<_>>()
    };
    let many = "/a /b\n".repeat(MAX_RULES + 5);
    assert_eq!(
        faults(many.as_bytes()),
        [(MAX_RULES + 1, Fault::TooManyRules)]
    );
    let long = format!("/a /b\n{}\n/c /d", "#".repeat(3000));
    assert_eq!(faults(long.as_bytes()), [(2, Fault::LineTooLong)]);
    let large = "# comment\n".repeat(MAX_BYTES / 10 + 1);
    assert_eq!(
        faults(large.as_bytes()),
        [(MAX_BYTES / 10 + 1, Fault::FileTooLong)]
    );
    assert_eq!(faults(b"/a /b\n\xff /c\n"), [(2, Fault::NotText)]);
    assert_eq!(faults("x\n".repeat(1000).as_bytes()).len(), 100);
}

fn headers(file: &str, path: &str) -> Vec<(String, String)> {
    let (rules, _) = Headers::parse(file.as_bytes());
    let mut answer = HeaderMap::new();
    rules.apply(path, &mut answer);
    answer
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().into()))
        .collect()
}

#[test]
fn a_site_sets_what_harms_nobody() {
    let file = "
# Threads in wasm.
/*
  Cross-Origin-Opener-Policy: same-origin
  Cross-Origin-Embedder-Policy: require-corp
  Cache-Control: max-age=60

/assets/*
  Cache-Control: max-age=31536000, immutable
  Link: </a.css>; rel=preload
\tLink: </b.css>; rel=preload
/de/*
  Content-Language: de
  X-Robots-Tag: noindex
";
    let has = |path: &str, name: &str| -> Vec<String> {
        let headers = headers(file, path).into_iter();
        headers
            .filter(|(header, _)| header == name)
            .map(|(_, value)| value)
            .collect()
    };
    assert_eq!(has("/x", "cross-origin-opener-policy"), ["same-origin"]);
    assert_eq!(has("/", "cross-origin-embedder-policy"), ["require-corp"]);
    assert_eq!(has("/x", "cache-control"), ["max-age=60"]);
    assert_eq!(
        has("/assets/x", "cache-control"),
        ["max-age=31536000, immutable"]
    );
    assert_eq!(has("/assets/x", "link").len(), 2);
    assert_eq!(has("/de", "content-language"), ["de"]);
    assert_eq!(has("/de/x", "x-robots-tag"), ["noindex"]);
    assert_eq!(has("/x", "link"), [""; 0]);
    let (_, problems) = Headers::parse(file.as_bytes());
    assert_eq!(problems, []);
}

#[test]
fn the_headers_that_protect_visitors_are_not_the_authors() {
    for line in [
        "Content-Security-Policy: default-src *",
        "Content-Security-Policy-Report-Only: x",
        "Set-Cookie: a=b",
        "Access-Control-Allow-Origin: *",
        "Content-Type: text/html",
        "Content-Length: 5",
        "Content-Encoding: gzip",
        "Transfer-Encoding: chunked",
        "Location: https://evil.example",
        "Refresh: 0",
        "Clear-Site-Data: *",
        "Permissions-Policy: camera=*",
        "Referrer-Policy: unsafe-url",
        "Service-Worker-Allowed: /",
        "Origin-Agent-Cluster: ?0",
        "X-Frame-Options: DENY",
        "Goop-Address: peer",
        "Vary: *",
        "ETag: x",
        "Na me: x",
        ": x",
    ] {
        let file = format!("/*\n  {line}\n");
        let name = line.split_once(':').unwrap().0;
        let (_, problems) = Headers::parse(file.as_bytes());
        assert_eq!(
            problems,
            [Problem {
                line: 2,
                fault: Fault::Header(name.into())
            }],
            "{line}"
        );
        assert_eq!(headers(&file, "/"), [], "{line}");
    }
    let cases: &[(&str, usize, Fault)] = &[
        (
            "/*\n  Cross-Origin-Opener-Policy: none",
            2,
            Fault::Value("Cross-Origin-Opener-Policy".into()),
        ),
        (
            "/*\n  Cache-Control:",
            2,
            Fault::Value("Cache-Control".into()),
        ),
        (
            "/*\n  Cache-Control: a\rb: c",
            2,
            Fault::Value("Cache-Control".into()),
        ),
        (
            "/*\n  Cache-Control: ü",
            2,
            Fault::Value("Cache-Control".into()),
        ),
        ("/*\n  ! Cache-Control", 2, Fault::NotARule),
        ("  Cache-Control: x", 1, Fault::NoAddress),
        (
            "https://x.example/*\n  Cache-Control: x",
            1,
            Fault::NotAPath,
        ),
        ("/a b\n  Cache-Control: x", 1, Fault::NotARule),
        ("/*/*\n  Cache-Control: x", 1, Fault::Pattern),
    ];
    for (file, line, fault) in cases {
        let (_, problems) = Headers::parse(file.as_bytes());
        assert_eq!(
            problems,
            [Problem {
                line: *line,
                fault: fault.clone()
            }],
            "{file:?}"
        );
        assert_eq!(headers(file, "/a"), [], "{file:?}");
    }
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(file in "([/*:! #a\n\t]|https://|200|=|cache-control: |%|ü)*", path in "/[a/:ü\\\\?#.]{0,12}") {
        let (rules, _) = Redirects::parse(file.as_bytes());
        if let Some(Action::Redirect(_, location)) = rules.action(&path, &path, Some("a"), &|_| false) {
            prop_assert!(http::HeaderValue::from_str(&location).is_ok());
        }
        headers(&file, &path);
        Redirects::parse(&file.bytes().map(|byte| byte ^ 0x80).collect::<Vec<_>>());
    }

    /// Whatever a stranger asks for, a redirect into the site stays in it, as a browser reads it.
    #[test]
    fn a_redirect_into_the_site_stays_in_it(
        from in prop::sample::select(vec!["/go/*", "/*", "/:a", "/go/:a/*", "/*/end"]),
        to in prop::sample::select(vec!["/:splat", "/x/:splat", "/:splat/y", "/:splat:splat", "/:a", "/:a:splat", "/:a/:splat", "/x?:splat#:splat"]),
        path in "(/(go|end|[a.:@\\\\%?# ]{0,3}|%2e%2e|evil\\.example))+",
    ) {
        let (rules, _) = Redirects::parse(format!("{from} {to} 302!").as_bytes());
        // As the server cleans it, and as a client could write it.
        let clean: Vec<_> = path.split('/').filter(|part| !part.is_empty() && *part != "." && *part != "..").collect();
        let clean = format!("/{}", clean.join("/"));
        if let Some(Action::Redirect(status, location)) = rules.action(&clean, &path, None, &|_| false) {
            prop_assert_eq!(status, StatusCode::FOUND);
            prop_assert!(!location.starts_with('/') && !location.contains(['\\', ' ']));
            let path_of = location.split(['?', '#']).next().unwrap();
            prop_assert!(!path_of.split('/').next().unwrap().contains(':'));
            // It goes up exactly to the root of the site, never beyond.
            let depth = path.matches('/').count() - 1;
            let ups = path_of.split('/').filter(|part| part.to_lowercase().replace("%2e", ".") == "..").count();
            prop_assert_eq!(ups, depth);
        }
    }
}
