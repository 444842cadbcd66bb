//! The administration (§6.6): signing in, and the page. [`crate::server::auth`] decides who gets
//! in.
//!
//! Tools send the password with each request, as with existing servers. A browser gets a form
//! instead, and then a session: a cookie that scripts cannot read and that requests of other sites
//! do not carry. Requests that change something also need a header that a foreign page cannot send.

mod actions;
mod administrator;
mod lists;
mod relay;
mod state;

use std::{sync::Arc, time::Instant};

use axum::{
    Extension, Form, Router,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;

use crate::server::{
    app::App,
    auth::{COOKIE, SESSION},
    connections::client::Client,
    respond::{ABOVE, HERE, html},
};
use administrator::{Administrator, disabled, login_form};

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/admin", get(page).post(login))
        .route("/admin/", get(|| async { Redirect::permanent("../admin") }))
        .route("/admin/login", post(login))
        .route("/admin/logout", post(logout))
        .route("/admin/state.json", get(state::state))
        .route("/admin/kick", post(actions::kick))
        .route("/admin/block", post(actions::block))
        .route("/admin/unblock", post(actions::unblock))
        .route("/admin/unregister", post(actions::unregister))
        .route("/peers.json", get(lists::peers))
        .route("/logs.json", get(lists::logs))
        .route("/registrations.json", get(lists::registrations))
}

/// The frame of the page, which its script fills.
async fn page(_: Administrator) -> Response {
    html(
        HERE,
        StatusCode::OK,
        "Administration",
        include_str!("../../../assets/admin.html"),
        Some("admin.js"),
    )
}

#[derive(Deserialize)]
struct Login {
    password: String,
}

async fn login(
    State(app): State<Arc<App>>,
    Extension(Client(client)): Extension<Client>,
    uri: Uri,
    headers: HeaderMap,
    Form(Login { password }): Form<Login>,
) -> Response {
    let root = if uri.path() == "/admin" { HERE } else { ABOVE };
    if !app.admin.is_enabled() {
        return disabled(&headers);
    }
    let now = Instant::now();
    match app.admin.check(&password, client, now) {
        Ok(true) => {
            app.log.add((app.clock)(), "Administrator signed in");
            let secure = headers
                .get("x-forwarded-proto")
                .is_some_and(|proto| proto == "https");
            let secure = if secure { "; Secure" } else { "" };
            let cookie = format!(
                "{COOKIE}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{secure}",
                app.admin.open(now),
                SESSION.as_secs()
            );
            (
                [(header::SET_COOKIE, cookie)],
                Redirect::to(&format!("{root}admin")),
            )
                .into_response()
        }
        Ok(false) => {
            app.log.add((app.clock)(), "Wrong admin password");
            login_form(root, StatusCode::UNAUTHORIZED, "Wrong password.")
        }
        Err(wait) => {
            let text = format!("Too many attempts. Try again in {} s.", wait.as_secs() + 1);
            let mut answer = login_form(root, StatusCode::TOO_MANY_REQUESTS, &text);
            answer
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
            answer
        }
    }
}

async fn logout(State(app): State<Arc<App>>, _: Administrator, headers: HeaderMap) -> Response {
    app.admin.close(&headers);
    let cookie = format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    ([(header::SET_COOKIE, cookie)], StatusCode::NO_CONTENT).into_response()
}
