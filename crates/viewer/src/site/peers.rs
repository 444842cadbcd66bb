//! Peers in the form that existing pages read (PROTOCOL §9.5). A site sees only its owner and its
//! visitor, unless the visitor allows more.

use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use axum::{
    Extension, Json,
    extract::State,
    response::{Response, sse::Event},
};
use futures::{StreamExt, stream};
use goop2_peer::api::{Group, Me, PeerCard, Snapshot};
use goop2_proto::{PeerId, time::unix_millis};
use serde::Serialize;
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    app::App,
    door::origin::{Site, Visitor},
    events,
};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Listed {
    #[serde(rename = "ID")]
    id: String,
    #[serde(flatten)]
    facts: Facts,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Facts {
    /// The display name.
    content: String,
    email: String,
    avatar_hash: String,
    /// Video calls don't exist yet, so they are never disabled.
    video_disabled: bool,
    last_seen: String,
}

/// The name of a stranger, who has nothing else.
pub(crate) const STRANGER: &str = "A visitor";

/// The visitor of a site.
pub(crate) async fn of_visitor(
    state: State<Arc<App>>,
    Extension(visitor): Extension<Visitor>,
) -> Json<Value> {
    match visitor {
        Visitor::User => me(state).await,
        Visitor::Stranger => {
            let id = state.peer.stranger().to_base58();
            Json(json!({ "avatar_hash": "", "email": "", "id": id, "label": STRANGER }))
        }
    }
}

/// The user.
pub(crate) async fn me(State(app): State<Arc<App>>) -> Json<Value> {
    let snapshot = Arc::clone(&app.peer.snapshot().borrow());
    let Me {
        id,
        label,
        email,
        avatar_hash,
        ..
    } = &snapshot.me;
    Json(json!({ "avatar_hash": avatar_hash, "email": email, "id": id, "label": label }))
}

/// Everyone online.
pub(crate) async fn all(State(app): State<Arc<App>>) -> Json<Vec<Listed>> {
    Json(online(&app.peer.snapshot().borrow()).collect())
}

/// Everyone online, and every change.
pub(crate) async fn events(State(app): State<Arc<App>>) -> Response {
    let mut known = None;
    let snapshots = events::snapshots(app.peer.snapshot());
    events::answer(
        &app,
        snapshots.flat_map(move |snapshot| stream::iter(changes(&mut known, online(&snapshot)))),
    )
}

/// The owner of the site while online, and the visitor; everyone else too if the visitor allows the
/// site to see who is online.
pub(crate) async fn of_site(
    State(app): State<Arc<App>>,
    Extension(Site(site)): Extension<Site>,
    Extension(visitor): Extension<Visitor>,
) -> Json<Vec<Listed>> {
    let snapshot = Arc::clone(&app.peer.snapshot().borrow());
    let me = here(&snapshot.me);
    if visitor == Visitor::Stranger {
        return Json(vec![me, stranger(app.peer.stranger())]);
    }
    let (owner, all) = (site.to_base58(), app.peer.sees_peers(&site));
    Json(
        online(&snapshot)
            .filter(|peer| all || peer.id == owner)
            .chain([me])
            .collect(),
    )
}

fn online(snapshot: &Snapshot) -> impl Iterator<Item = Listed> {
    snapshot
        .peers
        .iter()
        .filter(|peer| peer.group != Group::Earlier)
        .map(listed)
}

fn listed(card: &PeerCard) -> Listed {
    let facts = facts(&card.label, &card.email, &card.avatar_hash, card.last_seen);
    Listed {
        id: card.id.clone(),
        facts,
    }
}

/// Anyone who is here is online by definition.
fn here(me: &Me) -> Listed {
    let now = unix_millis(SystemTime::now());
    Listed {
        id: me.id.clone(),
        facts: facts(&me.label, &me.email, &me.avatar_hash, now),
    }
}

fn stranger(id: PeerId) -> Listed {
    let now = unix_millis(SystemTime::now());
    Listed {
        id: id.to_base58(),
        facts: facts(STRANGER, "", "", now),
    }
}

fn facts(label: &str, email: &str, avatar_hash: &str, last_seen_ms: i64) -> Facts {
    let last_seen = OffsetDateTime::from_unix_timestamp_nanos(i128::from(last_seen_ms) * 1_000_000);
    Facts {
        content: label.into(),
        email: email.into(),
        avatar_hash: avatar_hash.into(),
        video_disabled: false,
        last_seen: last_seen
            .ok()
            .and_then(|at| at.format(&Rfc3339).ok())
            .unwrap_or_default(),
    }
}

/// The whole list first, differences afterwards.
fn changes(
    known: &mut Option<BTreeMap<String, Facts>>,
    now: impl Iterator<Item = Listed>,
) -> Vec<Event> {
    let now: BTreeMap<_, _> = now.map(|peer| (peer.id, peer.facts)).collect();
    let events = match known {
        None => {
            let peers: Vec<_> = now
                .iter()
                .map(|(id, facts)| Listed {
                    id: id.clone(),
                    facts: facts.clone(),
                })
                .collect();
            vec![events::event(
                "snapshot",
                &json!({ "type": "snapshot", "peers": peers }),
            )]
        }
        Some(before) => {
            let gone = before.keys().filter(|id| !now.contains_key(*id));
            let gone =
                gone.map(|id| events::event("remove", &json!({ "type": "remove", "peer_id": id })));
            let new = now
                .iter()
                .filter(|(id, facts)| before.get(*id) != Some(facts));
            let new = new.map(|(id, facts)| {
                events::event(
                    "update",
                    &json!({ "type": "update", "peer_id": id, "peer": facts }),
                )
            });
            gone.chain(new).collect()
        }
    };
    *known = Some(now);
    events
}
