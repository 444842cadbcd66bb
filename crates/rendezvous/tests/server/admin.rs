//! The administrator, and others who try.

use goop2_proto::presence::Kind;
use goop2_rendezvous::server::Config;
use serde_json::Value;

use crate::world::{
    Answer, BASIC, Events, PASSWORD, addr, ask, config, get, key, message, publish, signed, start,
};

const PAGE: &str = "Accept: text/html,*/*";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const JSON: &str = "Content-Type: application/json";
const INTENT: &str = "Goop2-Admin: 1";

#[tokio::test]
async fn only_the_administrator_gets_in() {
    let server = start(config()).await;
    let addr = addr(&server);
    for path in [
        "/admin",
        "/peers.json",
        "/logs.json",
        "/registrations.json",
        "/admin/state.json",
    ] {
        let answer = get(addr, path).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (401, "unauthorized\n"),
            "{path}"
        );
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Basic realm=\"Goop2 Admin\"")
        );
        let answer = ask(addr, &format!("GET {path}"), &[BASIC], b"").await;
        assert_eq!(answer.status, 200, "{path}");
    }
    let wrong = "Authorization: Basic YWRtaW46d3Jvbmc=";
    let hasty = hasty(async || {
        let wrong = ask(addr, "GET /peers.json", &[wrong], b"").await;
        assert_eq!(wrong.status, 401);
        ask(addr, "GET /peers.json", &[BASIC], b"").await
    })
    .await;
    assert_eq!(hasty.header("retry-after"), Some("1"));

    let closed = start(Config {
        admin_password: String::new(),
        ..config()
    })
    .await;
    let answer = ask(
        crate::world::addr(&closed),
        "GET /admin",
        &["Authorization: Basic YWRtaW46"],
        b"",
    )
    .await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (403, "admin panel disabled\n")
    );
}

