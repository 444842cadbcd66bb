//! The site SDK (PROTOCOL §9.6): scripts that sites of both generations load by absolute path. The
//! visitor's Goop2 provides them. Each is sent after `core.js`, in one closure. A script for a
//! feature that this version lacks says so instead of being missing.

use axum::{
    extract::Path,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, EXPIRES, PRAGMA},
    },
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;

use crate::answer;

/// Bytes of the longest script name that is looked up.
const MAX_NAME: usize = 64;

#[derive(RustEmbed)]
#[folder = "sdk/"]
struct Sources;

/// The scripts that viewers add to pages; no site has a file in their place.
pub(crate) const ADDED: [&str; 2] = ["goop-live.js", "goop-refused.js"];

/// Types of the SDK, for editors.
const TYPES: &str = "goop.d.ts";

/// The scripts that follow changes of the site.
const FOLLOWERS: [&str; 2] = ["data", "live"];

/// The scripts that say something over the page.
const NOTICES: [&str; 2] = ["live", "refused"];

/// A new version of Goop2 takes effect at once (§9.3).
const NEVER_KEPT: &str = "no-store, no-cache, must-revalidate, max-age=0";

pub(crate) async fn file(Path(name): Path<String>) -> Response {
    match source(&name) {
        Some((kind, text)) => (
            [
                (CONTENT_TYPE, kind),
                (CACHE_CONTROL, NEVER_KEPT),
                (PRAGMA, "no-cache"),
                (EXPIRES, "0"),
            ],
            text,
        )
            .into_response(),
        None => answer::text(StatusCode::NOT_FOUND, "not found"),
    }
}

/// Whether the SDK has a file of this name.
pub(crate) fn exists(name: &str) -> bool {
    source(name).is_some()
}

fn source(name: &str) -> Option<(&'static str, String)> {
    if name == TYPES {
        return Some(("text/plain; charset=utf-8", embedded(TYPES)));
    }
    let (stem, kind) = name.strip_prefix("goop-")?.rsplit_once('.')?;
    let plain = stem
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    match kind {
        _ if !plain || stem.is_empty() || name.len() > MAX_NAME => None,
        "css" => Some(("text/css; charset=utf-8", read(name).unwrap_or_default())),
        "js" => Some(("text/javascript; charset=utf-8", script(stem, name))),
        _ => None,
    }
}

fn script(stem: &str, name: &str) -> String {
    let body =
        read(name).unwrap_or_else(|| embedded("unavailable.js").replace("__NAME__", &global(stem)));
    let mut before = embedded("core.js") + "\n";
    for (needs, part) in [(FOLLOWERS, "changes.js"), (NOTICES, "notice.js")] {
        if needs.contains(&stem) {
            before += &embedded(part);
        }
    }
    format!("(() => {{\n\"use strict\";\n{before}{body}}})();\n")
}

/// The name on `Goop`: `fileList` for `component-file-list`, `call` for `call-ui`.
fn global(stem: &str) -> String {
    let stem = stem
        .strip_prefix("component-")
        .unwrap_or(stem)
        .trim_end_matches("-ui");
    let mut words = stem.split('-').filter(|word| !word.is_empty());
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        name + &word[..1].to_uppercase() + &word[1..]
    })
}

fn read(name: &str) -> Option<String> {
    Sources::get(name).and_then(|file| String::from_utf8(file.data.into_owned()).ok())
}

fn embedded(name: &str) -> String {
    read(name).expect("the file is in sdk/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_exists_and_those_without_a_feature_say_so() {
        for name in [
            "data", "identity", "site", "peers", "form", "forms", "ui", "log",
        ] {
            let (kind, text) = source(&format!("goop-{name}.js")).unwrap();
            assert_eq!(kind, "text/javascript; charset=utf-8");
            assert!(text.contains(&format!("Goop.{name} = ")), "{name}");
        }
        let [live, refused] = ADDED.map(|name| source(name).unwrap().1);
        assert!(refused.contains("function notice") && refused.contains("securitypolicyviolation"));
        assert!(live.contains("function onChanges") && live.contains("location.reload"));
        assert!(source(TYPES).unwrap().1.contains("declare const Goop"));
        for (file, name) in [
            ("goop-chat.js", "chat"),
            ("goop-call-ui.js", "call"),
            ("goop-component-file-list.js", "fileList"),
        ] {
            assert!(
                source(file).unwrap().1.contains(&format!("\"{name}\"")),
                "{file}"
            );
        }
        assert_eq!(
            source("goop-component-tabs.css").unwrap(),
            ("text/css; charset=utf-8", String::new())
        );
        assert!(!source("goop-page.css").unwrap().1.is_empty());
    }

    #[test]
    fn nothing_else_exists() {
        for name in [
            "core.js",
            "unavailable.js",
            "goop-.js",
            "goop-x.html",
            "goop-a\"b.js",
            "goop-../core.js",
            "goop-",
            "",
            "goop-A.js",
        ] {
            assert!(source(name).is_none(), "{name}");
        }
    }
}
