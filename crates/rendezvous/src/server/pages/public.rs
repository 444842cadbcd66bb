//! The public page (§6.7): what to paste, how many are online, and for people who were sent the
//! address, what Goop2 is.
//!
//! All text from outside is escaped where it enters the page. There is no inline script or style,
//! so that the policy can forbid both, and a mistake in the escaping stays harmless.

use std::{fmt::Write, sync::Arc};

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use goop2_proto::html::escape;
use url::Url;

use crate::{
    qr::{self, Drawing},
    server::{
        app::App,
        connections::listen,
        respond::{HERE, html},
    },
};

pub(crate) async fn page(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let root = root(&app.config.external_url, &headers);
    let urls = listen::connect_urls(&app.config.external_url, &app.addrs);
    let online = app.hub.table().len();
    let people = if online == 1 { "peer" } else { "peers" };
    let mut body = format!(
        "<header><div class=\"top\"><h1>Rendezvous</h1><span class=\"pill\">{online} {people} online</span></div>\n<p>Find \
         people beyond your own network. This server only learns that you’re online; your pages are never stored here.</p></header>\n\
         <section class=\"card\"><h2>Connect</h2>\n{}</section>\n",
        connect(&urls, &app)
    );
    body.push_str(&introduction(app.config.download_url.trim()));
    if app.config.registration_required {
        let _in_memory = writeln!(
            body,
            "<section class=\"card\"><h2>Register</h2><p>This rendezvous shows only peers with a verified email \
             address.</p><p class=\"line\"><a class=\"button primary\" href=\"{root}register\">Register an address</a></p></section>",
        );
    }
    if urls.iter().any(|url| url.starts_with("http://")) {
        body.push_str("<p class=\"note\">Older apps (April 2026) need an https:// address.</p>\n");
    }
    html(&root, StatusCode::OK, "Rendezvous", &body, Some("page.js"))
}

/// Where the pages begin, seen from this one: below a path it may be opened with and without a slash
/// at its end, which a proxy hides. So the path of the public URL counts, if that was asked for.
fn root(external: &str, headers: &HeaderMap) -> String {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let url = Url::parse(external.trim()).ok();
    match url.zip(host) {
        Some((url, host)) if url.authority().eq_ignore_ascii_case(host) => {
            escape(&format!("{}/", url.path().trim_end_matches('/')))
        }
        _ => HERE.into(),
    }
}

/// What Goop2 is and where to get it, in two sentences. Its link is also shown by "Open in Goop2"
/// when no app opens.
fn introduction(download: &str) -> String {
    let get = match download {
        "" => "Ask the person who sent you this address where to get it.".into(),
        url => format!(
            "<a id=\"download\" href=\"{}\">Get Goop2</a>, then come back to this page to connect.",
            escape(url)
        ),
    };
    format!(
        "<section class=\"card\" id=\"new\"><h2>New to Goop2?</h2><p>Goop2 is an app that turns a folder on your computer into \
         a website, which others can open while you’re online. {get}</p></section>\n"
    )
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
             <a class=\"button primary\" href=\"goop://connect?url={link}\" data-open aria-describedby=\"url-{index}\">Open in Goop2</a><button type=\"button\" \
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
