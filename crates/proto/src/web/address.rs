//! Which form of address a page is shown at: `/p/<peer id>/…`, where pages made for existing peers
//! read their peer id, or `/…`, as builds for a web server expect.
//!
//! Nothing in a file says so. But a page that was built for the root of an origin names files of its
//! own site by addresses that begin with `/`, which lead out of the site at existing peers; and a
//! page that needs its peer id loads the SDK, uses the API or names addresses of peers. The first
//! kind is shown at the root unless it is of the second kind too.

/// Scripts of a page that are looked at.
pub const MAX_SCRIPTS: usize = 8;

/// Bytes of a page or script that are looked at.
pub const MAX_BYTES: usize = 256 * 1024;

/// Longest address of a script that is followed; each one is kept in memory for a while.
const MAX_ADDRESS: usize = 1024;

/// The SDK of the two generations, and the API of a peer's data.
const MARKS: [&[u8]; 3] = [b"/sdk/goop-", b"/assets/js/goop-", b"/api/p/"];

/// The attributes that hold addresses.
const NAMES: [&[u8]; 2] = [b"href", b"src"];

/// The address of a peer's site; the second one as regular expressions write it.
const PEERS: [&[u8]; 2] = [b"/p/", b"\\/p\\/"];

/// Whether a page or script uses the SDK or the API, or names addresses of peers.
pub fn names_peers(text: &[u8]) -> bool {
    (0..text.len())
        .filter(|at| matches!(text[*at], b'/' | b'\\'))
        .any(|at| {
            let rest = &text[at..];
            MARKS.iter().any(|mark| rest.starts_with(mark))
                || PEERS.iter().any(|peer| rest.starts_with(peer)) && begins(text[..at].last())
        })
}

/// Whether an address can begin after this byte. In the middle of another one, or of data in
/// base64, the letters mean nothing.
fn begins(before: Option<&u8>) -> bool {
    before.is_none_or(|byte| {
        !byte.is_ascii_alphanumeric() && !matches!(byte, b'/' | b'+' | b'-' | b'_' | b'.' | b'%')
    })
}

/// Whether a page names files of the same site by addresses from the root.
pub fn names_root(page: &[u8]) -> bool {
    let is_root = |value: &[u8]| {
        let value = value.trim_ascii_start();
        let quoted = value.strip_prefix(b"\"").or(value.strip_prefix(b"'"));
        let value = quoted.unwrap_or(value).trim_ascii_start();
        value.starts_with(b"/")
            && !value.starts_with(b"//")
            && ![&MARKS[..], &PEERS[..]]
                .concat()
                .iter()
                .any(|mark| value.starts_with(mark))
    };
    NAMES.iter().any(|name| {
        (0..page.len().saturating_sub(name.len())).any(|at| {
            let (found, rest) = page[at..].split_at(name.len());
            found.eq_ignore_ascii_case(name)
                && rest
                    .trim_ascii_start()
                    .strip_prefix(b"=")
                    .is_some_and(is_root)
        })
    })
}

/// The addresses of the scripts that a page loads, as they are written; the first ones.
pub fn scripts(page: &str) -> Vec<String> {
    let mut scripts = vec![];
    let mut rest = page;
    while let Some(tag) = next_tag(&mut rest) {
        let source = attribute(tag, "src").map(str::trim);
        if let Some(source) =
            source.filter(|source| !source.is_empty() && source.len() <= MAX_ADDRESS)
        {
            scripts.push(source.into());
            if scripts.len() == MAX_SCRIPTS {
                break;
            }
        }
    }
    scripts
}

/// The attributes of the next `<script …>`.
fn next_tag<'a>(rest: &mut &'a str) -> Option<&'a str> {
    const NAME: &str = "<script";
    loop {
        let at = rest
            .as_bytes()
            .windows(NAME.len())
            .position(|window| window.eq_ignore_ascii_case(NAME.as_bytes()))?;
        let tag = &rest[at + NAME.len()..];
        *rest = tag;
        if tag.starts_with(|c: char| c.is_ascii_whitespace() || c == '/') {
            return Some(tag);
        }
    }
}

/// The value of an attribute in a tag that begins here, up to its `>`.
fn attribute<'a>(tag: &'a str, wanted: &str) -> Option<&'a str> {
    let mut rest = tag;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        let end = rest.find(|c: char| c.is_ascii_whitespace() || matches!(c, '=' | '>' | '/'))?;
        let (name, after) = rest.split_at(end);
        if name.is_empty() && after.starts_with('>') {
            return None;
        }
        let after = after.trim_start();
        let Some(value) = after.strip_prefix('=') else {
            rest = after;
            continue;
        };
        let value = value.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (value, after) = match quote {
            Some(quote) => value[1..].split_once(quote)?,
            None => {
                let end = value.find(|c: char| c.is_ascii_whitespace() || c == '>')?;
                value.split_at(end)
            }
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = after;
    }
}

