//! Templates (§9.7): a site to begin with, its tables and what it is called. A starter is one that
//! Goop2 brings along; others come from archives and folders of strangers.

use std::{collections::BTreeMap, path::Path};

use goop2_proto::{SitePath, path::Platform};
use serde::{Deserialize, Serialize};

use crate::{
    archive::{self, Entry},
    db::template::Script,
    starters::Starter,
};

const MANIFEST: &str = "manifest.json";
const SCHEMA: &str = "schema.sql";
/// Shows a starter before it is chosen; not a part of the site.
pub(crate) const PREVIEW: &str = "preview.svg";
/// Scripts of the site.
const SCRIPTS: &str = "lua/";
/// Tables in the words of newer existing peers.
const SCHEMAS: &str = "schemas/";

/// Characters of a title, and of a description.
const MAX_TITLE: usize = 80;
const MAX_DESCRIPTION: usize = 400;

/// A template that was read and found harmless.
#[derive(Clone, Debug, Default)]
pub(crate) struct Template {
    pub(crate) title: String,
    pub(crate) description: String,
    /// The picture of a starter.
    pub(crate) preview: String,
    /// Files of the site.
    pub(crate) files: Vec<(SitePath, Vec<u8>)>,
    /// Files below `lua`.
    pub(crate) scripts: Vec<Entry>,
    pub(crate) script: Script,
    /// By table, in lower case.
    pub(crate) policies: BTreeMap<String, String>,
    /// What its owner should know, as sentences.
    pub(crate) notes: Vec<String>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Manifest {
    name: String,
    description: String,
    tables: BTreeMap<String, Rules>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Rules {
    insert_policy: String,
}

impl Template {
    /// One that Goop2 brings along.
    pub(crate) fn starter(starter: &Starter) -> Result<Self, String> {
        let entries = starter.files.iter().map(|(path, bytes)| Entry {
            path: (*path).into(),
            bytes: bytes.to_vec(),
        });
        Self::new(entries.collect())
    }

    /// From the bytes of an archive.
    pub(crate) fn of_archive(bytes: &[u8]) -> Result<Self, String> {
        Self::new(archive::read(bytes)?)
    }

    /// From an archive or a folder on this computer.
    pub(crate) fn of_path(from: &Path) -> Result<Self, String> {
        let unread = |error: std::io::Error| format!("{} can’t be read: {error}.", from.display());
        if from.is_dir() {
            return Self::new(archive::read_folder(from)?);
        }
        if std::fs::metadata(from).map_err(unread)?.len() > archive::MAX_ARCHIVE {
            return Err("It is larger than 64 MiB.".into());
        }
        Self::of_archive(&std::fs::read(from).map_err(unread)?)
    }

    fn new(mut entries: Vec<Entry>) -> Result<Self, String> {
        strip_folder(&mut entries);
        let manifest = take(&mut entries, MANIFEST);
        let manifest = manifest.ok_or("This is not a template: it has no manifest.json.")?;
        let manifest: Manifest = serde_json::from_slice(&manifest)
            .map_err(|error| format!("manifest.json is not valid: {error}."))?;
        let schema = take(&mut entries, SCHEMA).unwrap_or_default();
        let schema = String::from_utf8(schema).map_err(|_| "schema.sql is not a text in UTF-8.")?;
        let preview = take(&mut entries, PREVIEW).unwrap_or_default();
        let mut template = Self {
            title: short(&manifest.name, MAX_TITLE),
            description: short(&manifest.description, MAX_DESCRIPTION),
            preview: String::from_utf8_lossy(&preview).into_owned(),
            script: Script::new(&schema)?,
            ..Self::default()
        };
        for (table, rules) in manifest.tables {
            template
                .policies
                .insert(table.to_lowercase(), rules.insert_policy);
        }
        template.sort(entries);
        Ok(template)
    }

    fn sort(&mut self, entries: Vec<Entry>) {
        let (mut schemas, mut left_out) = (0, vec![]);
        for entry in entries {
            if entry.path.starts_with(SCHEMAS) {
                schemas += 1;
            } else if entry.path.starts_with(SCRIPTS) {
                self.scripts.push(entry);
            } else {
                match site_path(&entry.path) {
                    Some(path) => self.files.push((path, entry.bytes)),
                    None => left_out.push(entry.path),
                }
            }
        }
        if !self.scripts.is_empty() {
            self.notes.push(
                "It has scripts in lua. They are kept, but Goop2 doesn’t run scripts yet.".into(),
            );
        }
        if schemas > 0 {
            self.notes
                .push("It describes tables in schemas. Goop2 doesn’t make those.".into());
        }
        if let Some(first) = left_out.first() {
            let more = left_out.len() - 1;
            let and = if more == 0 {
                String::new()
            } else {
                format!(" and {more} more")
            };
            self.notes.push(format!(
                "Left out, because their names are never published: {}{and}.",
                short(first, MAX_TITLE)
            ));
        }
    }
}

/// The archive of a site as a template: its files, and tables without their rows.
pub(crate) fn archive(
    name: &str,
    tables: &[(String, String, String)],
    files: Vec<Entry>,
) -> Result<Vec<u8>, String> {
    let manifest = Manifest {
        name: name.into(),
        description: String::new(),
        tables: tables
            .iter()
            .map(|(table, _, policy)| {
                let rules = Rules {
                    insert_policy: policy.clone(),
                };
                (table.clone(), rules)
            })
            .collect(),
    };
    let schema: String = tables
        .iter()
        .map(|(_, sql, _)| format!("{sql};\n\n"))
        .collect();
    // The same rules as for what comes in, so that nobody gets a template that nobody can use.
    Script::new(&schema)?;
    let mut entries = vec![
        Entry {
            path: MANIFEST.into(),
            bytes: serde_json::to_vec_pretty(&manifest).map_err(|error| error.to_string())?,
        },
        Entry {
            path: SCHEMA.into(),
            bytes: schema.into_bytes(),
        },
    ];
    let reserved = [MANIFEST, SCHEMA, PREVIEW];
    entries.extend(
        files
            .into_iter()
            .filter(|file| !reserved.contains(&file.path.as_str())),
    );
    archive::write(&entries)
}

/// A path that every system can have, and visitors can ask for.
fn site_path(path: &str) -> Option<SitePath> {
    let parsed = SitePath::absolute(path, Platform::HERE).ok()??;
    (parsed.as_str() == path && parsed.is_portable()).then_some(parsed)
}

/// The one folder that an archive has everything in.
fn strip_folder(entries: &mut [Entry]) {
    let has_manifest = entries.iter().any(|entry| entry.path == MANIFEST);
    let first = entries.first().and_then(|entry| entry.path.split_once('/'));
    let Some(folder) = first
        .map(|(folder, _)| format!("{folder}/"))
        .filter(|_| !has_manifest)
    else {
        return;
    };
    if entries.iter().all(|entry| entry.path.starts_with(&folder)) {
        for entry in entries {
            entry.path.drain(..folder.len());
        }
    }
}

fn take(entries: &mut Vec<Entry>, path: &str) -> Option<Vec<u8>> {
    let at = entries.iter().position(|entry| entry.path == path)?;
    Some(entries.swap_remove(at).bytes)
}

/// A stranger's words, on one line.
fn short(text: &str, max: usize) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .filter(|c| !c.is_control())
        .take(max)
        .collect()
}
