//! Which file of a site a request names (§4.2): the only way to make a [`SitePath`], and only a
//! [`SitePath`] opens a file.
//!
//! The request is cleaned lexically, exactly as existing peers do it, so the same links work on
//! both. What is refused beyond that is what a file system of this computer would understand as
//! another name than the one that was checked. Each system has its own traps, so the [`Platform`]
//! is an argument: a file with a colon in its name is served where a colon is a character like any
//! other, and every rule is tested everywhere. Disks travel between systems, though: a name that
//! some other system would misread ([`SitePath::is_portable`]) is compared with what the folder
//! lists before it is opened.
//!
//! Control characters are refused everywhere. NUL ends a name in every system's calls; the others
//! end lines in the site protocol and in logs, and no program puts them into a name that people are
//! meant to visit.

use std::fmt;

/// A file or folder inside a site: relative, `/`-separated, never empty, no `.`, `..` or hidden
/// component (but `.well-known` at the top, RFC 8615), not under `lua`, and nothing that the
/// platform it was made for treats specially.
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

/// Whose reading of names counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Linux and the like: every character but `/` and NUL is only a character.
    Unix,
    /// HFS+ ignores some characters when it compares names.
    MacOs,
    /// Devices, streams, short names, a second separator, endings that are cut off.
    Windows,
}

impl Platform {
    /// The one this program runs on.
    pub const HERE: Self = if cfg!(windows) {
        Self::Windows
    } else if cfg!(target_vendor = "apple") {
        Self::MacOs
    } else {
        Self::Unix
    };
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Unix, Self::MacOs, Self::Windows];
}

impl SitePath {
    /// The site's front page, `index.html`.
    pub fn index() -> Self {
        Self("index.html".into())
    }

    /// [`SitePath::parse_for`] this computer.
    pub fn parse(request: &str) -> Result<Self, Refusal> {
        Self::parse_for(request, Platform::HERE)
    }

    /// The file that a line of the site protocol names: the rules of §4.2 steps 3–6 and §12.2 (no
    /// URL decoding, no query string) and the stricter ones of its weakness list.
    pub fn parse_for(request: &str, platform: Platform) -> Result<Self, Refusal> {
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
        Self::check(cleaned, platform)
    }

    /// What an absolute path names whose escapes are decoded: `None` for the site's root. Nothing
    /// is trimmed or stripped: a blank at the end belongs to the name.
    pub fn absolute(path: &str, platform: Platform) -> Result<Option<Self>, Refusal> {
        let cleaned = clean(&format!("/{path}"))?;
        if cleaned.is_empty() {
            return Ok(None);
        }
        Self::check(cleaned, platform).map(Some)
    }

    /// What `name` is in `folder` (`None` for the root), under the same rules.
    pub fn in_folder(
        folder: Option<&Self>,
        name: &str,
        platform: Platform,
    ) -> Result<Self, Refusal> {
        if name.contains('/') {
            return Err(Refusal::NotFound);
        }
        let path = match folder {
            Some(folder) => format!("{folder}/{name}"),
            None => name.into(),
        };
        Self::check(path, platform)
    }

    /// Whether no system reads any of its names differently from how they are written.
    pub fn is_portable(&self) -> bool {
        Platform::ALL
            .iter()
            .all(|platform| Self::check(self.0.clone(), *platform).is_ok())
    }

    /// The path, relative to the site's root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its last component.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The folder it is in; `None` for the site's root.
    pub fn folder(&self) -> Option<Self> {
        let (folder, _) = self.0.rsplit_once('/')?;
        Some(Self(folder.into()))
    }

    fn check(cleaned: String, platform: Platform) -> Result<Self, Refusal> {
        match cleaned.split('/').next() {
            Some(SCRIPTS) => return Err(Refusal::Forbidden),
            Some(first) if first.eq_ignore_ascii_case(SCRIPTS) => return Err(Refusal::NotFound),
            _ => {}
        }
        let mut names = cleaned.split('/').enumerate();
        let is_plain =
            |(depth, name)| depth == 0 && name == WELL_KNOWN || objection(name, platform).is_none();
        if names.all(is_plain) {
            Ok(Self(cleaned))
        } else {
            Err(Refusal::NotFound)
        }
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

/// What keeps a name from being served. The texts complete "This file is not served: …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// It begins with a dot.
    #[error("names that begin with a dot are hidden")]
    Hidden,
    /// It has a control character, or nothing at all.
    #[error("its name has a control character")]
    Control,
    /// It has a character that Windows reads as part of the path.
    #[error("Windows reads \\ and : in a name as something else")]
    Separator,
    /// It has an invisible character that macOS ignores.
    #[error("its name has an invisible character that this system ignores")]
    Invisible,
    /// Windows cuts off its end.
    #[error("Windows cuts off dots and blanks at the end of a name")]
    Ending,
    /// Windows takes it for a device.
    #[error("Windows takes this name for a device")]
    Device,
    /// Windows may take it for the short name of another file.
    #[error("Windows may take this name for the short one of another file")]
    ShortName,
}

/// Why this name, of a file or folder anywhere in a site, is not served on a platform; `None` when
/// the platform takes it literally. (`.well-known` at the top is the caller's exception.)
pub fn objection(name: &str, platform: Platform) -> Option<Objection> {
    let windows = platform == Platform::Windows;
    let found = |objection, is_so: bool| is_so.then_some(objection);
    found(
        Objection::Control,
        name.is_empty() || name.contains(char::is_control),
    )
    .or(found(Objection::Hidden, name.starts_with('.')))
    .or(found(
        Objection::Separator,
        windows && name.contains(['\\', ':']),
    ))
    .or(found(
        Objection::Invisible,
        platform != Platform::Unix && name.contains(is_ignored),
    ))
    .or(found(
        Objection::Ending,
        windows && name.ends_with(|c: char| c == '.' || c.is_whitespace()),
    ))
    .or(found(Objection::Device, windows && is_device(name)))
    .or(found(Objection::ShortName, windows && is_short_name(name)))
}

/// The top-level folder of the site's scripts and their state.
const SCRIPTS: &str = "lua";

/// The one hidden folder that is meant for visitors (RFC 8615); only at the top.
const WELL_KNOWN: &str = ".well-known";

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

/// What HFS+ ignores when it compares names.
fn is_ignored(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
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

    const TRAPPED: &[Platform] = &[Platform::MacOs, Platform::Windows];

    fn parse_for(request: &str, platform: Platform) -> Result<String, &'static str> {
        match SitePath::parse_for(request, platform) {
            Ok(path) => Ok(path.0),
            Err(Refusal::NotFound) => Err("not found"),
            Err(Refusal::Forbidden) => Err("forbidden"),
        }
    }

