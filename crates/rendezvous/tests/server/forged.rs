//! Presence in the name of others, in every form that `/publish` can receive.

use goop2_proto::presence::{FRESH, Kind, Message};
use goop2_rendezvous::server::Config;

use crate::world::{Events, addr, ask, config, key, message, publish, signed, start};

#[tokio::test]
async fn no_forgery_changes_anything() {
    let server = start(config()).await;
    let addr = addr(&server);
    let hello = signed(1, Kind::Online, "alice", 0);
    assert_eq!(publish(addr, &hello).await, 204);
    let mut changes = Events::open(addr, "/events?changes=1", &[]).await;
    let mut everything = Events::open(addr, "/events", &[]).await;
    assert_eq!(changes.snapshot().await.len(), 1);
    assert_eq!(everything.next().await.unwrap().json()["content"], "alice");

    let edited = Message {
        label: "mallory".into(),
        ..signed(1, Kind::Update, "alice", 1)
    };
    let foreign = Message {
        peer: hello.peer,
        ..signed(2, Kind::Update, "mallory", 1)
    };
    let mut by_another_key = message(1, Kind::Offline, "mallory");
    by_another_key.sign(&key(2));
    let stripped = Message {
        sig: None,
        ..signed(1, Kind::Offline, "alice", 1)
    };
    let mut older = signed(1, Kind::Update, "alice", 0);
    older.ts = hello.ts - 1;
    older.sign(&key(1));
    let ancient = signed(1, Kind::Update, "alice", -FRESH - 10_000);
    let future = signed(1, Kind::Update, "alice", FRESH + 10_000);
    let unproved_later = Message {
        ts: i64::MAX,
        ..message(1, Kind::Update, "mallory")
    };
    let table = [
        ("a label changed under the signature", &edited, 400),
        ("another peer's message under this name", &foreign, 400),
        ("signed by another key", &by_another_key, 400),
        ("the signature taken off", &stripped, 204),
        (
            "unsigned over signed",
            &message(1, Kind::Update, "mallory"),
            204,
        ),
        ("unsigned from the future", &unproved_later, 204),
        ("sent again", &hello, 409),
        ("an older one", &older, 409),
        ("signed long ago", &ancient, 400),
        ("signed for later", &future, 400),
    ];
    for (what, message, status) in table {
        assert_eq!(publish(addr, message).await, status, "{what}");
    }
    let again = ask(addr, "POST /publish", &[], &hello.encode()).await;
    assert_eq!(
        again.header("goop2-newest-ts"),
        Some(&*hello.ts.to_string())
    );
    assert_eq!(again.body, "a later message of this peer is known\n");

    // The next event is the peer itself.
    assert_eq!(
        publish(addr, &signed(1, Kind::Update, "alice in person", 2)).await,
        204
    );
    for events in [&mut changes, &mut everything] {
        assert_eq!(
            events.next().await.unwrap().json()["content"],
            "alice in person"
        );
    }
    server.shutdown().await;
}

#[tokio::test]
async fn a_goodbye_cannot_be_undone_by_others() {
    let server = start(config()).await;
    let addr = addr(&server);
    let hello = signed(1, Kind::Online, "alice", 0);
    publish(addr, &hello).await;
    assert_eq!(
        publish(addr, &signed(1, Kind::Offline, "alice", 1)).await,
        204
    );
    assert_eq!(publish(addr, &hello).await, 409);
    assert_eq!(publish(addr, &message(1, Kind::Online, "alice")).await, 204);
    let mut events = Events::open(addr, "/events?changes=1", &[]).await;
    assert!(events.snapshot().await.is_empty());
    server.shutdown().await;
}

#[tokio::test]
async fn a_server_can_require_signatures() {
    let server = start(Config {
        require_signed: true,
        ..config()
    })
    .await;
    let refused = ask(
        addr(&server),
        "POST /publish",
        &[],
        &message(1, Kind::Online, "a").encode(),
    )
    .await;
    assert_eq!(
        (refused.status, refused.body.as_str()),
        (403, "signed presence required\n")
    );
    assert_eq!(
        publish(addr(&server), &signed(1, Kind::Online, "a", 0)).await,
        204
    );
    server.shutdown().await;
}
