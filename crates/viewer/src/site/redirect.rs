//! Redirects to the one address of a site: at its name, or at its port in a window in which names
//! don't resolve.

use axum::{
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};

use crate::{app::App, door::origin, page, site::target::Target};

/// To the origin with the name of the peer.
pub(crate) fn by_name(app: &App, target: &Target) -> Response {
    let origin = origin::of_site(&target.peer, app.port);
    to(&origin, target)
}

/// To the port of the peer. A link in a page never assigns one to a peer: the person learns how to
/// open the site instead.
pub(crate) fn by_port(app: &App, headers: &HeaderMap, target: &Target) -> Response {
    if let Some(origin) = app.ports.known(&target.peer) {
        return to(&origin, target);
    }
    let place = target.place();
    page::answer(
        headers,
        StatusCode::CONFLICT,
        "Link to another site",
        &format!(
            "To open this site, copy its address into the address bar: goop://{}{}",
            place.peer, place.path
        ),
        None,
    )
}

/// To the same file at its one address on this origin.
pub(crate) fn within(target: &Target) -> Response {
    to("", target)
}

fn to(origin: &str, target: &Target) -> Response {
    Redirect::temporary(&format!("{origin}{}", target.address())).into_response()
}
