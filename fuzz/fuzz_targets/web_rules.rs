//! Any file of rules and any address: what becomes a header can be one, and a redirect into the site
//! stays in it. The first line is the address, the rest is the file.
#![no_main]

use goop2_proto::{
    SitePath,
    path::Platform,
    web::rules::{
        headers::Headers,
        redirects::{Action, Redirects},
    },
};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;

/// All that an author may set.
const ALLOWED: [&str; 7] = [
    "cross-origin-opener-policy",
    "cross-origin-embedder-policy",
    "cross-origin-resource-policy",
    "cache-control",
    "content-language",
    "link",
    "x-robots-tag",
];

fuzz_target!(|text: &[u8]| {
    let at = text.iter().position(|byte| *byte == b'\n');
    let (written, file) = text.split_at(at.unwrap_or(text.len()));
    let written = String::from_utf8_lossy(written);
    let Ok(path) = SitePath::absolute(&written, Platform::Unix) else {
        return;
    };
    let path = format!("/{}", path.as_ref().map_or("", SitePath::as_str));
    let mut answer = HeaderMap::new();
    Headers::parse(file).0.apply(&path, &mut answer);
    assert!(answer.keys().all(|name| ALLOWED.contains(&name.as_str())));

    let (redirects, _) = Redirects::parse(file);
    match redirects.action(&path, &written, Some("a=b"), &|_| false) {
        Some(Action::Redirect(status, location)) => {
            assert!(status.is_redirection() && HeaderValue::from_str(&location).is_ok());
            let scheme = location.split(['/', '?', '#']).next().unwrap_or_default();
            assert!(location.starts_with("https://") || !scheme.contains(':'));
            assert!(!location.starts_with('/') && !location.contains(['\\', ' ']));
        }
        Some(Action::Rewrite(_, target)) => assert!(target.starts_with('/')),
        None => {}
    }
});
