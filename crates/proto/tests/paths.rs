//! Which name Windows makes of a path, written down here a second time and apart from the rules
//! under test: whatever a request says, a path that is served is, on Windows too, exactly the one
//! that was checked, and inside the site.

use goop2_proto::{SitePath, path::Platform};
use proptest::prelude::*;

/// What Windows opens below a folder for this name: the components, or nothing when it is no file
/// in there.
fn on_windows(path: &str) -> Option<Vec<&str>> {
    let rooted = path.starts_with(['/', '\\']);
    let drive = path.as_bytes().get(1) == Some(&b':');
    if rooted || drive {
        return None;
    }
    let mut opened = Vec::new();
    for name in path.split(['/', '\\']) {
        match name {
            "" | "." => {}
            ".." => drop(opened.pop()?),
            // A stream beside the file's content.
            _ if name.contains(':') => return None,
            _ if is_device(name) => return None,
            _ => opened.push(name.trim_end_matches(['.', ' '])),
        }
    }
    Some(opened)
}

/// Whatever follows the first dot, and blanks before it, are no part of a device's name.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let stem = stem.trim_end_matches(' ').to_uppercase();
    let numbered = || {
        let mut chars = stem.chars();
        let number = chars.next_back();
        matches!(chars.as_str(), "COM" | "LPT")
            && number.is_some_and(|number| "0123456789¹²³".contains(number))
    };
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"].contains(&stem.as_str()) || numbered()
}

/// The second name that Windows keeps for a long one: `LUA-SC~1` for `lua-scripts`.
fn is_short_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    stem.len() <= 8 && stem.ends_with("~1")
}

/// Pieces of names that some system reads in its own way, among plain ones.
fn request() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "/",
        "/",
        "/",
        "\\",
        "\\\\",
        "\\\\?\\",
        "//./",
        ":",
        "C:",
        "::$DATA",
        ".",
        "..",
        "...",
        " ",
        "\u{a0}",
        "con",
        "NUL",
        "Aux",
        "prn.",
        "COM1",
        "com\u{b9}",
        "LPT9",
        "lpt0",
        "CONIN$",
        "lua",
        "LUA",
        "LUA~1",
        "~1",
        "GIT~1",
        ".git",
        "a",
        "b.html",
        "index.html",
        "\u{200c}",
        "\0",
        "\n",
        "?",
        "*",
        "%2e",
        "ü",
        "server",
        "share",
    ]);
    prop_oneof![
        prop::collection::vec(pieces, 1..9).prop_map(|pieces| pieces.concat()),
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn what_is_served_is_the_same_file_on_windows(request in request()) {
        if let Ok(path) = SitePath::parse_for(&request, Platform::Windows) {
            let names: Vec<_> = path.as_str().split('/').collect();
            prop_assert_eq!(on_windows(path.as_str()), Some(names.clone()), "{:?}", request);
            prop_assert!(!names[0].eq_ignore_ascii_case("lua"), "{:?}", request);
            prop_assert!(!names.iter().any(|name| is_short_name(name)), "{:?}", request);
        }
    }
}

/// The rules above refuse, and let pass, what Windows does.
#[test]
fn the_names_of_windows() {
    for other in [
        "\\\\server\\share\\x",
        "//server/share/x",
        "C:/x",
        "C:x",
        "c:",
        "\\x",
        "a:b",
        "a.html::$DATA",
        "con",
        "a/NUL.txt",
        "com1 .x",
        "LPT\u{b3}",
        "a/../..",
    ] {
        assert_eq!(on_windows(other), None, "{other}");
    }
    assert_eq!(on_windows("a\\b"), Some(vec!["a", "b"]));
    assert_eq!(on_windows("a. /b "), Some(vec!["a", "b"]));
    assert_eq!(on_windows("a/../console.js"), Some(vec!["console.js"]));
}
