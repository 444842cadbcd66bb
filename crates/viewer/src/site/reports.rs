//! Reports of a site's pages: denied requests, and lines for the log. The policy of the origin
//! tells the visitor's browser to report the former here, on the same origin (CSP `report-uri`). A
//! page can also send such reports itself, so they are short texts of a stranger and nothing more.

use std::sync::Arc;

use axum::{Extension, extract::State, http::StatusCode};
use goop2_peer::api::Denied;
use goop2_proto::PeerId;
use serde::Deserialize;
use url::Url;

use crate::{app::App, body::Input, door::origin::Site};

/// Bytes kept of the directive that was violated, and of what the page wanted.
const MAX_KIND: usize = 32;
const MAX_TARGET: usize = 256;
/// Characters kept of a log line.
const MAX_LOG: usize = 2048;

#[derive(Deserialize)]
struct Report {
    #[serde(rename = "csp-report")]
    report: Body,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Body {
    effective_directive: Option<String>,
    violated_directive: Option<String>,
    blocked_uri: String,
}

/// A request that the policy of the origin forbade.
pub(crate) async fn denied(
    State(app): State<Arc<App>>,
    Extension(Site(site)): Extension<Site>,
    Input(body): Input,
) -> StatusCode {
    let Ok(report) = serde_json::from_slice(&body) else {
        return StatusCode::BAD_REQUEST;
    };
    let _no_window = app.denied.send(denial(site, report));
    StatusCode::NO_CONTENT
}

/// A service worker, which no policy can forbid: the door does.
pub(crate) fn worker(app: &App, site: PeerId, path: &str) {
    let _no_window = app.denied.send(Denied {
        peer: site.to_base58(),
        kind: "service-worker".into(),
        target: short(path, MAX_TARGET),
    });
}

/// A page's log line (PROTOCOL §9.5). Texts of a stranger stay at DEBUG, and short.
pub(crate) async fn log(Input(body): Input) -> StatusCode {
    let line: String = String::from_utf8_lossy(&body)
        .chars()
        .filter(|char| !char.is_control())
        .take(MAX_LOG)
        .collect();
    tracing::debug!(line, "page");
    StatusCode::NO_CONTENT
}

fn denial(site: PeerId, Report { report }: Report) -> Denied {
    let kind = report.effective_directive.or(report.violated_directive);
    let kind = kind.unwrap_or_default();
    Denied {
        peer: site.to_base58(),
        kind: short(kind.split(' ').next().unwrap_or_default(), MAX_KIND),
        target: short(&target(&report.blocked_uri), MAX_TARGET),
    }
}

/// The origin that the page wanted something from, without the path.
fn target(uri: &str) -> String {
    match Url::parse(uri) {
        Ok(url) if url.host().is_some() => url.origin().ascii_serialization(),
        _ => uri.into(),
    }
}

fn short(text: &str, max: usize) -> String {
    let text: String = text.chars().filter(|char| !char.is_control()).collect();
    text[..text.floor_char_boundary(max)].into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_an_origin_or_a_word_and_short() {
        assert_eq!(target("http://192.168.1.1/admin?x"), "http://192.168.1.1");
        assert_eq!(target("ws://10.0.0.2:81/a"), "ws://10.0.0.2:81");
        assert_eq!(target("inline"), "inline");
        assert_eq!(target("blob"), "blob");
        assert_eq!(short("a\nb\u{1b}[31m", 32), "ab[31m");
        assert_eq!(short(&"é".repeat(300), 3), "é");
    }
}
