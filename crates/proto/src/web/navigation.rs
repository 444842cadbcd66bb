//! Who asks: a person who opens a page, or a page that wants a file.

use http::{HeaderMap, HeaderName, header::ACCEPT};

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Whether a request that matches no file may get `200.html`, the page of a single-page app.
///
/// A person must open an address, and the address must not name a file of another kind: a missing
/// script, style or picture is an error and never a page, even when it is opened directly. Browsers
/// say `Sec-Fetch-Mode: navigate` when a person opens an address; then only an extension that is
/// known (`.js`, `.png`) names a file, so `/users/j.doe` and `/v1.2` are routes. Without that header
/// `Accept` has to name HTML, and every extension but that of a page names a file.
///
/// `is_type` says whether a file extension is a known one.
pub fn wants_page(headers: &HeaderMap, path: &str, is_type: impl Fn(&str) -> bool) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    let is_page = extension.is_none_or(|extension| {
        extension.eq_ignore_ascii_case("html") || extension.eq_ignore_ascii_case("htm")
    });
    match headers.get(SEC_FETCH_MODE) {
        Some(mode) => mode == "navigate" && (is_page || !extension.is_some_and(is_type)),
        None => is_page && accepts_html(headers),
    }
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|range| range.trim().eq_ignore_ascii_case("text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gets_the_page_of_an_app() {
        let is_type = |extension: &str| ["js", "png"].contains(&extension);
        let ask = |name: &'static str, value: &str, path: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            wants_page(&headers, path, is_type)
        };
        let html = "application/xhtml+xml, Text/HTML;q=0.9, */*";
        for (path, navigating, accepting) in [
            ("users/7", true, true),
            ("users/j.html", true, true),
            ("users/j.doe", true, false),
            ("v1.2", true, false),
            ("a.b/c", true, true),
            ("", true, true),
            ("app.js", false, false),
            ("a/logo.png", false, false),
        ] {
            assert_eq!(
                ask("sec-fetch-mode", "navigate", path),
                navigating,
                "{path}"
            );
            assert_eq!(ask("accept", html, path), accepting, "{path}");
            for (name, value) in [
                ("sec-fetch-mode", "cors"),
                ("sec-fetch-mode", "no-cors"),
                ("accept", "*/*"),
                ("accept", "text/css"),
            ] {
                assert!(!ask(name, value, path), "{name}: {value} {path}");
            }
        }
        assert!(!wants_page(&HeaderMap::new(), "users/7", is_type));
    }
}
