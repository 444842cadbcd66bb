//! On to the one address of a site: at its name, or at its port in a window that finds no names.

use axum::{
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};

use crate::{app::App, door::origin, page, site::target::Target};

/// To the origin that has the name of the peer.
pub(crate) fn by_name(app: &App, target: &Target) -> Response {
    let origin = origin::of_site(&target.peer, app.port);
    to(&origin, target)
}

/// To the port of the peer. A page's link is not enough to get one for a peer that has none yet:
/// the person is told how to go there.
pub(crate) fn by_port(app: &App, headers: &HeaderMap, target: &Target) -> Response {
    if let Some(origin) = app.ports.known(&target.peer) {
        return to(&origin, target);
    }
    let place = target.place();
    page::answer(
        headers,
        StatusCode::CONFLICT,
        "Another peer’s site",
        &format!(
            "This link leads to another site. To go there, copy its address into the address bar: goop://{}{}",
            place.peer, place.path
        ),
        None,
    )
}

/// To the same file at the address that scripts can read.
pub(crate) fn within(target: &Target) -> Response {
    to("", target)
}

fn to(origin: &str, target: &Target) -> Response {
    Redirect::temporary(&format!("{origin}{}", target.url_path())).into_response()
}
