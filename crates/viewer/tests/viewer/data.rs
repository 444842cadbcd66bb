//! The data API, with the statuses and texts of PROTOCOL §9.4, and the form without a script.

use serde_json::{Value, json};

use crate::world::{NAVIGATION, World};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

/// The suffix, the body, and the status and text of the answer.
type Case = (&'static str, Value, u16, &'static str);

#[tokio::test]
async fn a_page_reads_and_writes_its_owners_tables() {
    let world = World::start().await;
    let hello = json!({"table": "guestbook", "data": {"message": "<b>&"}});
    let changed = json!({"table": "guestbook", "id": 1, "data": {"message": "b"}});
    let columns = json!({"table": "guestbook", "columns": ["message"]});
    let row = "[{\"message\":\"\\u003cb\\u003e\\u0026\"}]\n";
    let inserted = "{\"id\":1,\"status\":\"inserted\"}\n";
    let id = json!({"table": "guestbook", "id": 1});
    let table = [
        ("query", json!({"table": "guestbook"}), 200, "null\n"),
        ("insert", hello, 200, inserted),
        ("query", columns, 200, row),
        ("update", changed, 200, "{\"status\":\"updated\"}\n"),
        ("delete", id, 200, "{\"status\":\"deleted\"}\n"),
        ("lua/list", Value::Null, 200, "{\"functions\":[]}\n"),
    ];
    check(&world, table).await;
    world.end().await;
}

#[tokio::test]
async fn a_page_gets_no_further_than_the_owners_policy() {
    let world = World::start().await;
    let notice = json!({"table": "notices", "data": {"message": "b"}});
    let owners = "insert not allowed: this table only accepts data from the site owner\n";
    let columns = json!({"name": "t", "columns": [{"name": "a", "type": "TEXT"}]});
    let schema = "schema operations not allowed for remote peers\n";
    let policy = json!({"table": "guestbook", "policy": "owner"});
    let call = json!({"function": "x"});
    let table = [
        ("insert", notice, 500, owners),
        ("query", json!({}), 500, "table name required\n"),
        ("tables/create", columns, 500, schema),
        ("tables/set-policy", policy, 404, "unknown data operation\n"),
        ("find", json!({}), 404, "unknown data operation\n"),
        ("lua/call", call, 500, "lua scripting not enabled\n"),
    ];
    check(&world, table).await;
    let query = format!("/api/p/{}/data/query", world.owner.id());
    let large = format!("{{\"table\":\"{}\"}}", "x".repeat(1024 * 1024));
    for (body, status) in [("{", 400), (&large, 413)] {
        let site = world.site(&world.owner);
        let answer = world.send("POST", &site, &query, &[], body).await;
        assert_eq!(answer.status, status);
    }
    world.end().await;
}

#[tokio::test]
async fn the_users_database_is_open_to_the_user() {
    let world = World::start().await;
    let columns = json!([{"name": "a", "type": "TEXT"}]);
    let column = json!({"table": "t", "column": {"name": "b", "type": "TEXT"}});
    let create = json!({"name": "t", "columns": columns});
    let rename = json!({"old_name": "t", "new_name": "u"});
    let drop = json!({"table": "t", "column": "b"});
    let policy = |policy: &str| json!({"table": "t", "policy": policy});
    let table = [
        ("POST tables/create", create, 200),
        ("POST tables/add-column", column, 200),
        ("POST tables/drop-column", drop, 200),
        ("POST tables/set-policy", policy("open"), 200),
        ("POST tables/set-policy", policy("nonsense"), 400),
        ("GET tables/set-policy", Value::Null, 405),
        (
            "POST insert",
            json!({"table": "t", "data": {"a": "1"}}),
            200,
        ),
        ("GET tables", Value::Null, 200),
        ("POST tables", Value::Null, 405),
        ("GET query", Value::Null, 405),
        ("POST query", json!({}), 400),
        ("POST update", json!({"table": "t", "data": {}}), 400),
        ("POST lua/call", json!({"function": "x"}), 404),
        ("POST tables/rename", rename, 200),
    ];
    for (line, body, status) in table {
        let (method, suffix) = line.split_once(' ').unwrap();
        let path = format!("/api/data/{suffix}");
        let (answered, answer) = world.ask(method, &path, body).await;
        assert_eq!(answered, status, "{line}: {answer}");
    }
    world.end().await;
}

