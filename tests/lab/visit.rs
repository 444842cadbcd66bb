//! A complete visit, made by a program that is not a browser.

use serde_json::{Value, json};

use crate::{
    PATIENCE, inside,
    support::{
        lab::Lan,
        peer::{Folder, Peer},
    },
};

#[test]
fn a_visitor_reads_a_page_and_signs_the_guestbook() {
    inside(
        "visit::a_visitor_reads_a_page_and_signs_the_guestbook",
        || {
            let mut lan = Lan::new(1);
            let (here, there) = (lan.host(), lan.host());
            let folders = [
                Folder::new("visitor", "goop-mdns"),
                Folder::new("owner", "goop-mdns"),
            ];
            folders[1].write(
                "site/index.html",
                "<!doctype html><title>the owner's</title>",
            );
            folders[1].write("site/img/dot.png", [0x89, b'P', b'N', b'G']);
            let visitor = Peer::start(&folders[0], Some(&here));
            let owner = Peer::start(&folders[1], Some(&there));
            let (visitor_id, owner_id) = (visitor.id(), owner.id());
            visitor.sees(&owner_id, PATIENCE);

            let page = visitor.visit(&owner_id, "").unwrap();
            assert_eq!(
                (page.status, page.text().as_str()),
                (200, "<!doctype html><title>the owner's</title>")
            );
            assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
            assert!(
                page.header("content-security-policy").contains("sandbox"),
                "a stranger's page on the user's origin"
            );
            let picture = visitor.visit(&owner_id, "img/dot.png").unwrap();
            assert_eq!(
                (picture.header("content-type"), picture.body.as_slice()),
                ("image/png", &[0x89, b'P', b'N', b'G'][..])
            );
            assert_eq!(
                visitor.visit(&owner_id, "nothing.html").unwrap().status,
                404
            );
            assert_eq!(visitor.visit(&owner_id, "lua/x.lua").unwrap().status, 403);

            let columns = json!([{ "name": "text", "type": "TEXT", "not_null": true }]);
            assert_eq!(
                owner
                    .api(
                        "data/tables/create",
                        &json!({ "name": "guestbook", "columns": columns })
                    )
                    .status,
                200
            );
            let row = json!({ "table": "guestbook", "data": { "text": "was here" } });
            let refused = visitor.as_site(&owner_id, "insert", &row);
            assert_eq!(
                refused.status,
                500,
                "the table is the owner's: {}",
                refused.text()
            );
            assert_eq!(
                owner
                    .api(
                        "data/tables/set-policy",
                        &json!({ "table": "guestbook", "policy": "public" })
                    )
                    .status,
                200
            );
            let signed = visitor.as_site(&owner_id, "insert", &row);
            assert_eq!(
                (signed.status, signed.json()),
                (200, json!({ "id": 1, "status": "inserted" }))
            );

            let query = json!({ "table": "guestbook" });
            let seen_there = owner.api("data/query", &query).json();
            assert_eq!(seen_there[0]["text"], "was here");
            assert_eq!(
                seen_there[0]["_owner"], visitor_id,
                "who wrote it is who was connected"
            );
            assert_eq!(
                visitor.as_site(&owner_id, "query", &query).json(),
                seen_there
            );
            assert_eq!(
                visitor.read("data/tables"),
                Value::Null,
                "the visitor's own database is another"
            );
            println!("visit: page, picture, refusals and guestbook through two running programs");
        },
    );
}
