//! The paths that the owner names: written exactly as the folder lists them, never cleaned.

use goop2_proto::{
    SitePath,
    path::{Platform, Refusal, objection},
};

use crate::journal::fault::Fault;

/// Folders within folders: no site needs more, and no walk goes deeper.
pub(super) const MAX_DEPTH: usize = 64;

/// A file or folder that may be there.
pub(super) fn existing(path: &str) -> Result<SitePath, Fault> {
    match SitePath::absolute(path, Platform::HERE) {
        Ok(Some(parsed)) if parsed.as_str() == path => Ok(parsed),
        Err(Refusal::Forbidden) if !path.contains("..") => Err(Fault::Invalid(
            "The scripts in lua can’t be changed here.".into(),
        )),
        _ => Err(refused(path)),
    }
}

/// A file or folder that is made: its names must be ones that every system can have.
pub(super) fn new(path: &str) -> Result<SitePath, Fault> {
    let parsed = existing(path)?;
    if path.split('/').count() > MAX_DEPTH {
        return Err(Fault::Invalid(
            "There are too many folders within folders.".into(),
        ));
    }
    if parsed.is_portable() {
        Ok(parsed)
    } else {
        Err(refused(path))
    }
}

/// A folder to put something in; `None` is the top.
pub(super) fn folder(path: &str) -> Result<Option<SitePath>, Fault> {
    if path.is_empty() {
        return Ok(None);
    }
    new(path).map(Some)
}

/// Whether visitors on every system could ask for this name, anywhere in a site.
pub(super) fn is_name(name: &str) -> bool {
    !name.contains('/')
        && Platform::ALL
            .iter()
            .all(|platform| objection(name, *platform).is_none())
}

fn refused(path: &str) -> Fault {
    let names = path.split('/').enumerate();
    let objections = names
        .filter(|(depth, name)| *depth > 0 || *name != ".well-known")
        .flat_map(|(_, name)| Platform::ALL.map(|platform| objection(name, platform)));
    Fault::Invalid(match objections.flatten().next() {
        Some(objection) => format!("Choose another name: {objection}."),
        None => format!("{path:?} is not a path in your site."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_within_the_site_are_taken_and_only_as_they_are_written() {
        for path in [
            "",
            "/",
            ".",
            "..",
            "../a",
            "a/../b",
            "/a",
            "a//b",
            "a/",
            "./a",
            "a/.",
            "a\0b",
            "a\nb",
            ".git",
            "a/.git/b",
            "a/.well-known",
            "lua",
            "lua/a",
            "LUA/a",
        ] {
            assert!(existing(path).is_err(), "{path:?}");
            assert!(new(path).is_err(), "{path:?}");
        }
        for path in ["con", "a:b", "a\\b", "a.", "a ", "aux.html", "GIT~1"] {
            let Fault::Invalid(why) = new(path).unwrap_err() else {
                panic!("{path}")
            };
            assert!(why.starts_with("Choose another name"), "{why}");
        }
        for path in ["a", "a b/c.html", ".well-known/x", "é/ü", "_headers"] {
            assert_eq!(new(path).unwrap().as_str(), path);
        }
        assert!(new("a/".repeat(70).trim_end_matches('/')).is_err());
    }
}
