//! The user's own origin: the UI, the API behind the token, and the addresses of sites that people
//! know.

mod network;
mod people;
mod publish;
mod rendezvous;
mod session;
mod settings;
mod tables;
mod ui;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Path, Request, State},
    http::{HeaderMap, Method, StatusCode, Uri, header::CONTENT_SECURITY_POLICY},
    middleware::{Next, from_fn_with_state, map_response_with_state},
    response::{IntoResponse, Response},
    routing::{any, get, post, put},
};
use goop2_peer::api::Failure;
use goop2_proto::id;

use crate::{
    answer,
    app::App,
    body::{self, Input},
    door::{guard, origin::Visitor},
    page, policy,
    site::{avatar, data, files, peers, redirect, reports, sdk, target::Target},
};

/// Everything on the user's own origin.
pub(crate) fn router(app: Arc<App>) -> Router {
    let api = window_api()
        .merge(viewer_api())
        .route_layer(from_fn_with_state(Arc::clone(&app), with_token));
    Router::new()
        .merge(api)
        .route("/", get(ui::index))
        .route("/p/{*address}", get(visit))
        .route("/sdk/{file}", get(sdk::file))
        .route("/assets/js/{file}", get(sdk::file))
        .fallback(get(ui::file))
        .method_not_allowed_fallback(answer::wrong_method)
        .layer(DefaultBodyLimit::max(body::MAX_BODY))
        .layer(map_response_with_state(Arc::clone(&app), policy::control))
        .with_state(app)
}

/// Whether a path of this origin is for programs only.
pub(crate) fn is_api(path: &str) -> bool {
    path.starts_with("/api/")
}

/// The API of the UI.
fn window_api() -> Router<Arc<App>> {
    Router::new()
        .route("/api/session", get(session::session))
        .route("/api/snapshot", get(session::snapshot))
        .route("/api/events", get(session::events))
        .route("/api/logs", get(session::logs))
        .route("/api/place", post(session::place))
        .route("/api/address", post(session::address))
        .route("/api/origin", post(session::origin))
        .route("/api/ports", post(session::ports))
        .route("/api/network/test", post(network::test))
        .route("/api/network/report", post(network::report))
        .route("/api/network/reach", post(network::reach))
        .route("/api/qr", post(rendezvous::qr))
        .route("/api/rendezvous/check", post(rendezvous::check))
        .route("/api/rendezvous/join", post(rendezvous::join))
        .route("/api/rendezvous/leave", post(rendezvous::leave))
        .route("/api/rendezvous/host", post(rendezvous::host))
        .route("/api/rendezvous/password", get(rendezvous::password))
        .route("/api/rendezvous/register", post(rendezvous::register))
        .route("/api/settings", get(settings::all))
        .route("/api/settings", post(settings::change))
        .route("/api/settings", put(settings::replace))
        .route(
            "/api/site",
            post(publish::site).layer(DefaultBodyLimit::max(publish::MAX_REQUEST)),
        )
        .route("/api/site/file", put(publish::upload))
        .route(
            "/api/site/template",
            put(publish::import)
                .layer(DefaultBodyLimit::max(publish::MAX_TEMPLATE))
                .post(publish::export),
        )
        .route(
            "/api/site/backup",
            post(publish::backup).put(publish::receive_backup),
        )
        .route("/api/identity/renew", post(settings::renew_identity))
        .route("/api/peer/note", post(people::note))
        .route("/api/peer/details", post(people::details))
        .route("/api/peer/try", post(people::try_again))
        .route("/api/tables", post(tables::change).layer(tables::body()))
        .route("/api/tables/export", get(tables::export))
}

/// The API of existing viewers (PROTOCOL §9.4, §9.5), for the user's programs.
fn viewer_api() -> Router<Arc<App>> {
    Router::new()
        .route("/api/self", get(peers::me))
        .route("/api/peers", get(peers::all))
        .route("/api/peers/events", get(peers::events))
        .route("/api/data/{*suffix}", any(data::local))
        .route("/api/p/{peer}/data/{*suffix}", any(any_data))
        .route("/api/avatar", get(avatar::own))
        .route("/api/avatar", put(avatar::set).delete(avatar::unset))
        .route("/api/avatar/peer/{peer}", get(avatar::of_any))
        .route("/api/logs/client", post(reports::log))
        .route("/api/{*unknown}", any(answer::unknown))
}

async fn with_token(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if app.token.is_in(request.headers()) {
        next.run(request).await
    } else {
        (StatusCode::UNAUTHORIZED, Json(no_token())).into_response()
    }
}

fn no_token() -> Failure {
    let message = "This browser isn’t signed in. Open the address that Goop2 printed when it started. It ends in ?token=…";
    Failure {
        code: "unauthorized".into(),
        message: message.into(),
    }
}

/// `/p/<peer>/…`: a person is redirected to the site's own origin; a program gets the file, which
/// may do nothing.
async fn visit(
    State(app): State<Arc<App>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let Some(target) = Target::of_peer(&uri) else {
        return page::missing(&headers, "/");
    };
    // Once a site has a port, frames belong to a window in which names don't resolve.
    if guard::is_frame(&headers) && app.ports.in_use() {
        redirect::by_port(&app, &headers, &target)
    } else if guard::is_navigation(&headers) {
        redirect::by_name(&app, &target)
    } else {
        let file = files::visit(&app, &method, &target, &headers).await;
        ([(CONTENT_SECURITY_POLICY, policy::SANDBOX)], file).into_response()
    }
}

async fn any_data(
    State(app): State<Arc<App>>,
    Path((peer, suffix)): Path<(String, String)>,
    Input(body): Input,
) -> Response {
    match id::parse(&peer) {
        None => answer::text(StatusCode::BAD_REQUEST, "missing peer id"),
        Some(peer) => data::proxy(&app, Visitor::User, peer, &suffix, &body).await,
    }
}
