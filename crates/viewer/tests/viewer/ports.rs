//! Sites at their own ports, for a window in which names don't resolve.

use std::{collections::HashSet, fs};

use goop2_proto::PeerId;
use goop2_viewer::ports::MAX_SITES;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::world::{Headers, NAVIGATION, World};

const FRAME: Headers<'_> = &[
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Dest", "iframe"),
    ("Sec-Fetch-Site", "cross-site"),
    ("Accept", "text/html,*/*"),
];

/// `localhost:<port>` of this peer's site.
async fn host_of(world: &World, peer: PeerId) -> String {
    let (status, answer) = world
        .ask("POST", "/api/origin", json!({ "peer": peer.to_base58() }))
        .await;
    assert_eq!(status, 200, "{answer}");
    let origin = answer["origin"].as_str().unwrap();
    origin.strip_prefix("http://").unwrap().to_owned()
}

/// The ports that the window's policy names.
async fn framed(world: &World, headers: Headers<'_>) -> HashSet<u16> {
    let answer = world.get(&world.control(), "/?ports", headers).await;
    let policy = answer.header("content-security-policy");
    assert!(!policy.contains("localhost:*"), "{policy}");
    policy
        .split([' ', ';'])
        .filter_map(|source| source.strip_prefix("http://localhost:")?.parse().ok())
        .collect()
}