#[tokio::test]
async fn answers_of_the_users_database_are_those_of_existing_viewers() {
    let world = World::start().await;
    let policy = json!({"table": "notices", "policy": "email"});
    let (_, policy) = world
        .ask("POST", "/api/data/tables/set-policy", policy)
        .await;
    assert_eq!(policy, json!({"status": "updated", "policy": "email"}));
    let (control, token) = (world.control(), world.token());
    let headers = [("Authorization", token.as_str())];
    let bad = world
        .send("POST", &control, "/api/data/query", &headers, "{")
        .await;
    assert!(bad.text().starts_with("invalid json: "), "{}", bad.text());
    world.end().await;
}

#[tokio::test]
async fn the_users_own_site_may_change_the_users_tables() {
    let world = World::start().await;
    let (site, visitor) = (world.site(&world.visitor), world.visitor.id());
    let path = format!("/api/p/{visitor}/data/tables/delete");
    let table = r#"{"table":"notices"}"#;
    let dropped = world.send("POST", &site, &path, &[], table).await;
    let text = "{\"status\":\"deleted\",\"table\":\"notices\"}\n";
    assert_eq!((dropped.status, &*dropped.text()), (200, text));
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
    let row = "table=guestbook&message=Hello+%C3%A9";
    let (page, first) = (
        format!("http://{site}/p/{owner}/guestbook.html?x"),
        format!("http://{site}/p/{owner}/"),
    );
    let slashes = format!("http://{site}//evil.example/");
    let referers = [
        (page.clone(), page),
        ("http://evil.example/p/".into(), first.clone()),
        (format!("http://{site}.evil.example/"), first),
        (slashes.clone(), slashes),
    ];
    for (referer, location) in referers {
        let headers = [NAVIGATION, &[FORM, ("Referer", &referer)]].concat();
        let answer = world.send("POST", &site, &path, &headers, row).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        assert_eq!(answer.header("location"), location);
    }
    let query = format!("/api/p/{owner}/data/query");
    let all = r#"{"table":"guestbook"}"#;
    let rows = world.send("POST", &site, &query, &[], all).await;
    let rows: Vec<Value> = serde_json::from_str(&rows.text()).unwrap();
    assert_eq!((rows.len(), &rows[0]["message"]), (4, &json!("Hello é")));
    assert_eq!(rows[0]["_owner"], json!(world.visitor.id().to_base58()));
    world.end().await;
}

#[tokio::test]
async fn a_plain_form_that_is_refused_says_why() {
    let world = World::start().await;
    let (site, owner) = (world.site(&world.owner), world.owner.id());
    let path = format!("/api/p/{owner}/data/insert");
    let headers = [NAVIGATION, &[FORM]].concat();
    let owners = "only accepts data from the site owner";
    let back = format!("<a id=\"back\" href=\"/p/{owner}/\">Back</a>");
    for (body, status, words) in [
        ("message=x", 400, "“table”"),
        ("table=notices&message=x", 500, owners),
    ] {
        let answer = world.send("POST", &site, &path, &headers, body).await;
        let (kind, page) = (answer.header("content-type"), answer.text());
        assert_eq!((answer.status, kind), (status, "text/html; charset=utf-8"));
        assert!(page.contains(words) && page.contains(&back), "{page}");
    }
    let foreign = [
        FORM,
        ("Origin", "http://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Mode", "navigate"),
    ];
    let row = "table=guestbook&message=x";
    let answer = world.send("POST", &site, &path, &foreign, row).await;
    assert_eq!(answer.status, 403);
    world.end().await;
}

