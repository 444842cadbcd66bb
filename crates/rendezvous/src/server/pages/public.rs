//! The pages for people: what to paste, and how to join.
//!
//! All text from outside is escaped where it enters the page. There is no inline script or style,
//! so that the policy can forbid both, and a mistake in the escaping stays harmless.

use std::{fmt::Write, sync::Arc};

use crate::{
    qr::{self, Drawing},
    server::{
        app::App,
        connections::listen,
        respond::{html, not_found},
    },
};
use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use goop2_proto::html::escape;

const FIRST_DOC: &str = "join";
const DOCS: [(&str, &str, &str); 3] = [
    (
        "join",
        "Join a rendezvous",
        include_str!("../../../assets/docs/join.html"),
    ),
    (
        "host",
        "Host a rendezvous",
        include_str!("../../../assets/docs/host.html"),
    ),
    (
        "privacy",
        "What it knows",
        include_str!("../../../assets/docs/privacy.html"),
    ),
];

/// The public page (§6.7).
pub(crate) async fn public(State(app): State<Arc<App>>) -> Response {
    let urls = listen::connect_urls(&app.config.external_url, &app.addrs);
    let online = app.hub.table().len();
    let people = if online == 1 { "peer" } else { "peers" };
    let mut body = format!(
        "<header><div class=\"top\"><h1>Rendezvous</h1><span class=\"pill\">{online} {people} online</span></div>\n<p>Find \
         people beyond your own network. This server only learns that you’re online; your pages are never stored here.</p></header>\n\
         <section class=\"card\"><h2>Connect</h2>\n{}</section>\n",
        connect(&urls, &app)
    );
    if app.config.registration_required {
        body.push_str(
            "<section class=\"card\"><h2>Register</h2><p>This rendezvous shows only peers with a verified email \
             address.</p><p class=\"line\"><a class=\"button primary\" href=\"/register\">Register an address</a></p></section>\n",
        );
    }
    if urls.iter().any(|url| url.starts_with("http://")) {
        body.push_str("<p class=\"note\">Older apps (April 2026) need an https:// address.</p>\n");
    }
    html(StatusCode::OK, "Rendezvous", &body, Some("page.js"))
}

fn connect(urls: &[String], app: &App) -> String {
    if urls.is_empty() && app.addrs.iter().any(|addr| addr.ip().is_unspecified()) {
        return "<p>This computer is not connected to a network, so nobody else can reach it.</p>\n".into();
    }
    if urls.is_empty() {
        let port = app.addrs.first().map_or(0, std::net::SocketAddr::port);
        return format!(
            "<p>Only this computer can reach this rendezvous. To open it to others, leave \
             <code>presence.rendezvous_bind</code> empty in <code>goop.json</code>, or put a web server with TLS in front of port \
             {port} and set <code>presence.external_url</code>.</p>\n"
        );
    }
    let mut text: String = if urls.len() > 1 {
        "<p>Paste one of these into Goop2, under Rendezvous. Which one works depends on your network.</p>\n".into()
    } else {
        "<p>Paste this into Goop2, under Rendezvous:</p>\n".into()
    };
    for (index, url) in urls.iter().enumerate() {
        let shown = escape(url);
        let link: String = url::form_urlencoded::byte_serialize(url.as_bytes()).collect();
        let _in_memory = write!(
            text,
            "<div class=\"connect\"><code class=\"url\" id=\"url-{index}\">{shown}</code>\n<div class=\"line\">\
             <a class=\"button primary\" href=\"goop://connect?url={link}\" aria-describedby=\"url-{index}\">Open in Goop2</a><button type=\"button\" \
             data-copy=\"url-{index}\" aria-describedby=\"url-{index}\">Copy</button><output></output></div>\n\
             <details><summary>QR code</summary>{}</details></div>\n",
            qr(url)
        );
    }
    text
}

/// A picture of dark squares; its colors come from the style sheet.
fn qr(text: &str) -> String {
    let Some(Drawing { size, path }) = qr::draw(text) else {
        return "<p>This address is too long for a QR code.</p>".into();
    };
    format!(
        "<svg class=\"qr\" viewBox=\"0 0 {size} {size}\" role=\"img\" aria-label=\"QR code of {}\" shape-rendering=\"crispEdges\">\
         <path d=\"{path}\"/></svg>",
        escape(text)
    )
}

pub(crate) async fn docs() -> Response {
    let location = [(header::LOCATION, format!("/docs/{FIRST_DOC}"))];
    (StatusCode::FOUND, location).into_response()
}

pub(crate) async fn doc(Path(slug): Path<String>) -> Response {
    let Some((_, title, text)) = DOCS.iter().find(|(name, ..)| *name == slug) else {
        return not_found().await;
    };
    let mut body = String::from("<nav class=\"docs\" aria-label=\"Documentation\">");
    for (name, title, _) in DOCS {
        let current = if name == slug {
            " aria-current=\"page\""
        } else {
            ""
        };
        let _in_memory = write!(body, "<a href=\"/docs/{name}\"{current}>{title}</a>");
    }
    let _in_memory = write!(
        body,
        "</nav>\n<article class=\"card doc\"><h1>{title}</h1>\n{text}</article>\n"
    );
    html(StatusCode::OK, title, &body, None)
}

pub(crate) async fn favicon() -> Response {
    file(
        "image/vnd.microsoft.icon",
        include_bytes!("../../../assets/favicon.ico"),
        KEEP,
    )
}

pub(crate) async fn asset(Path(name): Path<String>) -> Response {
    let css = "text/css; charset=utf-8";
    let script = "text/javascript; charset=utf-8";
    match name.as_str() {
        "style.css" => file(css, include_bytes!("../../../assets/style.css"), ASK),
        "docs.css" => file(css, include_bytes!("../../../assets/docs.css"), ASK),
        "page.js" => file(script, include_bytes!("../../../assets/page.js"), ASK),
        "admin.js" => file(script, include_bytes!("../../../assets/admin.js"), ASK),
        "goop2-splash.jpg" => file(
            "image/jpeg",
            include_bytes!("../../../assets/goop2-splash.jpg"),
            KEEP,
        ),
        _ => not_found().await,
    }
}

/// Pictures, as existing servers let them be kept.
const KEEP: &str = "public, max-age=86400";
/// What has to match the page it belongs to.
const ASK: &str = "no-cache";

fn file(content_type: &'static str, bytes: &'static [u8], cache: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, cache),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_qr_code_is_a_path_and_its_frame() {
        let svg = qr("http://192.168.1.20:8787");
        assert!(
            svg.starts_with("<svg class=\"qr\" viewBox=\"0 0 33 33\""),
            "{svg}"
        );
        assert!(svg.contains("d=\"M4 4h1v1h-1z"));
        assert!(!svg.contains("style"));
        assert!(qr(&"x".repeat(9000)).starts_with("<p>"));
    }
}
