//! Exchanges recorded with an existing server, repeated with ours.

use goop2_rendezvous::server::{Config, Limits, Rate};
use serde_json::Value;
use tokio::sync::watch;

use crate::world::{BASIC, Events, addr, ask, config, limits, relay, start};

#[tokio::test]
async fn the_recorded_exchanges() {
    let recorded: Value =
        serde_json::from_str(include_str!("../fixtures/rendezvous-feb.json")).unwrap();
    let (_relay, watched) = watch::channel(Some(relay()));
    let publish = Rate {
        burst: 40,
        ..limits().publish
    };
    let server = start(Config {
        relay: Some(watched),
        limits: Limits {
            publish,
            ..limits()
        },
        ..config()
    })
    .await;
    let mut events = Events::open(addr(&server), "/events", &[]).await;

    for exchange in recorded["exchanges"].as_array().unwrap() {
        let request = exchange["request"].as_str().unwrap();
        let status = exchange["status"].as_u64().unwrap();
        let body = exchange["body"].as_str().unwrap_or_default();
        let admin = status == 200 && request.ends_with(".json");
        let headers: &[&str] = if admin { &[BASIC] } else { &[] };
        let mut answer = ask(addr(&server), request, headers, body.as_bytes()).await;
        while status == 429 && answer.status == 204 {
            answer = ask(addr(&server), request, headers, body.as_bytes()).await;
        }
        if exchange["ours"]
            .as_str()
            .is_some_and(|ours| ours.starts_with("400"))
        {
            assert_eq!(
                (answer.status, answer.body.as_str()),
                (400, "bad message: not a peer id\n")
            );
            continue;
        }
        assert_eq!(u64::from(answer.status), status, "{request} {body:.80}");
        for (name, value) in exchange["headers"].as_object().into_iter().flatten() {
            assert_eq!(answer.header(name), value.as_str(), "{request} {name}");
        }
        let expected = exchange["response"].as_str().unwrap();
        if status == 200 && request != "GET /healthz" && !request.contains("registrations") {
            same_shape(&answer.body, expected, request);
        } else {
            assert_eq!(answer.body, expected, "{request} {body:.80}");
        }
    }

    assert_eq!(events.block().await.unwrap(), ": ok");
    let lines = recorded["events"].as_array().unwrap().iter();
    let told = lines.filter_map(|line| line.as_str()?.strip_prefix("data: "));
    // A message without a valid peer ID is not broadcast.
    for expected in told.filter(|line| !line.contains("not-a-peer-id")) {
        let event = events.next().await.unwrap();
        let (mut got, mut expected): (Value, Value) =
            (event.json(), serde_json::from_str(expected).unwrap());
        // Our server forwards unknown fields, and adds the time if it is missing.
        got.as_object_mut().unwrap().shift_remove("extra");
        if expected["ts"] == 1_795_423_017_069_i64 {
            assert!(got["ts"].as_i64().unwrap() > 0);
            (got["ts"], expected["ts"]) = (0.into(), 0.into());
        }
        assert_eq!(got.to_string(), expected.to_string());
        assert!(!event.data.contains('<'));
    }
    server.shutdown().await;
}

/// The same keys in the same order; of lists, the first element.
fn same_shape(got: &str, expected: &str, request: &str) {
    let keys = |text: &str| {
        let mut value: Value = serde_json::from_str(text).ok()?;
        if value.is_array() {
            value = value.get_mut(0)?.take();
        }
        let keys = value.as_object()?.keys().cloned().collect::<Vec<_>>();
        Some(keys)
    };
    assert!(
        got.starts_with(['[', '{']) && got.ends_with('\n'),
        "{request}"
    );
    if expected.starts_with('<') {
        assert!(serde_json::from_str::<Vec<String>>(got).is_ok(), "{got}");
        return;
    }
    assert_eq!(keys(got), keys(expected), "{request}: {got}");
}
