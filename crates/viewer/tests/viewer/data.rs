//! The data API, with the statuses and texts of PROTOCOL §9.4, and the form without a script.

use serde_json::{Value, json};

use crate::world::{NAVIGATION, World};

#[tokio::test]
async fn a_page_reads_and_writes_its_owners_tables_under_the_owners_policy() {
    let world = World::start().await;
    let (site, base) = (
        world.site(&world.owner),
        format!("/api/p/{}/data", world.owner.id()),
    );
    let table = [
        ("query", json!({"table": "guestbook"}), 200, "null\n"),
        (
            "insert",
            json!({"table": "guestbook", "data": {"message": "<b>&"}}),
            200,
            "{\"id\":1,\"status\":\"inserted\"}\n",
        ),
        (
            "query",
            json!({"table": "guestbook", "columns": ["message"]}),
            200,
            "[{\"message\":\"\\u003cb\\u003e\\u0026\"}]\n",
        ),
        (
            "update",
            json!({"table": "guestbook", "id": 1, "data": {"message": "b"}}),
            200,
            "{\"status\":\"updated\"}\n",
        ),
        (
            "delete",
            json!({"table": "guestbook", "id": 1}),
            200,
            "{\"status\":\"deleted\"}\n",
        ),
        (
            "insert",
            json!({"table": "notices", "data": {"message": "b"}}),
            500,
            "insert not allowed: this table only accepts data from the site owner\n",
        ),
        ("query", json!({}), 500, "table name required\n"),
        (
            "tables/create",
            json!({"name": "t", "columns": [{"name": "a", "type": "TEXT"}]}),
            500,
            "schema operations not allowed for remote peers\n",
        ),
        (
            "tables/set-policy",
            json!({"table": "guestbook", "policy": "owner"}),
            404,
            "unknown data operation\n",
        ),
        ("find", json!({}), 404, "unknown data operation\n"),
        (
            "lua/call",
            json!({"function": "x"}),
            500,
            "lua scripting not enabled\n",
        ),
        ("lua/list", Value::Null, 200, "{\"functions\":[]}\n"),
    ];
    for (suffix, body, status, text) in table {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let answer = world
            .send("POST", &site, &format!("{base}/{suffix}"), &[], &body)
            .await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (status, text),
            "{suffix} {body}"
        );
        let kind = if status == 200 {
            "application/json"
        } else {
            "text/plain; charset=utf-8"
        };
        assert_eq!(answer.header("content-type"), kind);
    }
    let bad = world
        .send("POST", &site, &format!("{base}/query"), &[], "{")
        .await;
    assert_eq!(bad.status, 400);
    let large = format!("{{\"table\":\"{}\"}}", "x".repeat(1024 * 1024));
    assert_eq!(
        world
            .send("POST", &site, &format!("{base}/query"), &[], &large)
            .await
            .status,
        413
    );
    world.end().await;
}