#[tokio::test]
async fn a_form_of_any_encoding_is_a_row() {
    let world = World::start().await;
    let (site, owner) = (world.site(&world.owner), world.owner.id());
    let path = format!("/api/p/{owner}/data/insert");
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"table\"\r\n\r\nguestbook\r\n\
         --b\r\nContent-Disposition: form-data; name=\"message\"\r\n\r\nfrom multipart\r\n\
         --b\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"\"\r\n\r\n\r\n--b--\r\n";
    for (kind, body) in [
        ("multipart/form-data; boundary=b", multipart),
        ("text/plain", "table=guestbook\r\nmessage=from plain\r\n"),
    ] {
        let headers = [NAVIGATION, &[("Content-Type", kind)]].concat();
        let answer = world.send("POST", &site, &path, &headers, body).await;
        assert_eq!(answer.status, 303, "{kind}: {}", answer.text());
    }
    // A script that names no type sends JSON so.
    let script = [("Content-Type", "text/plain"), ("Sec-Fetch-Mode", "cors")];
    let row = r#"{"table":"guestbook","data":{"message":"from a script"}}"#;
    let answer = world.send("POST", &site, &path, &script, row).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let query = format!("/api/p/{owner}/data/query");
    let all = r#"{"table":"guestbook"}"#;
    let rows = world.send("POST", &site, &query, &[], all).await;
    let rows: Vec<Value> = serde_json::from_str(&rows.text()).unwrap();
    let messages: Vec<_> = rows
        .iter()
        .map(|row| row["message"].as_str().unwrap())
        .collect();
    assert_eq!(messages, ["from multipart", "from plain", "from a script"]);
    world.end().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_form_is_said_in_words() {
    let world = World::start().await;
    let (site, owner) = (world.site(&world.owner), world.owner.id());
    let path = format!("/api/p/{owner}/data/insert");
    let photo = format!(
        "--b\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"me.jpg\"\r\n\r\n{}\r\n--b--\r\n",
        "x".repeat(3 * 1024 * 1024)
    );
    for (kind, body, words) in [
        (FORM.1, "table=guestbook&message=x&send=Sign", "“send”"),
        (FORM.1, "table=guestbook&first-name=x", "“first-name”"),
        (
            FORM.1,
            "table=nowhere&message=x",
            "no table named “nowhere”",
        ),
        (FORM.1, "table=guestbook", "“message” must be filled in"),
        ("multipart/form-data; boundary=b", &photo, "“me.jpg”"),
        ("multipart/form-data; boundary=b", "--b\r\n", "arrive whole"),
    ] {
        let headers = [NAVIGATION, &[("Content-Type", kind)]].concat();
        let answer = world.send("POST", &site, &path, &headers, body).await;
        let page = answer.text();
        assert!(answer.status >= 400, "{words}: {page}");
        assert!(
            page.contains(words) && !page.contains("SQL"),
            "{words}: {page}"
        );
        assert!(
            page.contains("goop-page.js") && page.contains("id=\"back\""),
            "{page}"
        );
    }
    world.end().await;
}

#[tokio::test]
async fn numbers_blobs_and_ids_pass_the_viewer_unharmed() {
    let world = World::start().await;
    let columns = json!([{"name": "n", "type": "INTEGER"}, {"name": "b", "type": "BLOB"}]);
    let create = json!({"op": "create-table", "name": "exact", "column_defs": columns});
    let request = goop2_proto::data::Request::from_value(create).unwrap();
    world.owner.data(world.owner.id(), request).await.unwrap();
    world
        .owner
        .set_policy("exact".into(), "public".into())
        .await
        .unwrap();
    let (site, owner) = (world.site(&world.owner), world.owner.id());
    let post = async |suffix: &str, body: &str| {
        let path = format!("/api/p/{owner}/data/{suffix}");
        world.send("POST", &site, &path, &[], body).await
    };
    let row = r#"{"table":"exact","data":{"n":9223372036854775807,"b":{"$blob":"AP8="}},"goop2":{"write":"0123456789abcdef"}}"#;
    for _ in 0..2 {
        let inserted = post("insert", row).await;
        assert_eq!(inserted.text(), "{\"id\":1,\"status\":\"inserted\"}\n");
    }
    let marked = r#"{"table":"exact","columns":["n","b"],"goop2":{"blobs":true}}"#;
    let rows = "[{\"b\":{\"$blob\":\"AP8=\"},\"n\":9223372036854775807}]\n";
    assert_eq!(post("query", marked).await.text(), rows);
    let plain = post("query", r#"{"table":"exact","columns":["b"]}"#).await;
    assert!(
        plain
            .text()
            .contains("data:application/octet-stream;base64,AP8=")
    );
    let refused = post(
        "insert",
        r#"{"table":"exact","data":{"n":123456789012345678901}}"#,
    )
    .await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.text().contains("send it as text"),
        "{}",
        refused.text()
    );
    let usage = post("usage", "{}").await;
    assert_eq!(usage.text(), "unknown op: usage\n");
    let (status, usage) = world.ask("GET", "/api/data/usage", Value::Null).await;
    assert_eq!(status, 200);
    assert!(
        usage["limit"].is_u64() && usage["tables"].is_array(),
        "{usage}"
    );
    world.end().await;
}

async fn check<const N: usize>(world: &World, table: [Case; N]) {
    let (site, owner) = (world.site(&world.owner), world.owner.id());
    for (suffix, body, status, text) in table {
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let path = format!("/api/p/{owner}/data/{suffix}");
        let answer = world.send("POST", &site, &path, &[], &body).await;
        let (got, case) = (answer.text(), format!("{suffix} {body}"));
        assert_eq!((answer.status, &*got), (status, text), "{case}");
        let kind = match status {
            200 => "application/json",
            _ => "text/plain; charset=utf-8",
        };
        assert_eq!(answer.header("content-type"), kind, "{case}");
    }
}
