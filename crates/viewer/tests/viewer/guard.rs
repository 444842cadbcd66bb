//! Who may request what from which origin.

use crate::world::{Case, Headers, NAVIGATION, World};

const CROSS: (&str, &str) = ("Sec-Fetch-Site", "cross-site");
const SAME_SITE: (&str, &str) = ("Sec-Fetch-Site", "same-site");
const SAME_ORIGIN: (&str, &str) = ("Sec-Fetch-Site", "same-origin");
const LINK: (&str, &str) = ("Sec-Fetch-Mode", "navigate");

#[tokio::test]
async fn only_the_names_of_the_viewer_get_an_answer() {
    let world = World::start().await;
    let (port, token) = (world.port(), world.token());
    let with_token = ("Authorization", token.as_str());
    let other_port = world.control().replace(&port.to_string(), "1");
    let any_name = format!("evil.example:{port}");
    let by_name = format!("localhost:{port}");
    let six = format!("[::1]:{port}");
    let no_peer = format!("nobody.localhost:{port}");
    let table: &[Case<'_>] = &[
        (&any_name, "GET /", &[], 421),
        (&any_name, "GET /api/session", &[with_token], 421),
        (&no_peer, "GET /", &[], 421),
        (&other_port, "GET /", &[], 421),
        ("127.0.0.1", "GET /", &[], 421),
        ("", "GET /", &[], 421),
        (&six, "GET /", &[], 307),
        (&six, "GET /api/session", &[with_token], 200),
        (&by_name, "GET /", &[], 307),
        (&by_name, "GET /api/session", &[with_token], 200),
    ];
    world.check(table).await;
    world.end().await;
}

#[tokio::test]
async fn the_users_api_needs_the_token() {
    let world = World::start().await;
    let (control, token) = (&*world.control(), world.token());
    let with_token = ("Authorization", token.as_str());
    let secret = token.strip_prefix("Bearer ").unwrap();
    let cookie = format!("goop2-{}={secret}", world.port());
    let data = format!("GET /api/p/{}/data/tables", world.owner.id());
    let table: &[Case<'_>] = &[
        (control, "GET /api/session", &[], 401),
        (
            control,
            "GET /api/session",
            &[("Authorization", "Bearer x")],
            401,
        ),
        (control, "GET /api/unknown", &[], 401),
        (control, "GET /api/peers/events", &[], 401),
        (control, "GET /api/data/tables", &[], 401),
        (control, "POST /api/data/query", &[], 401),
        (control, &data, &[], 401),
        (control, "GET /api/session", &[with_token], 200),
        // A cookie of 127.0.0.1 is sent to every server there.
        (control, "GET /api/session", &[("Cookie", &cookie)], 401),
        (control, "GET /api/unknown", &[with_token], 404),
        (control, "POST /api/session", &[with_token], 405),
    ];
    world.check(table).await;
    world.end().await;
}

#[tokio::test]
async fn pages_of_other_origins_may_only_link_to_the_users_origin() {
    let world = World::start().await;
    let (control, token) = (&*world.control(), world.token());
    let with_token = ("Authorization", token.as_str());
    let own = format!("http://{control}");
    let own = ("Origin", own.as_str());
    let site = format!("http://{}", world.site(&world.owner));
    let site = ("Origin", site.as_str());
    let page = format!("GET /p/{}/", world.owner.id());
    let mode = |value| ("Sec-Fetch-Mode", value);
    let dest = |value| ("Sec-Fetch-Dest", value);
    let image: Headers<'_> = &[CROSS, mode("no-cors"), dest("image")];
    let table: &[Case<'_>] = &[
        (control, "GET /api/session", &[with_token, own], 200),
        (control, "GET /api/session", &[with_token, site], 403),
        (
            control,
            "GET /api/session",
            &[with_token, ("Origin", "null")],
            403,
        ),
        (control, "GET /api/session", &[with_token, CROSS], 403),
        (control, "GET /api/session", &[with_token, SAME_SITE], 403),
        (control, "GET /api/session", &[with_token, CROSS, LINK], 403),
        (control, &page, image, 403),
        (control, &page, &[CROSS, LINK, dest("document")], 307),
    ];
    world.check(table).await;
    world.end().await;
}

