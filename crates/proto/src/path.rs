//! Which file of a site a request names (§4.2): the only way to make a [`SitePath`], and only a
//! [`SitePath`] opens a file.
//!
//! The request is cleaned lexically, exactly as existing peers do it, so the same links work on
//! both. What is refused beyond that is what some file system would understand as another name than
//! the one that was checked: a site folder must be as safe on Windows or macOS as it is on Linux,
//! and on all of them it must serve the same files.

use std::fmt;

/// A file inside a site: relative, `/`-separated, never empty, no `.`, `..` or dot-file component,
/// not under `lua`, and nothing a platform treats specially.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SitePath(String);

/// Why a path names no file that is served. The texts are parsed by existing peers (§4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such file, or none that is ever served.
    #[error("not found")]
    NotFound,
    /// Outside the site, or the site's scripts.
    #[error("forbidden")]
    Forbidden,
}

impl SitePath {
    /// The site's front page, `index.html`.
    pub fn index() -> Self {
        Self("index.html".into())
    }

    /// Applies the path rules of §4.2 steps 3–6 and §12.2 (no URL decoding, no query string) and
    /// the stricter ones of its weakness list.
    pub fn parse(request: &str) -> Result<Self, Refusal> {
        let request = request.trim();
        if request.is_empty() || request == "/" {
            return Ok(Self::index());
        }
        let cleaned = clean(request)?;
        // Existing peers strip one backslash of a path already cleaned, and joining it to the root
        // cleans it again.
        let cleaned = cleaned
            .strip_prefix('\\')
            .map_or(Ok(cleaned.clone()), clean)?;

        match cleaned.split('/').next() {
            Some(SCRIPTS) => Err(Refusal::Forbidden),
            Some(first) if first.eq_ignore_ascii_case(SCRIPTS) => Err(Refusal::NotFound),
            _ if cleaned.split('/').all(is_plain_name) => Ok(Self(cleaned)),
            _ => Err(Refusal::NotFound),
        }
    }

    /// The path, relative to the site's root.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SitePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for SitePath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// The top-level folder of the site's scripts and their state.
const SCRIPTS: &str = "lua";

/// Names Windows gives to devices, in every folder and with any extension.
const DEVICES: [&str; 7] = ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"];

/// Resolves `.`, `..` and empty components without looking at any file. `..` stops at the root of
/// an absolute path and leaves that of a relative one.
fn clean(path: &str) -> Result<String, Refusal> {
    let absolute = path.starts_with('/');
    let mut components = Vec::new();
    for component in path.split('/') {
        match component {
            "" | "." => {}
            ".." if components.pop().is_none() && !absolute => return Err(Refusal::Forbidden),
            ".." => {}
            name => components.push(name),
        }
    }
    Ok(components.join("/"))
}

/// Whether every file system takes the name literally; an empty one is the site's root, a folder.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && !name.ends_with(|c: char| c == '.' || c.is_whitespace())
        && !name.contains(is_special)
        && !is_device(name)
        && !is_short_name(name)
}

