//! The origin of one visited site: its files, its data, the SDK, and the few facts a site may read
//! about its visitor.

pub(crate) mod avatar;
pub(crate) mod data;
pub(crate) mod files;
mod form;
pub(crate) mod peers;
pub(crate) mod redirect;
pub(crate) mod reports;
pub(crate) mod sdk;
pub(crate) mod target;

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    middleware::from_fn_with_state,
    response::Response,
    routing::{any, get, post},
};
use goop2_proto::{PeerId, id};

use crate::{
    answer,
    app::App,
    body::{self, Input},
    door::{
        guard,
        origin::{self, Site},
    },
    page, policy,
    site::target::Target,
};

/// Everything on a site's origin.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/p/{*address}", get(visit))
        .route("/api/p/{peer}/data/{*suffix}", any(site_data))
        .route("/api/self", get(peers::me))
        .route("/api/peers", get(peers::of_site))
        .route("/api/denied", post(reports::denied))
        .route("/api/avatar", get(avatar::own))
        .route("/api/avatar/peer/{peer}", get(avatar::of_site))
        .route("/api/logs/client", post(reports::log))
        .route("/api/{*unknown}", any(answer::unknown))
        .route("/sdk/{file}", get(sdk::file))
        .route("/assets/js/{file}", get(sdk::file))
        .fallback(get(root))
        .method_not_allowed_fallback(answer::wrong_method)
        .layer(DefaultBodyLimit::max(body::MAX_BODY))
        .layer(from_fn_with_state(Arc::clone(&app), policy::site))
        .with_state(app)
}

/// `/p/<peer>/…`: a file of this site, or a redirect to another site.
async fn visit(
    State(app): State<Arc<App>>,
    Extension(Site(site)): Extension<Site>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    match Target::of_peer(&uri) {
        Some(target) if target.peer == site => own(&app, &target, &headers).await,
        Some(target) => other(&app, &site, &target, &headers),
        None => page::missing(&headers, &format!("/p/{site}/")),
    }
}

/// Any other path belongs to the site too, so that root-relative links work.
async fn root(
    State(app): State<Arc<App>>,
    Extension(Site(site)): Extension<Site>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    own(&app, &Target::of_root(site, &uri), &headers).await
}

async fn own(app: &App, target: &Target, headers: &HeaderMap) -> Response {
    if target.canonical {
        files::visit(app, target, headers).await
    } else {
        redirect::within(target)
    }
}

fn other(app: &App, site: &PeerId, target: &Target, headers: &HeaderMap) -> Response {
    if !guard::is_navigation(headers) {
        let message = "A site can link to another site, but not read it.";
        answer::text(StatusCode::FORBIDDEN, message)
    } else if app.ports.known(site) == Some(origin::own(headers)) {
        redirect::by_port(app, headers, target)
    } else {
        redirect::by_name(app, target)
    }
}

/// The origin decides whose data it is; naming another peer is refused.
async fn site_data(
    State(app): State<Arc<App>>,
    Extension(Site(site)): Extension<Site>,
    Path((peer, suffix)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
    Input(body): Input,
) -> Response {
    match id::parse(&peer) {
        None => answer::text(StatusCode::BAD_REQUEST, "missing peer id"),
        Some(peer) if peer != site => {
            answer::text(StatusCode::FORBIDDEN, "A site can only use its own data.")
        }
        Some(_) if suffix == "insert" && method == Method::POST && form::is_form(&headers) => {
            form::insert(&app, site, &headers, &body).await
        }
        Some(_) => data::proxy(&app, site, &suffix, &body).await,
    }
}