#[tokio::test]
async fn a_port_is_one_peers_site_and_nothing_else() {
    let world = World::start().await;
    let (owner, visitor) = (world.owner.id(), world.visitor.id());
    let site = host_of(&world, owner).await;
    let other = host_of(&world, visitor).await;
    assert_ne!(site, other);
    assert_eq!(host_of(&world, owner).await, site);
    let port: u16 = site.strip_prefix("localhost:").unwrap().parse().unwrap();
    let page = format!("/p/{owner}/");
    let data = format!("/api/p/{owner}/data/tables");
    let token = world.token();
    let with_token = ("Authorization", token.as_str());
    let (own, others) = (format!("http://{site}"), format!("http://{other}"));
    let control = format!("http://{}", world.control());
    let unused = format!(
        "localhost:{}",
        *framed(&world, &[with_token])
            .await
            .iter()
            .find(|open| ![&site, &other].contains(&&format!("localhost:{open}")))
            .unwrap()
    );

    let table: &[(&str, &str, &str, Headers<'_>, u16)] = &[
        ("GET", &site, &page, FRAME, 200),
        ("GET", &site, &page, NAVIGATION, 200),
        ("GET", &site, "/a/b%20c.css", &[], 200),
        (
            "GET",
            &site,
            &data,
            &[("Sec-Fetch-Site", "same-origin")],
            200,
        ),
        ("GET", &site, &data, &[("Origin", &own)], 200),
        // Other names of the port, and ports without a site
        ("GET", &format!("127.0.0.1:{port}"), &page, NAVIGATION, 421),
        ("GET", &format!("[::1]:{port}"), &page, NAVIGATION, 421),
        (
            "GET",
            &format!("evil.example:{port}"),
            &page,
            NAVIGATION,
            421,
        ),
        (
            "GET",
            &world
                .site(&world.owner)
                .replace(&world.port().to_string(), &port.to_string()),
            &page,
            NAVIGATION,
            421,
        ),
        ("GET", &unused, "/", NAVIGATION, 421),
        // Another port is another origin, though the same site
        ("GET", &site, &data, &[("Origin", &others)], 403),
        ("GET", &site, &data, &[("Origin", &control)], 403),
        ("GET", &site, &data, &[("Sec-Fetch-Site", "same-site")], 403),
        (
            "GET",
            &site,
            &page,
            &[("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Mode", "cors")],
            403,
        ),
        (
            "GET",
            &world.control(),
            "/api/session",
            &[with_token, ("Origin", &own)],
            403,
        ),
        // Another peer
        ("GET", &site, &format!("/p/{visitor}/"), &[], 403),
        (
            "GET",
            &site,
            &format!("/api/p/{visitor}/data/tables"),
            &[with_token],
            403,
        ),
        // The user's API is not there
        ("GET", &site, "/api/session", &[with_token], 404),
        ("GET", &site, "/api/events", &[with_token], 404),
        ("GET", &site, "/api/data/tables", &[with_token], 404),
        ("POST", &site, "/api/origin", &[with_token], 404),
        ("POST", &world.control(), "/api/origin", &[], 401),
    ];
    for (method, host, path, headers, status) in table {
        let answer = world.send(method, host, path, headers, "").await;
        assert_eq!(
            answer.status,
            *status,
            "{method} {host} {path} {headers:?}: {}",
            answer.text()
        );
    }
    assert_eq!(
        world
            .ask("POST", "/api/origin", json!({ "peer": "x" }))
            .await
            .0,
        400
    );
    let named = world
        .get(&world.site(&world.owner), &page, NAVIGATION)
        .await;
    let ported = world.get(&site, &page, NAVIGATION).await;
    for name in [
        "content-security-policy",
        "permissions-policy",
        "cross-origin-resource-policy",
        "cache-control",
    ] {
        assert_eq!(ported.header(name), named.header(name));
    }
    // The port itself answers, on both loopback addresses like the main one.
    for address in ["127.0.0.1", "::1"] {
        if address == "::1" && TcpStream::connect(("::1", world.port())).await.is_err() {
            continue;
        }
        TcpStream::connect((address, port)).await.unwrap();
    }
    world.end().await;
}

#[tokio::test]
async fn the_first_document_at_a_port_clears_what_an_earlier_run_stored() {
    let world = World::start().await;
    let page = format!("/p/{}/", world.owner.id());
    let site = host_of(&world, world.owner.id()).await;
    let other = host_of(&world, world.visitor.id()).await;
    let clears = async |host: &str, path: &str, headers| {
        let answer = world.get(host, path, headers).await;
        answer.header("clear-site-data").to_owned()
    };
    assert_eq!(clears(&site, &page, &[]).await, "");
    assert_eq!(clears(&site, &page, FRAME).await, "\"storage\"");
    assert_eq!(clears(&site, &page, FRAME).await, "");
    assert_eq!(clears(&other, "/", NAVIGATION).await, "\"storage\"");
    assert_eq!(clears(&world.site(&world.owner), &page, FRAME).await, "");
    world.end().await;
}

#[tokio::test]
async fn links_lead_to_sites_that_have_a_port_and_assign_none() {
    let world = World::start().await;
    let (owner, visitor) = (world.owner.id(), world.visitor.id());
    let to_visitor = format!("/p/{visitor}/a?x");
    let named = world.get(&world.control(), &to_visitor, FRAME).await;
    assert!(named.header("location").contains(".localhost"));
    let site = host_of(&world, owner).await;
    for host in [&site, &world.control()] {
        let refused = world.get(host, &to_visitor, FRAME).await;
        assert_eq!(refused.status, 409);
        assert!(
            refused.text().contains(&format!("goop://{visitor}/a?x")),
            "{}",
            refused.text()
        );
    }
    let other = host_of(&world, visitor).await;
    for host in [&site, &world.control()] {
        let answer = world.get(host, &to_visitor, FRAME).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (307, format!("http://{other}{to_visitor}").as_str())
        );
    }
    // In a separate tab, names may resolve.
    let tab = world.get(&world.control(), &to_visitor, NAVIGATION).await;
    assert!(tab.header("location").contains(".localhost"));
    let form = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Referer", &format!("http://{site}/book?x")),
    ];
    let back = world
        .send(
            "POST",
            &site,
            &format!("/api/p/{owner}/data/insert"),
            &form,
            "table=guestbook&message=hi",
        )
        .await;
    assert_eq!(
        (back.status, back.header("location")),
        (303, format!("http://{site}/book?x").as_str())
    );
    world.end().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn ports_are_opened_for_the_user_only_and_are_as_many_as_were_said() {
    let world = World::start().await;
    assert_eq!(framed(&world, &[]).await, HashSet::new());
    let token = world.token();
    let open = framed(&world, &[("Authorization", &token)]).await;
    assert_eq!(open.len(), MAX_SITES);
    let mut given = HashSet::new();
    for _ in 0..MAX_SITES {
        given.insert(host_of(&world, PeerId::random()).await);
    }
    assert_eq!(
        given,
        open.iter()
            .map(|port| format!("localhost:{port}"))
            .collect()
    );
    let one_more = json!({ "peer": PeerId::random().to_base58() });
    let (status, failure) = world.ask("POST", "/api/origin", one_more).await;
    assert_eq!((status, &failure["code"]), (503, &json!("used-up")));
    assert!(
        failure["message"]
            .as_str()
            .is_some_and(|text| text.contains("Restart Goop2"))
    );
    assert_eq!(world.ask("GET", "/api/session", Value::Null).await.0, 200);
    let sockets = listening(&open);
    assert_eq!(sockets.len(), open.len());
    world.end().await;
    assert!(sockets.is_disjoint(&listening(&open)));
}

/// The sockets, by inode, that listen on these ports. By the time a test looks again, a port may
/// belong to another test; a socket does not.
#[cfg(target_os = "linux")]
fn listening(ports: &HashSet<u16>) -> HashSet<u64> {
    const LISTEN: &str = "0A";
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let listening = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (_, port) = fields[1].split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        (fields[3] == LISTEN && ports.contains(&port)).then(|| fields[9].parse().unwrap())
    });
    listening.collect()
}