/// Separators, alternate streams, control characters, and those that HFS+ ignores when it compares
/// names.
fn is_special(c: char) -> bool {
    c == '\\'
        || c == ':'
        || c.is_control()
        || matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

fn is_device(name: &str) -> bool {
    let stem = name
        .split('.')
        .next()
        .unwrap_or(name)
        .trim_end()
        .to_ascii_lowercase();
    let numbered = stem
        .strip_prefix("com")
        .or_else(|| stem.strip_prefix("lpt"));
    DEVICES.contains(&stem.as_str())
        || numbered.is_some_and(|n| {
            matches!(n, "¹" | "²" | "³") || n.len() == 1 && n.as_bytes()[0].is_ascii_digit()
        })
}

/// `GIT~1`: the second name Windows keeps for `.git` and every other long name.
fn is_short_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    let number = stem.rsplit_once('~').map(|(_, number)| number);
    stem.len() <= 8
        && number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(request: &str) -> Result<String, &'static str> {
        match SitePath::parse(request) {
            Ok(path) => Ok(path.0),
            Err(Refusal::NotFound) => Err("not found"),
            Err(Refusal::Forbidden) => Err("forbidden"),
        }
    }

    #[track_caller]
    fn opens(request: &str, path: &str) {
        assert_eq!(parse(request), Ok(path.into()), "{request:?}");
    }

    #[track_caller]
    fn refused(refusal: &'static str, requests: &[&str]) {
        for request in requests {
            assert_eq!(parse(request), Err(refusal), "{request:?}");
        }
    }

    /// PROTOCOL §12.2. That `/a` is a folder only the file system knows.
    #[test]
    fn the_path_table() {
        for request in [
            "",
            "/",
            "/index.html",
            "index.html",
            "/a/../index.html",
            "/../index.html",
        ] {
            opens(request, "index.html");
        }
        refused(
            "forbidden",
            &["../index.html", "/lua", "/lua/x.lua", "/a/../lua/x.lua"],
        );
        opens("//a//b.txt", "a/b.txt");
        opens("/a/", "a");
        opens("/index.html?x=1", "index.html?x=1");
        opens("/index%2ehtml", "index%2ehtml");
    }

    #[test]
    fn a_relative_path_cannot_leave_the_site_and_an_absolute_one_stays_at_its_root() {
        refused(
            "forbidden",
            &[
                "..",
                "../",
                "./../x",
                "a/../..",
                "a/../../index.html",
                "/\\../x",
                "\\..",
                "\\../x",
            ],
        );
        opens("/../../../../a", "a");
        opens("/a/b/../../../c", "c");
    }

    #[test]
    fn the_root_itself_is_a_folder() {
        refused(
            "not found",
            &["//", "/.", "/a/..", ".", "./", "\\", "/\\", "\\."],
        );
    }

    #[test]
    fn scripts_are_not_served_in_any_case() {
        refused(
            "forbidden",
            &["lua", "./lua", "//lua//x", "\\lua/x", "\\/lua/x", "/lua/.x"],
        );
        refused(
            "not found",
            &[
                "/LUA/x.lua",
                "/Lua",
                "/lua./x",
                "/lua /x",
                "/lua\\x",
                "/lua::$DATA",
                "/l\u{200c}ua/x",
            ],
        );
        opens("/docs/lua/x.html", "docs/lua/x.html");
        opens("/luau", "luau");
    }

    #[test]
    fn dot_files_are_not_served() {
        refused(
            "not found",
            &[
                "/.hidden",
                "/.git/config",
                "/a/.env",
                "/...",
                "/a/..b",
                "/\u{feff}.git/x",
                "/GIT~1/config",
                "/A~BCDE~1.HTM",
            ],
        );
    }

    #[test]
    fn names_a_platform_reads_differently_are_not_served() {
        refused(
            "not found",
            &[
                "/a\\b",
                "/\\\\index.html",
                "/a\\..\\..\\x",
                "/index.html\\",
                "/c:/x",
                "/a.html:stream",
                "/a\0b",
                "/a\nb",
            ],
        );
        refused(
            "not found",
            &[
                "/a./b",
                "/a /b",
                "/x.",
                "/CON",
                "/nul.txt",
                "/a/Aux.tar.gz",
                "/com1",
                "/LPT9.x",
                "/a\u{a0}/",
                "/com¹",
                "/con .x",
            ],
        );
        for plain in [
            "console.js",
            "com10",
            "community.html",
            "aux-1.js",
            "~1x",
            "notes~old.txt",
            "longer-name~1.txt",
        ] {
            opens(plain, plain);
        }
    }

    #[test]
    fn one_leading_backslash_is_stripped_as_existing_peers_do() {
        opens("/\\index.html", "index.html");
        opens("\\a/b", "a/b");
    }

    #[test]
    fn names_may_be_in_any_script_and_have_spaces() {
        opens("/ünï.html", "ünï.html");
        opens("/a b.html", "a b.html");
        opens(" /日本/語.html ", "日本/語.html");
    }
}
