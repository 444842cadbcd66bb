//! The owner's work on the site, as the My site page asks for it.

use std::fs;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{World, patient};

async fn site(world: &World, request: Value) -> (u16, Value) {
    world.ask("POST", "/api/site", request).await
}

async fn upload(world: &World, query: &str, text: &str) -> (u16, Value) {
    let token = world.token();
    let headers = [("Authorization", token.as_str())];
    let path = format!("/api/site/file?{query}");
    let answer = world
        .send("PUT", &world.control(), &path, &headers, text)
        .await;
    let value = serde_json::from_str(&answer.text()).unwrap_or(Value::Null);
    (answer.status, value)
}

#[tokio::test]
async fn a_page_is_written_seen_renamed_and_its_conflicts_are_refused() {
    let world = World::start().await;
    let write =
        json!({ "op": "write", "path": "new.html", "text": "<h1>One</h1>", "version": null });
    let (status, written) = site(&world, write.clone()).await;
    assert_eq!((status, &written["text"]), (200, &json!("<h1>One</h1>")));
    let (status, exists) = site(&world, write).await;
    assert_eq!((status, exists["code"].as_str()), (409, Some("exists")));

    let read = json!({ "op": "read", "path": "new.html" });
    assert_eq!(site(&world, read).await, (200, written.clone()));
    let again =
        json!({ "op": "write", "path": "new.html", "text": "two", "version": written["version"] });
    assert_eq!(site(&world, again.clone()).await.0, 200);
    let (status, conflict) = site(&world, again).await;
    assert_eq!((status, conflict["code"].as_str()), (409, Some("conflict")));

    let rename = json!({ "op": "move", "from": "new.html", "to": "notes/new.html" });
    let (status, undo) = site(&world, rename).await;
    assert_eq!(
        (status, undo["message"].as_str()),
        (200, Some("new.html moved to notes."))
    );
    let (_, files) = site(&world, json!({ "op": "files" })).await;
    let paths: Vec<_> = files["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["path"].clone())
        .collect();
    assert!(paths.contains(&json!("notes/new.html")), "{paths:?}");
    let undone = site(&world, json!({ "op": "undo", "id": undo["id"] })).await;
    assert_eq!(undone, (200, Value::Null));
    let (status, gone) = site(&world, json!({ "op": "read", "path": "notes/new.html" })).await;
    assert_eq!((status, gone["code"].as_str()), (404, Some("not-found")));
    world.end().await;
}

#[tokio::test]
async fn a_long_text_fits_and_nothing_outside_the_site_is_reached() {
    let world = World::start().await;
    let long = "\u{1}".repeat(2 * 1024 * 1024);
    let write = json!({ "op": "write", "path": "long.txt", "text": long, "version": null });
    assert_eq!(site(&world, write).await.0, 200);
    for path in [
        "../goop.json",
        "/etc/passwd",
        "lua/x.lua",
        ".hidden",
        "a/../../x",
    ] {
        let (status, refused) = site(&world, json!({ "op": "read", "path": path })).await;
        assert_eq!(
            (status, refused["code"].as_str()),
            (400, Some("invalid")),
            "{path}"
        );
    }
    let (status, _) = site(
        &world,
        json!({ "op": "add", "paths": ["/etc/passwd"], "into": "", "clash": "both" }),
    )
    .await;
    assert_eq!(status, 400, "paths of this computer are the window's alone");
    let (status, _) = site(
        &world,
        json!({ "op": "read", "path": "index.html", "more": 1 }),
    )
    .await;
    assert_eq!(status, 400);
    let without_token = world
        .send(
            "POST",
            &world.control(),
            "/api/site",
            &[],
            r#"{"op":"files"}"#,
        )
        .await;
    assert_eq!(without_token.status, 401);
    let without_token = world
        .send(
            "PUT",
            &world.control(),
            "/api/site/file?path=x&clash=both",
            &[],
            "x",
        )
        .await;
    assert_eq!(without_token.status, 401);
    world.end().await;
}

#[tokio::test]
async fn files_are_uploaded_whole_and_undone_together() {
    let world = World::start().await;
    let (status, added) = upload(&world, "path=photos/a.jpg&clash=ask&batch=one-1", "first").await;
    assert_eq!((status, &added["added"]), (200, &json!(["photos/a.jpg"])));
    let (status, exists) = upload(&world, "path=photos/a.jpg&clash=ask&batch=one-1", "x").await;
    assert_eq!((status, exists["code"].as_str()), (409, Some("exists")));
    let (_, both) = upload(&world, "path=photos/a.jpg&clash=both&batch=one-1", "second").await;
    assert_eq!(both["added"], json!(["photos/a (2).jpg"]));
    let (_, skipped) = upload(&world, "path=photos/.DS_Store&clash=both&batch=one-1", "x").await;
    assert_eq!(skipped["skipped"], json!(["photos/.DS_Store"]));
    let taken = site(
        &world,
        json!({ "op": "free", "paths": ["photos/a.jpg", "b"] }),
    )
    .await;
    assert_eq!(
        taken,
        (409, json!({ "code": "exists", "message": "photos/a.jpg" }))
    );
    let (status, outside) = upload(&world, "path=../x&clash=both", "x").await;
    assert_eq!((status, outside["code"].as_str()), (400, Some("invalid")));

    // Cut off: nothing of it stays.
    let cut = format!(
        "PUT /api/site/file?path=cut.bin&clash=both HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\nContent-Length: 100\r\n\r\nhalf",
        world.control(),
        world.token()
    );
    let mut stream = world.connect(&cut).await;
    stream.shutdown().await.unwrap();
    let mut answer = vec![];
    patient(stream.read_to_end(&mut answer)).await.unwrap();
    let undone = site(&world, json!({ "op": "undo", "id": "one-1" })).await;
    assert_eq!(undone, (200, Value::Null));
    let (_, files) = site(&world, json!({ "op": "files" })).await;
    let files = files["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["folder"] == json!(false));
    let names: Vec<_> = files.map(|it| it["path"].as_str().unwrap()).collect();
    assert!(
        !names
            .iter()
            .any(|name| name.contains("jpg") || name.contains("cut")),
        "{names:?}"
    );
    world.end().await;
}

#[tokio::test]
async fn another_folder_is_published_at_once_and_is_checked_first() {
    let world = World::start().await;
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("index.html"), "other").unwrap();
    let front = format!("/p/{}/", world.visitor.id());
    let page = async || world.get(&world.control(), &front, &[]).await.text();
    assert_eq!(page().await, "<h1>Visitor</h1>");
    for bad in [json!("relative"), json!(other.path().join("none"))] {
        let (status, refused) = site(&world, json!({ "op": "set_folder", "path": bad })).await;
        assert_eq!(
            (status, refused["code"].as_str()),
            (400, Some("invalid")),
            "{bad}"
        );
    }
    let chosen = site(&world, json!({ "op": "set_folder", "path": other.path() })).await;
    assert_eq!(chosen, (200, Value::Null));
    assert_eq!(page().await, "other");
    let root = world.visitor.config().paths.site_root;
    assert_eq!(root, other.path().to_str().unwrap());
    let (_, settings) = world.ask("GET", "/api/settings", Value::Null).await;
    assert_eq!(settings["restarting"], json!(false));
    let back = site(&world, json!({ "op": "set_folder", "path": null })).await;
    assert_eq!(back, (200, Value::Null));
    assert_eq!(page().await, "<h1>Visitor</h1>");
    world.end().await;
}

#[tokio::test]
async fn a_site_is_shared_as_a_template_and_begins_another_one() {
    let world = World::start().await;
    let token = world.token();
    let headers = [("Authorization", token.as_str())];
    let (_, starters) = site(&world, json!({ "op": "starters" })).await;
    assert!(
        starters
            .as_array()
            .unwrap()
            .iter()
            .any(|it| it["id"] == "guestbook")
    );
    let exported = world
        .send(
            "POST",
            &world.control(),
            "/api/site/template",
            &headers,
            "{}",
        )
        .await;
    assert_eq!(
        (exported.status, exported.header("content-type")),
        (200, "application/zip")
    );

    let hostile = world
        .send(
            "PUT",
            &world.control(),
            "/api/site/template",
            &headers,
            "no archive",
        )
        .await;
    let refused: Value = serde_json::from_str(&hostile.text()).unwrap();
    assert_eq!(
        (hostile.status, refused["code"].as_str()),
        (400, Some("invalid"))
    );

    let plan = json!({ "op": "plan", "starter": "guestbook" });
    let (status, plan) = site(&world, plan).await;
    assert_eq!(status, 200);
    assert!(
        plan["removes"]
            .as_array()
            .unwrap()
            .contains(&json!("a/b c.css")),
        "{plan}"
    );
    let (status, undo) = site(&world, json!({ "op": "apply", "starter": "guestbook" })).await;
    assert_eq!(status, 200, "{undo}");
    let (_, files) = site(&world, json!({ "op": "files" })).await;
    assert_eq!(files["untouched"], json!(false));
    let undone = site(&world, json!({ "op": "undo", "id": undo["id"] })).await;
    assert_eq!(undone, (200, Value::Null));
    world.end().await;
}

#[tokio::test]
async fn a_backup_is_saved_read_with_its_passphrase_and_restored_by_a_restart() {
    let world = World::start().await;
    let token = world.token();
    let headers = [("Authorization", token.as_str())];
    let make = |body: &'static str| {
        let control = world.control();
        let (world, headers) = (&world, &headers);
        async move {
            let path = "/api/site/backup";
            world.send("POST", &control, path, headers, body).await
        }
    };
    let short = make(r#"{"passphrase":"short"}"#).await;
    assert_eq!(short.status, 400, "{}", short.text());
    let made = make(r#"{"passphrase":"four little words"}"#).await;
    assert_eq!(made.status, 200);
    assert!(made.header("content-disposition").contains(".goop2-backup"));
    assert_eq!(made.header("content-length"), made.body.len().to_string());

    let received = world.put("/api/site/backup", &made.body).await;
    let received: Value = serde_json::from_str(&received.text()).unwrap();
    let open = |passphrase: Value| json!({ "op": "open_backup", "id": received["id"], "passphrase": passphrase });
    let (status, locked) = site(&world, open(Value::Null)).await;
    assert_eq!((status, &locked["locked"]), (200, &json!(true)));
    let (status, wrong) = site(&world, open(json!("another one"))).await;
    assert_eq!((status, wrong["code"].as_str()), (400, Some("invalid")));
    let (status, backup) = site(&world, open(json!("four little words"))).await;
    assert_eq!(status, 200, "{backup}");
    assert_eq!(backup["same"], json!(true));
    assert_eq!(backup["identity"], json!(true));

    let restore = json!({ "op": "restore", "id": backup["id"], "identity": false });
    assert_eq!(site(&world, restore.clone()).await, (200, Value::Null));
    patient(world.visitor.outdated()).await;
    let (status, again) = site(&world, restore).await;
    assert_eq!((status, again["code"].as_str()), (404, Some("not-found")));
    let without_token = world
        .send("POST", &world.control(), "/api/site/backup", &[], "{}")
        .await;
    assert_eq!(without_token.status, 401);
    world.end().await;
}