#[tokio::test]
async fn pages_of_other_origins_may_only_link_to_a_site() {
    let world = World::start().await;
    let site = &*world.site(&world.owner);
    let page = &*format!("GET /p/{}/", world.owner.id());
    let data = &*format!("GET /api/p/{}/data/tables", world.owner.id());
    let own = format!("http://{site}");
    let control = format!("http://{}", world.control());
    let fetched: Headers<'_> = &[
        CROSS,
        ("Sec-Fetch-Mode", "cors"),
        ("Sec-Fetch-Dest", "empty"),
    ];
    let table: &[Case<'_>] = &[
        (site, page, &[], 200),
        (site, page, NAVIGATION, 200),
        (
            site,
            page,
            &[CROSS, LINK, ("Sec-Fetch-Dest", "iframe")],
            200,
        ),
        (site, page, fetched, 403),
        (
            site,
            page,
            &[("Service-Worker", "script"), SAME_ORIGIN],
            403,
        ),
        (site, &page.replace("GET", "POST"), &[], 405),
        (site, data, &[SAME_ORIGIN], 200),
        (site, data, &[("Origin", &own)], 200),
        (site, data, &[("Origin", &control)], 403),
        (site, data, &[CROSS, LINK], 403),
    ];
    world.check(table).await;
    world.end().await;
}

#[tokio::test]
async fn a_site_has_its_own_data_and_nothing_of_the_user_or_of_others() {
    let world = World::start().await;
    let (site, visitor) = (&*world.site(&world.owner), world.visitor.id());
    let token = world.token();
    let with_token = ("Authorization", token.as_str());
    let strangers_data = &*format!("GET /api/p/{visitor}/data/tables");
    let strangers_page = format!("GET /p/{visitor}/");
    let table: &[Case<'_>] = &[
        (site, strangers_data, &[], 403),
        (site, strangers_data, &[with_token], 403),
        (site, &strangers_page, &[("Sec-Fetch-Mode", "cors")], 403),
        (site, "GET /api/p/nobody/data/tables", &[], 400),
        (site, "GET /api/self", &[], 200),
        (site, "POST /api/self", &[], 405),
        (site, "GET /api/peers", &[], 200),
        // The user's API is not there, with or without the token
        (site, "GET /api/session", &[with_token], 404),
        (site, "GET /api/snapshot", &[with_token], 404),
        (site, "GET /api/events", &[with_token], 404),
        (site, "GET /api/peers/events", &[with_token], 404),
        (site, "GET /api/data/tables", &[with_token], 404),
        (site, "POST /api/place", &[with_token], 404),
    ];
    world.check(table).await;
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
async fn the_printed_address_opens_the_window_and_sets_no_cookie() {
    let world = World::start().await;
    let url = world.viewer.open_url();
    let path = url
        .strip_prefix(&format!("http://{}", world.control()))
        .unwrap();
    let answer = world.get(&world.control(), path, NAVIGATION).await;
    let plain = world.get(&world.control(), "/", NAVIGATION).await;
    assert_eq!((answer.status, answer.text()), (plain.status, plain.text()));
    assert_eq!(answer.header("set-cookie"), "");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");

    let wrong = world
        .get(&world.control(), "/?token=0123", NAVIGATION)
        .await;
    assert_eq!((wrong.status, wrong.header("set-cookie")), (403, ""));
    assert!(wrong.text().contains("earlier run"));
    world.end().await;
}

#[tokio::test]
async fn a_site_has_a_policy_for_browsers() {
    let world = World::start().await;
    let (port, page) = (world.port(), format!("/p/{}/", world.owner.id()));
    let host = world.site(&world.owner);
    let site = world.get(&host, &page, NAVIGATION).await;
    assert_eq!(
        site.header("content-security-policy"),
        format!(
            "default-src 'self' https://* data: blob: 'unsafe-inline' 'unsafe-eval'; connect-src 'self' https://* wss://* data: blob:; \
             frame-src 'self' https://*; object-src 'self'; base-uri 'self'; form-action 'self'; \
             frame-ancestors 'self' http://127.0.0.1:{port} http://localhost:{port} tauri://localhost \
             http://tauri.localhost https://tauri.localhost; report-uri /api/denied"
        )
    );
    for (name, value) in [
        ("referrer-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("origin-agent-cluster", "?1"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-cache"),
        ("x-dns-prefetch-control", "off"),
    ] {
        assert_eq!(site.header(name), value);
    }
    let features =
        "camera microphone geolocation usb serial bluetooth midi display-capture payment";
    for feature in features.split(' ') {
        let none = format!("{feature}=()");
        assert!(site.header("permissions-policy").contains(&none), "{none}");
    }
    world.end().await;
}

#[tokio::test]
async fn the_users_origin_has_a_policy_for_browsers() {
    let world = World::start().await;
    let port = world.port();
    let control = world.get(&world.control(), "/", NAVIGATION).await;
    assert_eq!(
        control.header("content-security-policy"),
        format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
             frame-src http://*.localhost:{port} http://127.0.0.1:{port}/p/ http://localhost:{port}/p/ mailto: tel:; \
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
