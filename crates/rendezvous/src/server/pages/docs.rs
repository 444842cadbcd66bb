//! Help: short pages about joining, hosting and privacy.

use std::fmt::Write;

use axum::{
    extract::Path,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};

use crate::server::respond::{ABOVE, html, not_found};

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

/// Below a path, so the address of the first page is relative to that of the request.
pub(crate) async fn index(uri: Uri) -> Response {
    let folder = if uri.path().ends_with('/') {
        ""
    } else {
        "docs/"
    };
    let location = [(header::LOCATION, format!("{folder}{FIRST_DOC}"))];
    (StatusCode::FOUND, location).into_response()
}

pub(crate) async fn page(Path(slug): Path<String>) -> Response {
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
        let _in_memory = write!(body, "<a href=\"{name}\"{current}>{title}</a>");
    }
    let _in_memory = write!(
        body,
        "</nav>\n<article class=\"card doc\"><h1>{title}</h1>\n{text}</article>\n"
    );
    html(ABOVE, StatusCode::OK, title, &body, None)
}
