//! The sites that Goop2 brings along to begin with, each a template as existing peers know it
//! (PROTOCOL §9.7): `manifest.json`, `schema.sql` if it has tables, and the files of the site.
//!
//! They are compiled in, file by file: a list that a reader sees in full, and no dependency. Two
//! files that several starters use are kept once, in `starters/shared`.

/// A site to begin with.
#[derive(Clone, Copy, Debug)]
pub struct Starter {
    /// Its name in a request: the name of its folder.
    pub id: &'static str,
    /// Its files and their contents: paths relative to its folder, with forward slashes.
    /// `preview.svg` shows it before it is chosen, and is not part of the site.
    pub files: &'static [(&'static str, &'static [u8])],
}

/// All of them, in the order in which they are offered.
pub fn starters() -> &'static [Starter] {
    STARTERS
}

const BASE: (&str, &[u8]) = ("base.css", include_bytes!("starters/shared/base.css"));
const PARTS: (&str, &[u8]) = ("parts.js", include_bytes!("starters/shared/parts.js"));

const STARTERS: &[Starter] = &[
    Starter {
        id: "journal",
        files: &[
            (
                "manifest.json",
                include_bytes!("starters/journal/manifest.json"),
            ),
            ("schema.sql", include_bytes!("starters/journal/schema.sql")),
            (
                "preview.svg",
                include_bytes!("starters/journal/preview.svg"),
            ),
            ("index.html", include_bytes!("starters/journal/index.html")),
            ("journal.js", include_bytes!("starters/journal/journal.js")),
            ("style.css", include_bytes!("starters/journal/style.css")),
            BASE,
            PARTS,
        ],
    },
    Starter {
        id: "album",
        files: &[
            (
                "manifest.json",
                include_bytes!("starters/album/manifest.json"),
            ),
            ("schema.sql", include_bytes!("starters/album/schema.sql")),
            ("preview.svg", include_bytes!("starters/album/preview.svg")),
            ("index.html", include_bytes!("starters/album/index.html")),
            ("album.js", include_bytes!("starters/album/album.js")),
            ("style.css", include_bytes!("starters/album/style.css")),
            BASE,
            PARTS,
        ],
    },
    Starter {
        id: "guestbook",
        files: &[
            (
                "manifest.json",
                include_bytes!("starters/guestbook/manifest.json"),
            ),
            (
                "schema.sql",
                include_bytes!("starters/guestbook/schema.sql"),
            ),
            (
                "preview.svg",
                include_bytes!("starters/guestbook/preview.svg"),
            ),
            (
                "index.html",
                include_bytes!("starters/guestbook/index.html"),
            ),
            (
                "guestbook.js",
                include_bytes!("starters/guestbook/guestbook.js"),
            ),
            ("style.css", include_bytes!("starters/guestbook/style.css")),
            BASE,
            PARTS,
        ],
    },
    Starter {
        id: "links",
        files: &[
            (
                "manifest.json",
                include_bytes!("starters/links/manifest.json"),
            ),
            ("schema.sql", include_bytes!("starters/links/schema.sql")),
            ("preview.svg", include_bytes!("starters/links/preview.svg")),
            ("index.html", include_bytes!("starters/links/index.html")),
            ("links.js", include_bytes!("starters/links/links.js")),
            ("style.css", include_bytes!("starters/links/style.css")),
            BASE,
            PARTS,
        ],
    },
    Starter {
        id: "survey",
        files: &[
            (
                "manifest.json",
                include_bytes!("starters/survey/manifest.json"),
            ),
            ("schema.sql", include_bytes!("starters/survey/schema.sql")),
            ("preview.svg", include_bytes!("starters/survey/preview.svg")),
            ("index.html", include_bytes!("starters/survey/index.html")),
            ("style.css", include_bytes!("starters/survey/style.css")),
            ("survey.js", include_bytes!("starters/survey/survey.js")),
            BASE,
            PARTS,
        ],
    },
    Starter {
        id: "event",
        files: &[
            (
                "manifest.json",
                include_bytes!("starters/event/manifest.json"),
            ),
            ("schema.sql", include_bytes!("starters/event/schema.sql")),
            ("preview.svg", include_bytes!("starters/event/preview.svg")),
            ("index.html", include_bytes!("starters/event/index.html")),
            ("event.js", include_bytes!("starters/event/event.js")),
            ("style.css", include_bytes!("starters/event/style.css")),
            BASE,
            PARTS,
        ],
    },
    Starter {
        id: "empty",
        files: &[
            (
                "manifest.json",
                include_bytes!("starters/empty/manifest.json"),
            ),
            ("preview.svg", include_bytes!("starters/empty/preview.svg")),
            ("index.html", include_bytes!("starters/empty/index.html")),
        ],
    },
];

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    fn names(dir: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(dir).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn nothing_on_disk_is_missing_here() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/starters");
        let shared = names(&folder.join("shared"));
        let mut ids: BTreeSet<String> = starters().iter().map(|s| s.id.to_owned()).collect();
        assert_eq!(ids.len(), starters().len());
        ids.insert("shared".into());
        assert_eq!(ids, names(&folder));
        for starter in starters() {
            let listed = starter.files.iter().map(|(path, _)| (*path).to_owned());
            let (common, own): (BTreeSet<_>, BTreeSet<_>) =
                listed.partition(|path| shared.contains(path));
            assert_eq!(own, names(&folder.join(starter.id)), "{}", starter.id);
            assert!(common.is_empty() || common == shared, "{}", starter.id);
        }
    }

    #[test]
    fn every_starter_is_a_template() {
        for starter in starters() {
            let text = |name: &str| {
                let found = starter.files.iter().find(|(path, _)| *path == name);
                found.map(|(_, bytes)| std::str::from_utf8(bytes).unwrap())
            };
            let manifest = text("manifest.json").expect("every template has one");
            let manifest: serde_json::Value = serde_json::from_str(manifest).unwrap();
            assert_eq!(manifest["id"], starter.id);
            assert!(manifest["name"].is_string() && manifest["description"].is_string());
            assert!(text("index.html").is_some() && text("preview.svg").is_some());
            let schema = text("schema.sql").unwrap_or_default();
            let declared: BTreeSet<&str> = schema
                .split("CREATE TABLE ")
                .skip(1)
                .filter_map(|rest| rest.split_whitespace().next())
                .collect();
            let tables = manifest["tables"].as_object().unwrap();
            assert_eq!(declared, tables.keys().map(String::as_str).collect());
            for table in tables.values() {
                let policy = table["insert_policy"].as_str().unwrap();
                assert!(["owner", "public", "open", "email"].contains(&policy));
            }
        }
    }
}
