//! Sites at their own ports, for a window in which names don't resolve.

use std::{collections::HashSet, fs};

use goop2_proto::PeerId;
use goop2_viewer::ports::MAX_SITES;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::world::{Case, Headers, NAVIGATION, World};

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
async fn framed(world: &World) -> HashSet<u16> {
    let answer = world.get(&world.control(), "/?ports", NAVIGATION).await;
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
    let site = &*host_of(&world, owner).await;
    assert_ne!(host_of(&world, visitor).await, site);
    assert_eq!(host_of(&world, owner).await, site);
    let page = &*format!("GET /p/{owner}/");
    let data = format!("GET /api/p/{owner}/data/tables");
    let token = world.token();
    let with_token = ("Authorization", token.as_str());
    let table: &[Case<'_>] = &[
        (site, page, FRAME, 200),
        (site, page, NAVIGATION, 200),
        (site, "GET /a/b%20c.css", &[], 200),
        (site, &data, &[("Sec-Fetch-Site", "same-origin")], 200),
        (site, &data, &[("Origin", &format!("http://{site}"))], 200),
        // Another peer
        (site, &format!("GET /p/{visitor}/"), &[], 403),
        (
            site,
            &data.replace(&owner.to_base58(), &visitor.to_base58()),
            &[with_token],
            403,
        ),
        // The user's API is not there
        (site, "GET /api/session", &[with_token], 404),
        (site, "GET /api/events", &[with_token], 404),
        (site, "GET /api/data/tables", &[with_token], 404),
        (site, "POST /api/origin", &[with_token], 404),
        (&world.control(), "POST /api/origin", &[], 401),
    ];
    world.check(table).await;
    let nobody = json!({ "peer": "x" });
    assert_eq!(world.ask("POST", "/api/origin", nobody).await.0, 400);
    world.end().await;
}

#[tokio::test]
async fn a_port_has_one_name_and_a_peer() {
    let world = World::start().await;
    let site = host_of(&world, world.owner.id()).await;
    let page = &*format!("GET /p/{}/", world.owner.id());
    let port: u16 = site.strip_prefix("localhost:").unwrap().parse().unwrap();
    let open = framed(&world).await;
    let unused = open.into_iter().find(|open| *open != port).unwrap();
    let label = world.site(&world.owner);
    let label = label.replace(&world.port().to_string(), &port.to_string());
    let table: &[Case<'_>] = &[
        (&format!("127.0.0.1:{port}"), page, NAVIGATION, 421),
        (&format!("[::1]:{port}"), page, NAVIGATION, 421),
        (&format!("evil.example:{port}"), page, NAVIGATION, 421),
        (&label, page, NAVIGATION, 421),
        (&format!("localhost:{unused}"), "GET /", NAVIGATION, 421),
    ];
    world.check(table).await;
    // The port itself answers, on both loopback addresses like the main one.
    let ipv6 = TcpStream::connect(("::1", world.port())).await.is_ok();
    for address in ["127.0.0.1", "::1"].into_iter().take(1 + usize::from(ipv6)) {
        TcpStream::connect((address, port)).await.unwrap();
    }
    world.end().await;
}

#[tokio::test]
async fn another_port_is_another_origin_though_the_same_site() {
    let world = World::start().await;
    let owner = world.owner.id();
    let (site, control) = (&*host_of(&world, owner).await, &*world.control());
    let others = format!("http://{}", host_of(&world, world.visitor.id()).await);
    let (own, users) = (format!("http://{site}"), format!("http://{control}"));
    let page = format!("GET /p/{owner}/");
    let data = &*format!("GET /api/p/{owner}/data/tables");
    let token = world.token();
    let same_site = ("Sec-Fetch-Site", "same-site");
    let from_own: Headers<'_> = &[("Authorization", &token), ("Origin", &own)];
    let table: &[Case<'_>] = &[
        (site, data, &[("Origin", &others)], 403),
        (site, data, &[("Origin", &users)], 403),
        (site, data, &[same_site], 403),
        (site, &page, &[same_site, ("Sec-Fetch-Mode", "cors")], 403),
        (control, "GET /api/session", from_own, 403),
    ];
    world.check(table).await;
    world.end().await;
}

#[tokio::test]
async fn a_site_has_the_same_policy_at_its_port_as_at_its_name() {
    let world = World::start().await;
    let page = format!("/p/{}/", world.owner.id());
    let at_name = world.site(&world.owner);
    let at_port = host_of(&world, world.owner.id()).await;
    let named = world.get(&at_name, &page, NAVIGATION).await;
    let ported = world.get(&at_port, &page, NAVIGATION).await;
    for name in [
        "content-security-policy",
        "permissions-policy",
        "cross-origin-resource-policy",
        "cache-control",
    ] {
        assert_ne!(ported.header(name), "");
        assert_eq!(ported.header(name), named.header(name));
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
    world.end().await;
}

#[tokio::test]
async fn a_form_returns_to_the_port() {
    let world = World::start().await;
    let owner = world.owner.id();
    let site = host_of(&world, owner).await;
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
    assert_eq!(framed(&world).await, HashSet::new());
    let table: &[Case<'_>] = &[
        (&world.control(), "POST /api/ports", &[], 401),
        (&world.control(), "GET /?ports", NAVIGATION, 307),
    ];
    world.check(table).await;
    assert_eq!(world.ask("POST", "/api/ports", json!({})).await.0, 200);
    let open = framed(&world).await;
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