#[tokio::test]
async fn the_users_database_is_open_to_the_user_and_to_their_own_site() {
    let world = World::start().await;
    let columns = json!([{"name": "a", "type": "TEXT"}]);
    let table = [
        (
            "POST",
            "tables/create",
            json!({"name": "t", "columns": columns}),
            200,
        ),
        (
            "POST",
            "tables/add-column",
            json!({"table": "t", "column": {"name": "b", "type": "TEXT"}}),
            200,
        ),
        (
            "POST",
            "tables/drop-column",
            json!({"table": "t", "column": "b"}),
            200,
        ),
        (
            "POST",
            "tables/set-policy",
            json!({"table": "t", "policy": "open"}),
            200,
        ),
        (
            "POST",
            "tables/set-policy",
            json!({"table": "t", "policy": "nonsense"}),
            400,
        ),
        ("GET", "tables/set-policy", Value::Null, 405),
        (
            "POST",
            "insert",
            json!({"table": "t", "data": {"a": "1"}}),
            200,
        ),
        ("GET", "tables", Value::Null, 200),
        ("POST", "tables", Value::Null, 405),
        ("GET", "query", Value::Null, 405),
        ("POST", "query", json!({}), 400),
        ("POST", "update", json!({"table": "t", "data": {}}), 400),
        ("POST", "lua/call", json!({"function": "x"}), 404),
        (
            "POST",
            "tables/rename",
            json!({"old_name": "t", "new_name": "u"}),
            200,
        ),
    ];
    for (method, suffix, body, status) in table {
        let (answered, answer) = world
            .ask(method, &format!("/api/data/{suffix}"), body)
            .await;
        assert_eq!(answered, status, "{suffix}: {answer}");
    }
    let (_, policy) = world
        .ask(
            "POST",
            "/api/data/tables/set-policy",
            json!({"table": "u", "policy": "email"}),
        )
        .await;
    assert_eq!(policy, json!({"status": "updated", "policy": "email"}));
    let bad = world
        .send(
            "POST",
            &world.control(),
            "/api/data/query",
            &[("Authorization", &world.token())],
            "{",
        )
        .await;
    assert!(bad.text().starts_with("invalid json: "), "{}", bad.text());

    let base = format!("/api/p/{}/data", world.visitor.id());
    let dropped = world
        .send(
            "POST",
            &world.site(&world.visitor),
            &format!("{base}/tables/delete"),
            &[],
            r#"{"table":"u"}"#,
        )
        .await;
    assert_eq!(
        (dropped.status, dropped.text().as_str()),
        (200, "{\"status\":\"deleted\",\"table\":\"u\"}\n")
    );
    world.end().await;
}

#[tokio::test]
async fn a_lost_peer_is_a_bad_gateway() {
    let world = World::start().await;
    world.owner.shutdown().await;
    let answer = world
        .send(
            "POST",
            &world.site(&world.owner),
            &format!("/api/p/{}/data/tables", world.owner.id()),
            &[],
            "",
        )
        .await;
    assert_eq!(answer.status, 502, "{}", answer.text());
    world.end().await;
}

#[tokio::test]
async fn a_plain_form_inserts_a_row_and_returns_to_its_page() {
    let world = World::start().await;
    let (site, owner) = (world.site(&world.owner), world.owner.id());
    let path = format!("/api/p/{owner}/data/insert");
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let referers = [
        (
            format!("http://{site}/p/{owner}/guestbook.html?x"),
            format!("http://{site}/p/{owner}/guestbook.html?x"),
        ),
        (
            "http://evil.example/p/".into(),
            format!("http://{site}/p/{owner}/"),
        ),
        (
            format!("http://{site}.evil.example/"),
            format!("http://{site}/p/{owner}/"),
        ),
        (
            format!("http://{site}//evil.example/"),
            format!("http://{site}//evil.example/"),
        ),
    ];
    for (referer, location) in referers {
        let headers = [NAVIGATION, &[form, ("Referer", &referer)]].concat();
        let answer = world
            .send(
                "POST",
                &site,
                &path,
                &headers,
                "table=guestbook&message=Hello+%C3%A9",
            )
            .await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, location.as_str()),
            "{}",
            answer.text()
        );
    }
    let rows = world
        .send(
            "POST",
            &site,
            &format!("/api/p/{owner}/data/query"),
            &[],
            r#"{"table":"guestbook"}"#,
        )
        .await;
    let rows: Vec<Value> = serde_json::from_str(&rows.text()).unwrap();
    assert_eq!(
        (rows.len(), &rows[0]["message"], &rows[0]["_owner"]),
        (4, &json!("Hello é"), &json!(world.visitor.id().to_base58()))
    );

    let headers = [NAVIGATION, &[form]].concat();
    for (body, status, words) in [
        ("message=x", 400, "“table”"),
        (
            "table=notices&message=x",
            500,
            "only accepts data from the site owner",
        ),
    ] {
        let answer = world.send("POST", &site, &path, &headers, body).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (status, "text/html; charset=utf-8")
        );
        assert!(answer.text().contains(words), "{}", answer.text());
        assert!(
            answer
                .text()
                .contains(&format!("<a href=\"/p/{owner}/\">Back</a>")),
            "{}",
            answer.text()
        );
    }
    let foreign = [
        form,
        ("Origin", "http://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "navigate"),
    ];
    assert_eq!(
        world
            .send("POST", &site, &path, &foreign, "table=guestbook&message=x")
            .await
            .status,
        403
    );
    world.end().await;
}
