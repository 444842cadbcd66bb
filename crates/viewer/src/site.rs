//! The origin of one visited site: its files, its data, the SDK, and the few facts a site may read
//! about its visitor.

pub(crate) mod avatar;
mod changes;
pub(crate) mod data;
mod fields;
pub(crate) mod files;
mod form;
mod headers;
mod inject;
pub(crate) mod peers;
pub(crate) mod prefetch;
pub(crate) mod redirect;
pub(crate) mod reports;
pub(crate) mod sdk;
pub(crate) mod target;
mod title;

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, FromRequest, Path, Request, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    middleware::from_fn_with_state,
    response::Response,
    routing::{any, get, post},
};
use goop2_proto::id;

use crate::{
    answer,
    app::App,
    body::{self, Input},
    door::{
        guard,
        origin::{self, Site, Visitor},
    },
    policy,
    site::{fields::Encoding, target::Target},
};

/// Everything on a site's origin.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/p/{*address}", get(visit))
        .route("/api/p/{peer}/data/{*suffix}", any(site_data))
        .route("/api/p/{peer}/changes", get(site_changes).fallback(root))
        .route("/api/self", get(peers::of_visitor))
        .route("/api/peers", get(peers::of_site))
        .route("/api/denied", post(reports::denied).get(root))
        .route("/api/logs/client", post(reports::log).get(root))
        .route("/api/avatar", get(avatar))
        .route("/api/avatar/peer/{peer}", get(avatar_of))
        .route("/sdk/{file}", get(sdk))
        .route("/assets/js/{file}", get(sdk))
        .fallback(any(root))
        .method_not_allowed_fallback(answer::wrong_method)
        .layer(DefaultBodyLimit::max(body::MAX_BODY))
        .layer(from_fn_with_state(Arc::clone(&app), policy::site))
        .with_state(app)
}

/// Whether a path of this origin is Goop2's, for scripts only. Everything else is the site's own.
pub(crate) fn is_api(path: &str) -> bool {
    let own = [
        "/api/self",
        "/api/peers",
        "/api/denied",
        "/api/logs/client",
        "/api/avatar",
    ];
    own.contains(&path) || path.starts_with("/api/p/") || path.starts_with("/api/avatar/")
}

/// `/p/<peer>/…`: a file of this site, or a redirect to another site.
async fn visit(
    State(app): State<Arc<App>>,
    Extension(site): Extension<Site>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    match Target::of_peer(&uri) {
        Some(target) if target.peer == site.0 && target.canonical => {
            files::visit(&app, &method, &target, &headers).await
        }
        Some(target) if target.peer == site.0 => redirect::within(&target),
        Some(target) => other(&app, &target, &headers),
        None => root(State(app), Extension(site), method, uri, headers).await,
    }
}

/// Nothing of a site takes anything but questions, and no API is there.
async fn not_a_file(uri: Uri) -> Response {
    if uri.path().starts_with("/api/") {
        answer::unknown().await
    } else {
        answer::wrong_method().await
    }
}

/// Any other path belongs to the site too: a site that was built for the root of an origin is shown
/// there.
async fn root(
    State(app): State<Arc<App>>,
    Extension(Site(site)): Extension<Site>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if ![Method::GET, Method::HEAD].contains(&method) {
        return not_a_file(uri).await;
    }
    files::visit(&app, &method, &Target::of_root(site, &uri), &headers).await
}

/// A script or style of the SDK, unless the site has a file of that name.
async fn sdk(
    state: State<Arc<App>>,
    site: Extension<Site>,
    Path(name): Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if sdk::ADDED.contains(&&*name) {
        return sdk::file(Path(name)).await;
    }
    let own = root(state, site, method, uri, headers).await;
    if own.status() == StatusCode::NOT_FOUND && sdk::exists(&name) {
        sdk::file(Path(name)).await
    } else {
        own
    }
}

/// The user's picture, unless the site has a file of that name.
async fn avatar(
    state: State<Arc<App>>,
    site: Extension<Site>,
    visitor: Extension<Visitor>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let own = root(state.clone(), site, method, uri, headers).await;
    match own.status() {
        StatusCode::NOT_FOUND => avatar::of_visitor(state, visitor).await,
        _ => own,
    }
}

/// The picture of the owner or the visitor, unless the site has a file of that name.
async fn avatar_of(
    state: State<Arc<App>>,
    site: Extension<Site>,
    visitor: Extension<Visitor>,
    peer: Path<String>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let own = root(state.clone(), site, method, uri, headers).await;
    match own.status() {
        StatusCode::NOT_FOUND => avatar::of_site(state, site, visitor, peer).await,
        _ => own,
    }
}

fn other(app: &App, target: &Target, headers: &HeaderMap) -> Response {
    if !guard::is_navigation(headers) {
        let message = "A site can link to another site, but not read it.";
        answer::text(StatusCode::FORBIDDEN, message)
    } else if origin::is_port(headers) {
        redirect::by_port(app, headers, target)
    } else {
        redirect::by_name(app, target)
    }
}

/// The changes of this site, for its own pages.
async fn site_changes(
    State(app): State<Arc<App>>,
    Extension(Site(site)): Extension<Site>,
    Extension(visitor): Extension<Visitor>,
    Path(peer): Path<String>,
    uri: Uri,
) -> Response {
    if id::parse(&peer) == Some(site) {
        changes::stream(&app, visitor, site, uri.query()).await
    } else {
        answer::text(StatusCode::FORBIDDEN, "A site can only use its own data.")
    }
}

/// The origin decides whose data it is; naming another peer is refused.
async fn site_data(
    State(app): State<Arc<App>>,
    Extension(Site(site)): Extension<Site>,
    Extension(visitor): Extension<Visitor>,
    Path((peer, suffix)): Path<(String, String)>,
    request: Request,
) -> Response {
    match id::parse(&peer) {
        None => return answer::text(StatusCode::BAD_REQUEST, "missing peer id"),
        Some(peer) if peer != site => {
            return answer::text(StatusCode::FORBIDDEN, "A site can only use its own data.");
        }
        Some(_) => {}
    }
    if suffix == "insert"
        && request.method() == Method::POST
        && let Some(encoding) = Encoding::of(request.headers())
    {
        return form::insert(&app, visitor, site, encoding, request).await;
    }
    match Input::from_request(request, &app).await {
        Ok(Input(body)) => data::proxy(&app, visitor, site, &suffix, &body).await,
        Err(refused) => refused,
    }
}
