//! The files that pages refer to.

use axum::{
    extract::Path,
    http::header,
    response::{IntoResponse, Response},
};

use crate::server::respond::not_found;

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

/// Pictures are cached as by existing servers.
const KEEP: &str = "public, max-age=86400";
/// Scripts and styles have to match their page.
const ASK: &str = "no-cache";

fn file(content_type: &'static str, bytes: &'static [u8], cache: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, cache),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, bytes).into_response()
}