    #[track_caller]
    fn opens(request: &str, path: &str) {
        opens_on(&Platform::ALL, request, path);
    }

    #[track_caller]
    fn opens_on(platforms: &[Platform], request: &str, path: &str) {
        for platform in platforms {
            assert_eq!(
                parse_for(request, *platform),
                Ok(path.into()),
                "{request:?} on {platform:?}"
            );
        }
    }

    #[track_caller]
    fn refused(refusal: &'static str, requests: &[&str]) {
        refused_on(&Platform::ALL, refusal, requests);
    }

    #[track_caller]
    fn refused_on(platforms: &[Platform], refusal: &'static str, requests: &[&str]) {
        for (request, platform) in requests
            .iter()
            .flat_map(|request| platforms.iter().map(move |platform| (request, platform)))
        {
            assert_eq!(
                parse_for(request, *platform),
                Err(refusal),
                "{request:?} on {platform:?}"
            );
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
        refused("not found", &["/LUA/x.lua", "/Lua"]);
        refused_on(
            &[Platform::Windows],
            "not found",
            &["/lua./x", "/lua /x", "/lua\\x", "/lua::$DATA"],
        );
        refused_on(TRAPPED, "not found", &["/l\u{200c}ua/x"]);
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
                "/.well-known2/x",
                "/.WELL-KNOWN/x",
                "/a/.well-known/x",
                "/.well-known/.x",
            ],
        );
        refused_on(TRAPPED, "not found", &["/\u{feff}.git/x"]);
        refused_on(
            &[Platform::Windows],
            "not found",
            &["/GIT~1/config", "/A~BCDE~1.HTM"],
        );
        opens("/.well-known/x.json", ".well-known/x.json");
    }

    #[test]
    fn names_a_platform_reads_differently_are_not_served() {
        refused("not found", &["/a\0b", "/a\nb", "/a\u{7f}b", "/a\u{85}b"]);
        refused_on(
            &[Platform::Windows],
            "not found",
            &[
                "/a\\b",
                "/\\\\index.html",
                "/a\\..\\..\\x",
                "/index.html\\",
                "/c:/x",
                "/a.html:stream",
            ],
        );
        refused_on(
            &[Platform::Windows],
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
    fn names_a_platform_takes_literally_are_served_there() {
        for name in [
            "a:b.html",
            "x~1",
            "aux.html",
            "end.",
            "back\\slash",
            "a /b",
            "GIT~1",
        ] {
            opens_on(&[Platform::Unix, Platform::MacOs], name, name);
            assert!(
                !SitePath::parse_for(name, Platform::Unix)
                    .unwrap()
                    .is_portable()
            );
        }
        for name in ["zwj\u{200d}.html", "zwnj\u{200c}x"] {
            opens_on(&[Platform::Unix], name, name);
            refused_on(TRAPPED, "not found", &[name]);
            assert!(
                !SitePath::parse_for(name, Platform::Unix)
                    .unwrap()
                    .is_portable()
            );
        }
        assert!(SitePath::parse("/ünï/語 x.html").unwrap().is_portable());
        assert!(SitePath::parse("/.well-known/x").unwrap().is_portable());
    }

    #[test]
    fn a_decoded_path_is_taken_as_it_is() {
        let absolute =
            |path| SitePath::absolute(path, Platform::Unix).map(|path| path.map(|path| path.0));
        assert_eq!(absolute("/"), Ok(None));
        assert_eq!(absolute(""), Ok(None));
        assert_eq!(absolute("/a/.."), Ok(None));
        assert_eq!(absolute("//..//../"), Ok(None));
        assert_eq!(absolute("/ a /b "), Ok(Some(" a /b ".into())));
        assert_eq!(absolute("/\\x"), Ok(Some("\\x".into())));
        assert_eq!(absolute("/../x"), Ok(Some("x".into())));
        assert_eq!(absolute("/lua/"), Err(Refusal::Forbidden));
        assert_eq!(absolute("/a/.x"), Err(Refusal::NotFound));
        let folder = absolute("/a").unwrap().map(SitePath);
        let inside =
            |name| SitePath::in_folder(folder.as_ref(), name, Platform::Unix).map(|path| path.0);
        assert_eq!(inside("b"), Ok("a/b".into()));
        for name in ["", "..", ".x", "b/c", "\0"] {
            assert_eq!(inside(name), Err(Refusal::NotFound), "{name}");
        }
        assert_eq!(
            SitePath::in_folder(None, "lua", Platform::Unix),
            Err(Refusal::Forbidden)
        );
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
