//! Links of the site's pages that lead to nothing in the site: what a visitor would see is asked of
//! the site itself, so redirects and addresses without `.html` count as they do for visitors.

use std::{collections::HashMap, io::Read};

use goop2_proto::{SitePath, path::Platform};
use http::{Method, Request, header::ACCEPT};
use url::Url;

use crate::site::{Site, tree::Tree};

/// Pages that are read, and bytes of one and of all: a second or two.
const MAX_PAGES: usize = 1000;
const MAX_PAGE: u64 = 512 * 1024;
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Different addresses that are looked up: each is a few looks at the disk.
const MAX_LOOKED_UP: usize = 20_000;

/// Links that are reported: a list that a person can still read.
const MAX_BROKEN: usize = 200;

/// Longest link that is looked at, in bytes: others are data.
const MAX_LINK: usize = 2048;

/// What Goop2 itself answers on a site's origin.
const OURS: [&str; 4] = ["/api/", "/sdk/", "/assets/js/", "/p/"];

/// A link to something that the site does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The page it is on.
    pub page: String,
    /// The line, from 1.
    pub line: usize,
    /// As it is written.
    pub link: String,
}

pub(super) fn broken<'a>(
    site: &Site,
    tree: &Tree<'_>,
    files: impl Iterator<Item = &'a str>,
) -> Vec<Broken> {
    let mut broken = vec![];
    let mut known = HashMap::new();
    let mut read = 0;
    for page in files.filter(|file| is_page(file)).take(MAX_PAGES) {
        let Some(text) = text(tree, page) else {
            continue;
        };
        read += text.len() as u64;
        if read > MAX_BYTES {
            break;
        }
        for found in links(&text) {
            let Some(target) = target(page, &found.link) else {
                continue;
            };
            if known.len() == MAX_LOOKED_UP {
                return broken;
            }
            let leads = known
                .entry(target)
                .or_insert_with_key(|target| leads(site, target));
            if !*leads {
                broken.push(Broken {
                    page: page.into(),
                    line: found.line,
                    link: found.link,
                });
            }
            if broken.len() == MAX_BROKEN {
                return broken;
            }
        }
    }
    broken
}

fn is_page(path: &str) -> bool {
    let extension = path.rsplit_once('.').map(|(_, extension)| extension);
    extension.is_some_and(|it| it.eq_ignore_ascii_case("html") || it.eq_ignore_ascii_case("htm"))
}