#[tokio::test]
async fn a_browser_signs_in_once() {
    let server = start(config()).await;
    let addr = addr(&server);
    let form = ask(addr, "GET /admin", &[PAGE], b"").await;
    assert_eq!((form.status, form.header("www-authenticate")), (401, None));
    assert!(form.body.contains("type=\"password\""));
    let body = format!("password={PASSWORD}");
    let inside = ask(
        addr,
        "POST /admin/login",
        &[FORM, "X-Forwarded-Proto: https"],
        body.as_bytes(),
    )
    .await;
    assert_eq!(
        (inside.status, inside.header("location")),
        (303, Some("../admin"))
    );
    let cookie = inside.header("set-cookie").unwrap();
    for flag in ["HttpOnly", "SameSite=Strict", "Path=/", "Secure"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
    let cookie = format!("Cookie: {}", cookie.split(';').next().unwrap());
    let page = ask(addr, "GET /admin", &[PAGE, &cookie], b"").await;
    assert_eq!(page.status, 200);
    assert!(
        page.header("content-security-policy")
            .unwrap()
            .contains("script-src 'self'")
    );
    assert!(!page.body.contains("<script>") && !page.body.contains("style="));

    // A foreign page can make the browser send neither the cookie nor this header.
    let without = ask(addr, "POST /admin/logout", &[&cookie], b"").await;
    assert_eq!(
        (without.status, without.body.as_str()),
        (403, "not from the admin page\n")
    );
    assert_eq!(
        ask(addr, "POST /admin/logout", &[&cookie, INTENT], b"")
            .await
            .status,
        204
    );
    assert_eq!(
        ask(addr, "GET /admin", &[PAGE, &cookie], b"").await.status,
        401
    );

    hasty(async || {
        let wrong = ask(addr, "POST /admin/login", &[FORM], b"password=x").await;
        assert_eq!(wrong.status, 401);
        assert!(wrong.body.contains("Wrong password."));
        ask(addr, "POST /admin/login", &[FORM], body.as_bytes()).await
    })
    .await;
}

/// The answer to the right password immediately after a wrong one. Half a second between the two is
/// too long, and a busy host may stall for that long.
async fn hasty(attempt: impl AsyncFn() -> Answer) -> Answer {
    for _ in 0..10 {
        let answer = attempt().await;
        if answer.status == 429 {
            return answer;
        }
    }
    panic!("the right password helps at once");
}

#[tokio::test]
async fn a_peer_is_listed_kicked_and_blocked() {
    let server = start(config()).await;
    let addr = addr(&server);
    publish(
        addr,
        &signed(1, Kind::Online, "<img src=x onerror=alert(1)>", 0),
    )
    .await;
    publish(addr, &message(2, Kind::Online, "b")).await;
    let mut events = Events::open(addr, "/events?changes=1", &[]).await;
    events.snapshot().await;

    let state = async |query: &str| -> Value {
        let answer = ask(
            addr,
            &format!("GET /admin/state.json{query}"),
            &[BASIC],
            b"",
        )
        .await;
        serde_json::from_str(&answer.body).unwrap()
    };
    let all = state("").await;
    assert_eq!((&all["total"], &all["proved"]), (&2.into(), &1.into()));
    let found = state("?q=ONERROR").await;
    assert_eq!(found["peers"].as_array().unwrap().len(), 1);
    assert_eq!(found["peers"][0]["verified"], true);
    assert_eq!(found["peers"][0]["addrs"][0], "/ip4/198.51.100.7/tcp/4001");

    let id = key(1).public().to_peer_id().to_base58();
    let subject = format!("{{\"peer\":\"{id}\"}}");
    let act = async |action: &str, body: &str| {
        let request = format!("POST /admin/{action}");
        ask(addr, &request, &[BASIC, INTENT, JSON], body.as_bytes())
            .await
            .status
    };
    assert_eq!(act("kick", &subject).await, 204);
    assert_eq!(events.next().await.unwrap().event, "gone");
    assert_eq!(act("kick", &subject).await, 404);
    assert_eq!(act("kick", "{\"peer\":\"<b>\"}").await, 400);
    assert_eq!(
        publish(addr, &signed(1, Kind::Update, "back", 10)).await,
        204
    );
    assert_eq!(act("block", &subject).await, 204);
    assert_eq!(
        publish(addr, &signed(1, Kind::Update, "back", 20)).await,
        403
    );
    assert_eq!(state("").await["blocked"][0], id);
    assert_eq!(act("unblock", &subject).await, 204);
    assert_eq!(
        publish(addr, &signed(1, Kind::Update, "back", 30)).await,
        204
    );
    let log = ask(addr, "GET /logs.json", &[BASIC], b"").await.body;
    assert!(
        log.contains(&format!("{id} blocked by the administrator")),
        "{log}"
    );
}

/// A folder was copied, and both copies run: each announces its own addresses.
#[tokio::test]
async fn the_administrator_sees_two_programs_with_one_identity() {
    let server = start(config()).await;
    let addr = addr(&server);
    let state = async || -> Value {
        let answer = ask(addr, "GET /admin/state.json", &[BASIC], b"").await;
        serde_json::from_str(&answer.body).unwrap()
    };
    for turn in 0..6 {
        let mut message = message(1, Kind::Update, "mira");
        message.ts += turn;
        message.addrs = vec![format!("/ip4/198.51.100.{}/tcp/4001", 7 + turn % 2)];
        message.sign(&key(1));
        let twin = state().await["peers"][0]["twin"].clone();
        assert_ne!(twin, true, "so far one program that moves");
        assert_eq!(publish(addr, &message).await, 204);
    }
    let state = state().await;
    assert_eq!(state["peers"][0]["twin"], true);
    let log = state["log"].to_string();
    assert_eq!(log.matches("online on two computers").count(), 1, "{log}");
    let metrics = get(addr, "/metrics").await.body;
    assert!(
        metrics.contains("\ngoop2_rendezvous_twins 1\n"),
        "{metrics}"
    );
}
