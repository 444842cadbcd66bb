//! Who may request what from which origin.

use crate::world::{Headers, NAVIGATION, World};

#[tokio::test]
async fn only_the_right_host_origin_and_token_get_an_answer() {
    let world = World::start().await;
    let (control, site) = (world.control(), world.site(&world.owner));
    let own = format!("/p/{}/", world.owner.id());
    let data = format!("/api/p/{}/data/tables", world.owner.id());
    let stranger_data = format!("/api/p/{}/data/tables", world.visitor.id());
    let stranger_page = format!("/p/{}/", world.visitor.id());
    let token = world.token();
    let cookie = format!(
        "goop2-{}={}",
        world.port(),
        token.strip_prefix("Bearer ").unwrap()
    );
    let (control_origin, site_origin) = (format!("http://{control}"), format!("http://{site}"));
    let with_token = ("Authorization", token.as_str());
    let cross = ("Sec-Fetch-Site", "cross-site");
    let same_site = ("Sec-Fetch-Site", "same-site");
    let other_port = control.replace(&world.port().to_string(), "1");
    let any_name = format!("evil.example:{}", world.port());
    let by_name = format!("localhost:{}", world.port());
    let six = format!("[::1]:{}", world.port());
    let no_peer = format!("nobody.localhost:{}", world.port());

    let table: &[(&str, &str, &str, Headers<'_>, u16)] = &[
        // Host
        ("GET", &any_name, "/", &[], 421),
        ("GET", &any_name, "/api/session", &[with_token], 421),
        ("GET", &no_peer, "/", &[], 421),
        ("GET", &other_port, "/", &[], 421),
        ("GET", "127.0.0.1", "/", &[], 421),
        ("GET", "", "/", &[], 421),
        ("GET", &six, "/", &[], 307),
        ("GET", &six, "/api/session", &[with_token], 200),
        ("GET", &by_name, "/", &[], 307),
        ("GET", &by_name, "/api/session", &[with_token], 200),
        // Token
        ("GET", &control, "/api/session", &[], 401),
        (
            "GET",
            &control,
            "/api/session",
            &[("Authorization", "Bearer x")],
            401,
        ),
        ("GET", &control, "/api/unknown", &[], 401),
        ("GET", &control, "/api/peers/events", &[], 401),
        ("GET", &control, "/api/data/tables", &[], 401),
        ("POST", &control, "/api/data/query", &[], 401),
        ("GET", &control, &data, &[], 401),
        ("GET", &control, "/api/session", &[with_token], 200),
        ("GET", &control, "/api/session", &[("Cookie", &cookie)], 200),
        ("GET", &control, "/api/unknown", &[with_token], 404),
        ("POST", &control, "/api/session", &[with_token], 405),
        // Origin and fetch metadata of the user's own origin
        (
            "GET",
            &control,
            "/api/session",
            &[with_token, ("Origin", &control_origin)],
            200,
        ),
        (
            "GET",
            &control,
            "/api/session",
            &[with_token, ("Origin", &site_origin)],
            403,
        ),
        (
            "GET",
            &control,
            "/api/session",
            &[with_token, ("Origin", "null")],
            403,
        ),
        ("GET", &control, "/api/session", &[with_token, cross], 403),
        (
            "GET",
            &control,
            "/api/session",
            &[with_token, same_site],
            403,
        ),
        (
            "GET",
            &control,
            "/api/session",
            &[with_token, cross, ("Sec-Fetch-Mode", "navigate")],
            403,
        ),
        (
            "GET",
            &control,
            &own,
            &[
                cross,
                ("Sec-Fetch-Mode", "no-cors"),
                ("Sec-Fetch-Dest", "image"),
            ],
            403,
        ),
        (
            "GET",
            &control,
            &own,
            &[
                cross,
                ("Sec-Fetch-Mode", "navigate"),
                ("Sec-Fetch-Dest", "document"),
            ],
            307,
        ),
        // A site's origin
        ("GET", &site, &own, &[], 200),
        ("GET", &site, &own, NAVIGATION, 200),
        (
            "GET",
            &site,
            &own,
            &[
                cross,
                ("Sec-Fetch-Mode", "navigate"),
                ("Sec-Fetch-Dest", "iframe"),
            ],
            200,
        ),
        (
            "GET",
            &site,
            &own,
            &[
                cross,
                ("Sec-Fetch-Mode", "cors"),
                ("Sec-Fetch-Dest", "empty"),
            ],
            403,
        ),
        (
            "GET",
            &site,
            &own,
            &[
                ("Service-Worker", "script"),
                ("Sec-Fetch-Site", "same-origin"),
            ],
            403,
        ),
        ("POST", &site, &own, &[], 405),
        (
            "GET",
            &site,
            &data,
            &[("Sec-Fetch-Site", "same-origin")],
            200,
        ),
        ("GET", &site, &data, &[("Origin", &site_origin)], 200),
        ("GET", &site, &data, &[("Origin", &control_origin)], 403),
        (
            "GET",
            &site,
            &data,
            &[cross, ("Sec-Fetch-Mode", "navigate")],
            403,
        ),
        ("GET", &site, &stranger_data, &[], 403),
        ("GET", &site, &stranger_data, &[with_token], 403),
        (
            "GET",
            &site,
            &stranger_page,
            &[("Sec-Fetch-Mode", "cors")],
            403,
        ),
        ("GET", &site, "/api/p/nobody/data/tables", &[], 400),
        ("GET", &site, "/api/self", &[], 200),
        ("POST", &site, "/api/self", &[], 405),
        ("GET", &site, "/api/peers", &[], 200),
        // The user's API is not there, with or without the token
        ("GET", &site, "/api/session", &[with_token], 404),
        ("GET", &site, "/api/snapshot", &[with_token], 404),
        ("GET", &site, "/api/events", &[with_token], 404),
        ("GET", &site, "/api/peers/events", &[with_token], 404),
        ("GET", &site, "/api/data/tables", &[with_token], 404),
        ("POST", &site, "/api/place", &[with_token], 404),
    ];
    for (method, host, path, headers, status) in table {
        let answer = world.send(method, host, path, headers, "").await;
        assert_eq!(
            answer.status,
            *status,
            "{method} {host} {path} {headers:?}: {}",
            answer.text()
        );
        assert!(
            !answer
                .header_names()
                .any(|name| name.starts_with("access-control-")),
            "{path}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_ne!(answer.header("content-security-policy"), "", "{path}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_request_has_one_host_and_cannot_name_another_in_its_first_line() {
    let world = World::start().await;
    let control = world.control();
    assert_eq!(
        world
            .raw("GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
            .await
            .status,
        400
    );
    assert_eq!(
        world
            .raw(&format!(
                "GET / HTTP/1.1\r\nHost: {control}\r\nHost: {control}\r\nConnection: close\r\n\r\n"
            ))
            .await
            .status,
        400
    );
    let absolute = format!(
        "GET http://evil.example/api/session HTTP/1.1\r\nHost: {control}\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(world.raw(&absolute).await.status, 421);
    world.end().await;
}

#[tokio::test]
async fn the_printed_address_leaves_a_cookie_and_no_token_in_the_address_bar() {
    let world = World::start().await;
    let url = world.viewer.open_url();
    let path = url
        .strip_prefix(&format!("http://{}", world.control()))
        .unwrap();
    let answer = world.get(&world.control(), path, NAVIGATION).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/"));
    let cookie = answer.header("set-cookie");
    assert!(
        cookie.starts_with(&format!("goop2-{}=", world.port())),
        "{cookie}"
    );
    assert!(
        cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"),
        "{cookie}"
    );

    let wrong = world
        .get(&world.control(), "/?token=0123", NAVIGATION)
        .await;
    assert_eq!((wrong.status, wrong.header("set-cookie")), (403, ""));
    assert!(wrong.text().contains("earlier run"));
    world.end().await;
}

#[tokio::test]
async fn each_origin_has_a_policy_for_browsers() {
    let world = World::start().await;
    let port = world.port();
    let site = world
        .get(
            &world.site(&world.owner),
            &format!("/p/{}/", world.owner.id()),
            NAVIGATION,
        )
        .await;
    let expected = [
        (
            "content-security-policy",
            format!(
                "default-src 'self' https://* data: blob: 'unsafe-inline' 'unsafe-eval'; connect-src 'self' https://* wss://* data: blob:; \
                 frame-src 'self' https://*; object-src 'none'; base-uri 'self'; form-action 'self'; \
                 frame-ancestors 'self' http://127.0.0.1:{port} http://localhost:{port} tauri://localhost \
                 http://tauri.localhost https://tauri.localhost; report-uri /api/denied"
            ),
        ),
        ("referrer-policy", "same-origin".into()),
        ("cross-origin-resource-policy", "same-origin".into()),
        ("cross-origin-opener-policy", "same-origin".into()),
        ("origin-agent-cluster", "?1".into()),
        ("x-content-type-options", "nosniff".into()),
        ("cache-control", "no-store".into()),
        ("x-dns-prefetch-control", "off".into()),
    ];
    for (name, value) in expected {
        assert_eq!(site.header(name), value);
    }
    for feature in [
        "camera",
        "microphone",
        "geolocation",
        "usb",
        "serial",
        "bluetooth",
        "midi",
        "display-capture",
        "payment",
    ] {
        assert!(
            site.header("permissions-policy")
                .contains(&format!("{feature}=()")),
            "{feature}"
        );
    }
    let control = world.get(&world.control(), "/", NAVIGATION).await;
    assert_eq!(
        control.header("content-security-policy"),
        format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
             frame-src http://*.localhost:{port} http://127.0.0.1:{port}/p/ http://localhost:{port}/p/; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
    );
    assert_eq!(control.header("referrer-policy"), "no-referrer");
    world.end().await;
}

#[tokio::test]
async fn an_owner_may_allow_sources_to_their_own_site_only() {
    let world = World::start().await;
    let source = "http://192.168.1.20:8123";
    let set = async |sources: &[&str]| {
        let sources = sources.iter().map(ToString::to_string).collect();
        let change = move |config: &mut goop2_peer::Config| config.viewer.site_sources = sources;
        world.visitor.update_config(change).await
    };
    for refused in [
        "http://a;script-src",
        "http://*",
        "http://a/b",
        "ftp://a",
        "'none'",
        "http://[::1]",
    ] {
        assert!(set(&[refused]).await.is_err(), "{refused}");
    }
    set(&[source]).await.unwrap();
    for (peer, may) in [(&world.visitor, true), (&world.owner, false)] {
        let site = world
            .get(&world.site(peer), &format!("/p/{}/", peer.id()), NAVIGATION)
            .await;
        let policy = site.header("content-security-policy");
        for rule in ["default-src", "connect-src", "frame-src"] {
            let rule = policy
                .split("; ")
                .find(|part| part.starts_with(rule))
                .unwrap();
            assert_eq!(rule.contains(source), may, "{rule}");
        }
    }
    world.end().await;
}