fn text(tree: &Tree<'_>, page: &str) -> Option<String> {
    let path = SitePath::absolute(page, Platform::HERE).ok()??;
    let mut bytes = vec![];
    tree.file(&path)?
        .file
        .take(MAX_PAGE)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The address in the site that a link of a page leads to; `None` for one that leaves the site.
fn target(page: &str, link: &str) -> Option<String> {
    let mut base = Url::parse("http://site.invalid/").ok()?;
    base.path_segments_mut()
        .ok()?
        .pop_if_empty()
        .extend(page.split('/'));
    let url = base.join(link).ok()?;
    let within =
        url.scheme() == "http" && url.host_str() == base.host_str() && url.port().is_none();
    let ours = OURS.iter().any(|ours| url.path().starts_with(ours));
    (within && !ours).then(|| url.path().to_owned())
}

fn leads(site: &Site, target: &str) -> bool {
    let request = Request::builder()
        .method(Method::HEAD)
        .uri(target)
        .header(ACCEPT, "text/html");
    let Ok(request) = request.body(()) else {
        return false;
    };
    let status = site.answer(&request.into_parts().0).status();
    !status.is_client_error()
}

#[derive(Debug, PartialEq)]
struct Found {
    line: usize,
    link: String,
}

/// The links of a page, by a reading of HTML that is simpler than a browser's: enough for what
/// people write, and a mistake only costs a wrong line in a list of hints.
fn links(html: &str) -> Vec<Found> {
    let mut found = vec![];
    let mut rest = html;
    let mut line = 1;
    let advance = |rest: &mut &str, line: &mut usize, by: usize| {
        *line += rest[..by].matches('\n').count();
        *rest = &rest[by..];
    };
    while let Some(at) = rest.find('<') {
        advance(&mut rest, &mut line, at + 1);
        if rest.starts_with("!--") {
            let end = rest.find("-->").unwrap_or(rest.len());
            advance(&mut rest, &mut line, end);
            continue;
        }
        let name_len = rest
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(rest.len());
        let name = rest[..name_len].to_ascii_lowercase();
        if name.is_empty() {
            continue;
        }
        // Every address of a page with a base would have to be read against it.
        if name == "base" {
            return vec![];
        }
        advance(&mut rest, &mut line, name_len);
        let (attributes, end) = attributes(rest);
        for (attribute, value, at) in attributes {
            if is_link(&name, &attribute) && is_looked_at(&value) {
                let line = line + rest[..at].matches('\n').count();
                found.push(Found { line, link: value });
            }
        }
        advance(&mut rest, &mut line, end);
        if ["script", "style", "textarea", "title", "template"].contains(&name.as_str()) {
            let close = find_ignoring_case(rest, &format!("</{name}")).unwrap_or(rest.len());
            advance(&mut rest, &mut line, close);
        }
    }
    found
}

fn is_link(element: &str, attribute: &str) -> bool {
    match attribute {
        "href" => ["a", "area", "link"].contains(&element),
        "src" => [
            "img", "script", "iframe", "audio", "video", "source", "track", "embed", "input",
        ]
        .contains(&element),
        "poster" => element == "video",
        _ => false,
    }
}

fn is_looked_at(link: &str) -> bool {
    let link = link.trim();
    // Of a template, filled in by a script.
    let filled_in = link.contains("{{") || link.contains("${") || link.contains("<%");
    !link.is_empty() && !link.starts_with('#') && link.len() <= MAX_LINK && !filled_in
}

/// Names, values and where they are, up to the end of the tag, and where that is.
fn attributes(tag: &str) -> (Vec<(String, String, usize)>, usize) {
    let mut found = vec![];
    let mut at = 0;
    loop {
        let skipped = tag[at..].find(|c: char| !c.is_ascii_whitespace() && c != '/');
        let Some(skipped) = skipped else {
            return (found, tag.len());
        };
        at += skipped;
        if tag[at..].starts_with('>') {
            return (found, at + 1);
        }
        let start = at;
        let first = tag[at..].chars().next().map_or(1, char::len_utf8);
        let ends = |c: char| c.is_ascii_whitespace() || matches!(c, '=' | '>' | '/');
        let len = tag[at + first..]
            .find(ends)
            .unwrap_or(tag.len() - at - first);
        at += first + len;
        let name = tag[start..at].to_ascii_lowercase();
        let blank = |at: usize| at + tag[at..].len() - tag[at..].trim_ascii_start().len();
        let equals = blank(at);
        if !tag[equals..].starts_with('=') {
            continue;
        }
        at = blank(equals + 1);
        let (value, end) = value(tag, at);
        found.push((name, html_decoded(value), start));
        at = end;
    }
}

fn value(tag: &str, at: usize) -> (&str, usize) {
    let quote = tag[at..].chars().next().filter(|c| matches!(c, '"' | '\''));
    match quote {
        Some(quote) => {
            let inner = &tag[at + 1..];
            let end = inner.find(quote).unwrap_or(inner.len());
            (&inner[..end], (at + 1 + end + 1).min(tag.len()))
        }
        None => {
            let end = tag[at..].find(|c: char| c.is_ascii_whitespace() || c == '>');
            let end = end.map_or(tag.len(), |end| at + end);
            (&tag[at..end], end)
        }
    }
}

fn html_decoded(value: &str) -> String {
    value
        .trim()
        .replace("&amp;", "&")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
}

fn find_ignoring_case(text: &str, what: &str) -> Option<usize> {
    let (text, what) = (text.as_bytes(), what.as_bytes());
    text.windows(what.len())
        .position(|window| window.eq_ignore_ascii_case(what))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn links_are_found_where_browsers_find_them() {
        let html = "<!doctype html>\n<!-- <a href=no> -->\n<A\n HREF = 'a b.html'>x</a>\n\
                    <img alt=\"<a href=no>\" src=pic.png><script>'<a href=no>'</script>\n\
                    <a href=\"x?a=1&amp;b=2\">y</a><a href=#top><a href><p href=no><a href=\"{{url}}\">";
        let found: Vec<_> = links(html)
            .into_iter()
            .map(|it| (it.line, it.link))
            .collect();
        assert_eq!(
            found,
            [
                (4, "a b.html".into()),
                (5, "pic.png".into()),
                (6, "x?a=1&b=2".into())
            ]
        );
        assert_eq!(links("<base href=/x/><a href=y>"), []);
    }

    #[test]
    fn a_link_leads_within_the_site_or_is_left_alone() {
        let to = |link: &str| target("posts/one.html", link);
        assert_eq!(to("two.html").as_deref(), Some("/posts/two.html"));
        assert_eq!(to("../a b.html?x#y").as_deref(), Some("/a%20b.html"));
        assert_eq!(to("/top/").as_deref(), Some("/top/"));
        assert_eq!(to("../../../etc/passwd").as_deref(), Some("/etc/passwd"));
        for out in [
            "https://example.org/",
            "//example.org/x",
            "mailto:a@b",
            "data:,x",
            "javascript:x",
            "goop://x/",
            "/api/self",
            "/sdk/goop.js",
            "/p/x/",
        ] {
            assert_eq!(to(out), None, "{out}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(html in "[<>a-z\"'=!/ \\n-]{0,200}") {
            let _found = links(&html);
        }

        #[test]
        fn nor_is_any_other(html in "\\PC{0,200}") {
            let _found = links(&format!("<a {html}"));
        }
    }
}
