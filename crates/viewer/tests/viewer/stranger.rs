//! The user's own site as a stranger sees it, at its own origin.

use goop2_proto::id;
use serde_json::{Value, json};

use crate::world::{Case, NAVIGATION, World};

/// The host where a stranger sees the site of the user.
fn host(world: &World) -> String {
    format!("v{}", world.site(&world.visitor))
}

async fn run(world: &World, host: &str, suffix: &str, body: Value) -> (u16, Value) {
    let path = format!("/api/p/{}/data/{suffix}", world.visitor.id());
    let answer = world
        .send("POST", host, &path, &[], &body.to_string())
        .await;
    let text = answer.text();
    let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    (answer.status, value)
}

#[tokio::test]
async fn a_stranger_reads_the_same_site_and_is_somebody_else() {
    let world = World::start().await;
    let (own, stranger) = (world.site(&world.visitor), host(&world));
    let me = world.visitor.id().to_base58();
    let page = format!("/p/{me}/");
    for host in [&own, &stranger] {
        assert_eq!(world.get(host, &page, &[]).await.text(), "<h1>Visitor</h1>");
    }
    let json = async |host: &str, path: &str| -> Value {
        serde_json::from_str(&world.get(host, path, &[]).await.text()).unwrap()
    };
    assert_eq!(json(&own, "/api/self").await["id"], me);
    let seen = json(&stranger, "/api/self").await;
    let name = seen["id"].as_str().unwrap();
    assert!(id::parse(name).is_some() && name != me, "{name}");
    assert_eq!(
        (&seen["label"], &seen["email"]),
        (&json!("A visitor"), &json!(""))
    );
    let here = json(&stranger, "/api/peers").await;
    let ids: Vec<_> = here
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["ID"].clone())
        .collect();
    assert_eq!(ids, [json!(me), json!(name)]);
    for path in [
        "/api/avatar".to_owned(),
        format!("/api/avatar/peer/{name}"),
        format!("/api/avatar/peer/{me}"),
    ] {
        assert_eq!(world.get(&stranger, &path, &[]).await.status, 200, "{path}");
    }
    // The user's extra sources are for the user's own view.
    let more = json!({ "viewer.site_sources": ["http://192.168.1.20:8123"] });
    assert_eq!(world.ask("POST", "/api/settings", more).await.0, 200);
    let policy = async |host: &str| {
        let answer = world.get(host, &page, NAVIGATION).await;
        answer.header("content-security-policy").to_owned()
    };
    assert!(policy(&own).await.contains("192.168.1.20"));
    assert!(!policy(&stranger).await.contains("192.168.1.20"));
    world.end().await;
}

#[tokio::test]
async fn a_stranger_does_what_the_policies_let_a_visitor_do() {
    let world = World::start().await;
    let (own, stranger) = (world.site(&world.visitor), host(&world));
    let row =
        |table: &str, message: &str| json!({ "table": table, "data": { "message": message } });
    let (status, mine) = run(&world, &own, "insert", row("guestbook", "mine")).await;
    assert_eq!(status, 200, "{mine}");
    assert_eq!(
        run(&world, &own, "insert", row("notices", "news")).await.0,
        200
    );
    let (status, refused) = run(&world, &stranger, "insert", row("notices", "x")).await;
    assert_eq!(status, 500);
    assert!(
        refused
            .as_str()
            .unwrap()
            .contains("only accepts data from the site owner")
    );
    let (status, theirs) = run(&world, &stranger, "insert", row("guestbook", "theirs")).await;
    assert_eq!(status, 200, "{theirs}");
    let edit = |id: &Value| json!({ "table": "guestbook", "id": id, "data": { "message": "y" } });
    assert_eq!(
        run(&world, &stranger, "update", edit(&theirs["id"]))
            .await
            .0,
        200
    );
    assert_eq!(
        run(&world, &stranger, "update", edit(&mine["id"])).await.0,
        500
    );
    let drop = json!({ "table": "guestbook" });
    assert_eq!(run(&world, &stranger, "tables/delete", drop).await.0, 500);
    let (_, rows) = run(&world, &own, "query", json!({ "table": "guestbook" })).await;
    let owners: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["_owner"].clone())
        .collect();
    let seen = world.get(&stranger, "/api/self", &[]).await.text();
    let seen: Value = serde_json::from_str(&seen).unwrap();
    assert_eq!(
        owners,
        [json!(world.visitor.id().to_base58()), seen["id"].clone()]
    );
    // A form without a script, too.
    let form = format!("/api/p/{}/data/insert", world.visitor.id());
    let kind = [("Content-Type", "application/x-www-form-urlencoded")];
    let sent = world
        .send("POST", &stranger, &form, &kind, "table=notices&message=x")
        .await;
    assert!(
        sent.status >= 400 && sent.text().contains("owner"),
        "{}",
        sent.text()
    );
    world.end().await;
}

#[tokio::test]
async fn no_other_site_is_shown_to_strangers_and_no_other_origin_reads_this_one() {
    let world = World::start().await;
    let (stranger, own) = (&*host(&world), world.site(&world.visitor));
    let others = &*format!("v{}", world.site(&world.owner));
    let me = world.visitor.id();
    let page = &*format!("GET /p/{me}/");
    let data = &*format!("GET /api/p/{me}/data/tables");
    let from_own = [
        ("Origin", &*format!("http://{own}")),
        ("Sec-Fetch-Site", "cross-site"),
    ];
    let table: &[Case<'_>] = &[
        (stranger, page, NAVIGATION, 200),
        (stranger, data, &[("Sec-Fetch-Site", "same-origin")], 200),
        (stranger, data, &from_own, 403),
        (stranger, "GET /api/settings", &[], 404),
        (others, "GET /", NAVIGATION, 421),
        (others, page, NAVIGATION, 421),
    ];
    world.check(table).await;
    world.end().await;
}

#[tokio::test]
async fn a_window_without_names_has_a_port_for_the_stranger() {
    let world = World::start().await;
    let me = world.visitor.id().to_base58();
    let mut hosts = vec![];
    for stranger in [false, true, true] {
        let asked = json!({ "peer": me, "stranger": stranger });
        let (status, answer) = world.ask("POST", "/api/origin", asked).await;
        assert_eq!(status, 200, "{answer}");
        hosts.push(answer["origin"].as_str().unwrap().replace("http://", ""));
    }
    assert!(hosts[0] != hosts[1] && hosts[1] == hosts[2], "{hosts:?}");
    for (host, is_me) in [(&hosts[0], true), (&hosts[1], false)] {
        let text = world.get(host, "/api/self", &[]).await.text();
        assert_eq!(text.contains(&me), is_me, "{text}");
    }
    world.end().await;
}