/// The address of a script, seen from the page at `base` (an absolute path, escapes as they are):
/// an absolute path on the same site. `None` for one of another site.
pub fn on_site(base: &str, script: &str) -> Option<String> {
    let path = script.split(['?', '#']).next().unwrap_or_default();
    let first = path.split('/').next().unwrap_or_default();
    if path.is_empty() || path.starts_with("//") || path.contains('\\') || first.contains(':') {
        return None;
    }
    if path.starts_with('/') {
        return Some(path.into());
    }
    let folder = base.rfind('/').map_or("/", |at| &base[..=at]);
    Some(format!("{folder}{path}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn who_names_peers() {
        for text in [
            "<script src=\"/sdk/goop-data.js\"></script>",
            "<script src=/assets/js/goop-data.js>",
            "fetch('/api/p/' + id + '/data/insert')",
            "fetch(base + \"/api/p/\")",
            "location.href = `/p/${id}/`",
            "/p/",
            "<a href=/p/12D3/>",
            "/^\\/p\\/([^/]+)/.exec(location.pathname)",
            "`${base}/p/`",
        ] {
            assert!(names_peers(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "<p>x</p>",
            "<p/>x",
            "https://example.org/p/1",
            "/a/p/b",
            "../p/b",
            "data:image/png;base64,aaaa/p/bbbb",
            "data:image/png;base64,aaa+/p/bbbb",
            "/sdk/other.js",
            "/assets/js/main.js",
            "/api/",
            "a\\p\\b",
        ] {
            assert!(!names_peers(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn who_names_the_root() {
        for page in [
            "<script type=\"module\" crossorigin src=\"/assets/index-a1.js\"></script>",
            "<link rel=stylesheet href=/style.css>",
            "<a HREF = '/'>Home</a>",
            "<img src=\" /x.png\">",
        ] {
            assert!(names_root(page.as_bytes()), "{page}");
        }
        for page in [
            "",
            "href",
            "href=",
            "<h1>/style.css</h1>",
            "<a href=about.html>",
            "<script src=\"/sdk/goop-data.js\"></script>",
            "<script src='/assets/js/goop-data.js'></script>",
            "<a href=/p/12D3/>",
            "<img src=//example.org/x.png>",
            "<a href=\"https://example.org/\">",
            "<a href=\"./x\">",
        ] {
            assert!(!names_root(page.as_bytes()), "{page}");
        }
    }

    #[test]
    fn the_scripts_of_a_page() {
        let page = "<!doctype html><script>var a = '<script';</script>
            <SCRIPT SRC=a.js></SCRIPT><script type=module src='/b c.js?x'></script>
            <script\n async\n src = \"c.js\" defer></script><scripts src=no.js>
            <script data-src=no.js></script><script src=></script><script src=\"\"></script>
            <script/src=d.js></script><script src=e.js/></script><script src=\"unclosed";
        assert_eq!(
            scripts(page),
            ["a.js", "/b c.js?x", "c.js", "d.js", "e.js/"]
        );
        let many = "<script src=x.js></script>".repeat(20);
        assert_eq!(scripts(&many).len(), MAX_SCRIPTS);
        let long = format!("<script src={}></script>", "x".repeat(MAX_ADDRESS + 1));
        assert_eq!(scripts(&long), [""; 0]);
    }

    #[test]
    fn where_a_script_is() {
        for (base, script, path) in [
            ("/", "a.js", Some("/a.js")),
            ("/x/y.html", "a.js?v=1#b", Some("/x/a.js")),
            ("/x/", "../a.js", Some("/x/../a.js")),
            ("/x/y", "/a.js", Some("/a.js")),
            ("/x/y", "a:b.js", None),
            ("/x/y", "./a:b.js", Some("/x/./a:b.js")),
            ("/x/y", "//host/a.js", None),
            ("/x/y", "https://host/a.js", None),
            ("/x/y", "/\\host/a.js", None),
            ("/x/y", "data:,x", None),
            ("/x/y", "?x", None),
        ] {
            assert_eq!(on_site(base, script).as_deref(), path, "{script}");
        }
    }

    proptest! {
        #[test]
        fn no_page_makes_it_panic_or_go_on_forever(page in "(<script|[ =\"'>/srcü]|src=)*") {
            prop_assert!(scripts(&page).len() <= MAX_SCRIPTS);
            names_peers(page.as_bytes());
            names_root(page.as_bytes());
        }
    }
}
