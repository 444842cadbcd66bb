//! Pictures of peers. A peer can send anything: only bytes that begin like a raster image are
//! passed on to the browser, with the type they begin like; otherwise a picture is drawn from the
//! name.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State},
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use goop2_proto::{PeerId, html, id};

use crate::{
    answer,
    app::App,
    body::Input,
    door::origin::{Site, Visitor},
    site::peers::STRANGER,
};

/// Opened directly, a picture is a document too; it may do nothing.
const INERT: &str = "default-src 'none'; sandbox";

/// The user's picture.
pub(crate) async fn own(State(app): State<Arc<App>>) -> Response {
    of(&app, app.peer.id()).await
}

/// Sets the user's picture, a PNG.
pub(crate) async fn set(State(app): State<Arc<App>>, Input(png): Input) -> Response {
    answer::json(app.peer.set_avatar(Some(png)).await)
}

/// Removes the user's picture.
pub(crate) async fn unset(State(app): State<Arc<App>>) -> Response {
    answer::json(app.peer.set_avatar(None).await)
}

/// The picture of any peer, for the user.
pub(crate) async fn of_any(State(app): State<Arc<App>>, Path(peer): Path<String>) -> Response {
    match id::parse(&peer) {
        Some(peer) => of(&app, peer).await,
        None => answer::text(StatusCode::NOT_FOUND, "not found"),
    }
}

/// The picture of the site's owner or its visitor, for the site.
pub(crate) async fn of_site(
    State(app): State<Arc<App>>,
    Extension(Site(site)): Extension<Site>,
    Extension(visitor): Extension<Visitor>,
    Path(peer): Path<String>,
) -> Response {
    let stranger = app.peer.stranger();
    match id::parse(&peer) {
        Some(peer) if peer == site => of(&app, peer).await,
        Some(peer) if visitor == Visitor::User && app.is_own(&peer) => of(&app, peer).await,
        Some(peer) if visitor == Visitor::Stranger && peer == stranger => of_stranger(&app),
        _ => answer::text(StatusCode::NOT_FOUND, "not found"),
    }
}

/// The picture of the visitor.
pub(crate) async fn of_visitor(
    state: State<Arc<App>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    match visitor {
        Visitor::User => own(state).await,
        Visitor::Stranger => of_stranger(&state),
    }
}

fn of_stranger(app: &App) -> Response {
    let picture = drawn(&app.peer.stranger(), STRANGER);
    answered("image/svg+xml", picture.into(), "no-cache")
}

async fn of(app: &App, peer: PeerId) -> Response {
    let bytes = app.peer.avatar(peer).await.ok().flatten();
    let picture = bytes.and_then(|bytes| Some((kind(&bytes)?, bytes)));
    let (kind, bytes) =
        picture.unwrap_or_else(|| ("image/svg+xml", drawn(&peer, &label(app, &peer)).into()));
    // The user's own picture may have changed just now; those of others cost a network request.
    let cache = if app.is_own(&peer) {
        "no-cache"
    } else {
        "private, max-age=300"
    };
    answered(kind, bytes, cache)
}

fn answered(kind: &'static str, bytes: Bytes, cache: &'static str) -> Response {
    (
        [
            (CONTENT_TYPE, kind),
            (CACHE_CONTROL, cache),
            (CONTENT_SECURITY_POLICY, INERT),
        ],
        bytes,
    )
        .into_response()
}

fn label(app: &App, peer: &PeerId) -> String {
    let snapshot = app.peer.snapshot();
    let snapshot = snapshot.borrow();
    if app.is_own(peer) {
        return snapshot.me.label.clone();
    }
    let id = peer.to_base58();
    snapshot
        .peers
        .iter()
        .find(|card| card.id == id)
        .map(|card| card.label.clone())
        .unwrap_or_default()
}

fn kind(bytes: &Bytes) -> Option<&'static str> {
    match &bytes[..] {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some("image/webp"),
        [
            _,
            _,
            _,
            _,
            b'f',
            b't',
            b'y',
            b'p',
            b'a',
            b'v',
            b'i',
            b'f',
            ..,
        ] => Some("image/avif"),
        _ => None,
    }
}

/// The initial on a color derived from the peer ID.
fn drawn(peer: &PeerId, label: &str) -> String {
    let initial = label
        .chars()
        .find(|char| char.is_alphanumeric())
        .unwrap_or('?');
    let initial = html::escape(&initial.to_uppercase().to_string());
    let hue = peer
        .to_bytes()
        .iter()
        .fold(0, |sum, byte| (sum * 31 + u32::from(*byte)) % 360);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 64 64\"><rect width=\"64\" height=\"64\" fill=\"hsl({hue},45%,38%)\"/>\
         <text x=\"32\" y=\"43\" font-family=\"system-ui,sans-serif\" font-size=\"32\" text-anchor=\"middle\" fill=\"#fff\">{initial}</text></svg>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_raster_images_count_as_pictures() {
        let kind = |bytes: &'static [u8]| kind(&Bytes::from_static(bytes));
        assert_eq!(kind(b"\x89PNG\r\n\x1a\n..."), Some("image/png"));
        assert_eq!(kind(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(kind(b"GIF89a"), Some("image/gif"));
        assert_eq!(kind(b"RIFF....WEBPVP8 "), Some("image/webp"));
        assert_eq!(kind(b"\0\0\0\x1cftypavif"), Some("image/avif"));
        for other in [
            &b""[..],
            b"<svg xmlns='http://www.w3.org/2000/svg'>",
            b"<html>",
            b"PNG",
            b"RIFF....WAVE",
        ] {
            assert_eq!(kind(other), None);
        }
    }

    #[test]
    fn the_drawn_picture_has_the_first_letter_of_the_name() {
        let peer = id::parse("12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA").unwrap();
        assert!(drawn(&peer, " <élan").contains(">É<"));
        assert!(drawn(&peer, "<&\"").contains(">?<"));
    }
}
