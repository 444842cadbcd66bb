//! The addresses that a rule is for: `/blog/*`, `/:year/:month`, `/about`.

use percent_encoding::percent_decode_str;

use super::MAX_LINE;

/// A pattern of decoded absolute paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// Anything within one component, at least one character.
    Name(String),
    /// Anything.
    Splat,
}

/// What the names of a pattern stand for in a path; that of `*` is `splat`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Captures(Vec<(String, String)>);

impl Captures {
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(captured, _)| captured == name)?;
        Some(value)
    }
}

/// The name of what `*` stands for.
const SPLAT: &str = "splat";

impl Pattern {
    /// Reads a pattern that begins with a slash; `None` if it is not one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = percent_decode_str(text).decode_utf8().ok()?;
        let text = match text.strip_suffix('/') {
            Some("") | None => &text,
            Some(shorter) => shorter,
        };
        let mut pieces = vec![];
        let mut rest = text;
        while let Some(at) = rest.find(['*', ':']) {
            let (before, special) = rest.split_at(at);
            if let Some(after) = special.strip_prefix('*') {
                push_text(&mut pieces, before);
                pieces.push(Piece::Splat);
                rest = after;
                continue;
            }
            let name = name(&special[1..]);
            if name.is_empty() || !before.ends_with('/') {
                // A colon like any other.
                push_text(&mut pieces, &rest[..=at]);
                rest = &special[1..];
                continue;
            }
            push_text(&mut pieces, before);
            pieces.push(Piece::Name(name.into()));
            rest = &special[1 + name.len()..];
        }
        push_text(&mut pieces, rest);
        let mut names: Vec<_> = pieces.iter().filter_map(Piece::name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        (names.len() == count).then_some(Self(pieces))
    }

    /// Whether the pattern captures something of this name.
    pub(super) fn has(&self, wanted: &str) -> bool {
        self.0.iter().any(|piece| piece.name() == Some(wanted))
    }

    /// What its names stand for in `path`: absolute, decoded, without a slash at its end. No rule is
    /// for a path longer than a line: a splat is tried at every length.
    pub(super) fn captures(&self, path: &str) -> Option<Captures> {
        if path.len() > MAX_LINE {
            return None;
        }
        let mut captures = Captures::default();
        if matches(&self.0, path, &mut captures) {
            return Some(captures);
        }
        // `/blog/*` is for `/blog` too.
        captures.0.clear();
        let ends_with_splat = self.0.last() == Some(&Piece::Splat);
        (ends_with_splat && matches(&self.0, &format!("{path}/"), &mut captures))
            .then_some(captures)
    }
}

impl Piece {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Text(_) => None,
            Self::Name(name) => Some(name),
            Self::Splat => Some(SPLAT),
        }
    }
}

/// The letters, digits and `_` at the beginning; a name begins with a letter.
pub(super) fn name(text: &str) -> &str {
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return "";
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Text(before)) => before.push_str(text),
        _ if text.is_empty() => {}
        _ => pieces.push(Piece::Text(text.into())),
    }
}

/// There is one splat, so at most one piece is tried at several lengths; the longest wins.
fn matches(pieces: &[Piece], path: &str, captures: &mut Captures) -> bool {
    let Some((piece, rest)) = pieces.split_first() else {
        return path.is_empty();
    };
    match piece {
        Piece::Text(text) => path
            .strip_prefix(text.as_str())
            .is_some_and(|path| matches(rest, path, captures)),
        Piece::Name(name) => {
            let end = path.find('/').unwrap_or(path.len());
            captures.0.push((name.clone(), path[..end].into()));
            end > 0 && matches(rest, &path[end..], captures)
        }
        Piece::Splat => {
            let before = captures.0.len();
            let mut ends = path
                .char_indices()
                .map(|(at, _)| at)
                .chain([path.len()])
                .rev();
            let end = ends.find(|end| {
                captures.0.truncate(before);
                matches(rest, &path[*end..], captures)
            });
            if let Some(end) = end {
                captures.0.push((SPLAT.into(), path[..end].into()));
            }
            end.is_some()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn captured(pattern: &str, path: &str) -> Option<Vec<(String, String)>> {
        let mut captures = Pattern::parse(pattern)
            .expect("a pattern")
            .captures(path)?
            .0;
        captures.sort();
        Some(captures)
    }

    #[test]
    fn what_a_pattern_is_for() {
        type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);
        let cases: &[Case<'_>] = &[
            ("/", "/", &[]),
            ("/a", "/a", &[]),
            ("/a/", "/a", &[]),
            ("/a%20b", "/a b", &[]),
            ("/*", "/", &[("splat", "")]),
            ("/*", "/a/b", &[("splat", "a/b")]),
            ("/a/*", "/a", &[("splat", "")]),
            ("/a/*", "/a/b/c", &[("splat", "b/c")]),
            ("/*.js", "/a/b.js.js", &[("splat", "a/b.js")]),
            ("/*/end", "/a/end/b/end", &[("splat", "a/end/b")]),
            (
                "/:year/:month",
                "/2026/11",
                &[("month", "11"), ("year", "2026")],
            ),
            ("/:a/*", "/x/y/z", &[("a", "x"), ("splat", "y/z")]),
            ("/*/:a", "/x/y/z", &[("a", "z"), ("splat", "x/y")]),
            ("/talk:page", "/talk:page", &[]),
            ("/a/:1", "/a/:1", &[]),
        ];
        for (pattern, path, expected) in cases {
            let expected: Vec<_> = expected
                .iter()
                .map(|(a, b)| ((*a).into(), (*b).into()))
                .collect();
            assert_eq!(captured(pattern, path), Some(expected), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/a", "/b"),
            ("/a", "/a/b"),
            ("/a", "/A"),
            ("/a/*", "/ab"),
            ("/x/:id.html", "/x/7"),
            ("/:a", "/"),
            ("/:a", "/x/y"),
            ("/*.js", "/a.css"),
        ] {
            assert_eq!(captured(pattern, path), None, "{pattern} {path}");
        }
        let longest = format!("/{}", "x".repeat(MAX_LINE - 1));
        assert!(captured("/*", &longest).is_some());
        assert_eq!(captured("/*", &format!("{longest}x")), None);
        for pattern in ["/*/*", "/:a/:a", "/%ff", "/*/:splat"] {
            assert_eq!(Pattern::parse(pattern), None, "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn no_pattern_makes_it_panic(pattern in "/[a/:*%ü.]{0,12}", path in "/[a/:ü.]{0,12}") {
            if let Some(pattern) = Pattern::parse(&pattern) {
                pattern.captures(&path);
            }
        }

        #[test]
        fn a_path_is_put_together_again(a in "[a-z]{1,5}", b in "[a-zü/]{0,9}") {
            let captures = Pattern::parse("/:a/*").unwrap().captures(&format!("/{a}/{b}")).unwrap();
            prop_assert_eq!(captures.value("a"), Some(a.as_str()));
            prop_assert_eq!(captures.value("splat"), Some(b.as_str()));
        }
    }
}
