//! Another site instead of the one that is there: starters and templates. What was there is kept as
//! a copy, and comes back by undoing.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use cap_std::fs::Dir;
use goop2_proto::{SitePath, path::Platform};

use super::{
    Fault, Publish, Undo, path,
    text::{make_folders, replace},
};
use crate::{
    archive::{Entry, MAX_FILE, MAX_TOTAL},
    folder,
    journal::{Kept, Step, fault::io, new_folder},
    site::tree,
    starters::{Starter, starters},
    template::{self, Template},
};

/// The folder of the peer in which earlier sites are kept.
const COPIES: &str = "copies";

/// What applying a template changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// New files.
    pub adds: Vec<String>,
    /// Files with a new content.
    pub replaces: Vec<String>,
    /// Files that are no longer in the site.
    pub removes: Vec<String>,
    /// Tables that are made.
    pub tables: Vec<String>,
}

/// A starter or template, as it is offered.
#[derive(Clone, Debug)]
pub struct Offered {
    /// For [`Publish::plan`] and [`Publish::apply`].
    pub id: String,
    /// A few words.
    pub title: String,
    /// One or two sentences.
    pub description: String,
    /// An SVG, or nothing.
    pub preview: String,
    /// Its tables.
    pub tables: Vec<String>,
    /// What its owner should know.
    pub notes: Vec<String>,
}

impl Publish<'_> {
    /// The sites that Goop2 brings along.
    pub fn starters(&self) -> Result<Vec<Offered>, Fault> {
        let offered = |starter: &Starter| {
            let template = Template::starter(starter).map_err(Fault::Invalid)?;
            Ok(offered(starter.id.into(), &template))
        };
        starters().iter().map(offered).collect()
    }

    /// Reads a template from the bytes of an archive. Until the next one, it can be applied.
    pub fn import_archive(&self, bytes: &[u8]) -> Result<Offered, Fault> {
        self.import(Template::of_archive(bytes))
    }

    /// Reads a template from an archive or folder of this computer.
    pub fn import_path(&self, from: &Path) -> Result<Offered, Fault> {
        self.import(Template::of_path(from))
    }

    fn import(&self, template: Result<Template, String>) -> Result<Offered, Fault> {
        let template = template.map_err(Fault::Invalid)?;
        let mut imported = self.imported();
        let number = imported.as_ref().map_or(1, |(number, _)| number + 1);
        let offered = offered(id(number), &template);
        *imported = Some((number, Arc::new(template)));
        Ok(offered)
    }

    /// What applying a starter or template would change.
    pub fn plan(&self, id: &str) -> Result<Plan, Fault> {
        let template = self.template(id)?;
        let there = self.entries()?.into_iter();
        let there = there.filter(|entry| !entry.folder && !is_kept(&entry.path));
        let there: BTreeSet<_> = there.map(|entry| entry.path).collect();
        let new: BTreeSet<_> = template
            .files
            .iter()
            .map(|(path, _)| path.to_string())
            .collect();
        Ok(Plan {
            adds: new.difference(&there).cloned().collect(),
            replaces: new.intersection(&there).cloned().collect(),
            removes: there.difference(&new).cloned().collect(),
            tables: template.script.tables().map(str::to_owned).collect(),
        })
    }

    /// Replaces the site by a starter or template, and makes its tables; all or nothing.
    pub fn apply(&self, id: &str) -> Result<Undo, Fault> {
        let template = self.template(id)?;
        let own = folder::own_site(self.folder.dir());
        if own.is_none_or(|own| own != self.root()) {
            return Err(Fault::Invalid(format!(
                "Your site is the folder {}, which Goop2 doesn’t empty. Use the folder inside Goop2 first.",
                self.root().display()
            )));
        }
        let mut journal = self.journal();
        let dir = self.open()?;
        let mut steps = vec![];
        if let Err(fault) = self.put(&dir, &template, &mut steps) {
            let _what_was_there = self.back(&dir, &mut steps);
            return Err(fault);
        }
        let title = if template.title.is_empty() {
            "The template"
        } else {
            &template.title
        };
        Ok(journal.push(
            steps,
            format!("{title} is your site now. What was there is kept as a copy."),
        ))
    }

    fn put(&self, dir: &Dir, template: &Template, steps: &mut Vec<Step>) -> Result<(), Fault> {
        self.set_aside(dir, steps)?;
        let mut tops = BTreeSet::new();
        for (path, bytes) in &template.files {
            let top = path.as_str().split('/').next().unwrap_or_default();
            if tops.insert(top) {
                steps.push(Step::Made(path::existing(top)?));
            }
            make_folders(dir, path.folder().as_ref())?;
            replace(dir, path, bytes).map_err(io("write", path.as_str()))?;
        }
        for script in &template.scripts {
            keep_script(dir, script)?;
        }
        let made = self
            .folder
            .database()
            .make_tables(&template.script, &template.policies);
        steps.push(Step::Tables(made.map_err(Fault::Invalid)?));
        Ok(())
    }

    /// Moves the site that is there into its own folder.
    fn set_aside(&self, dir: &Dir, steps: &mut Vec<Step>) -> Result<(), Fault> {
        let mut copy = None;
        for entry in dir.entries().map_err(io("read", "the site"))?.flatten() {
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let path = SitePath::in_folder(None, &name, Platform::HERE);
            let Some(path) = path.ok().filter(|_| !is_kept(&name)) else {
                continue;
            };
            let copy: &std::path::PathBuf = match &copy {
                Some(copy) => copy,
                None => copy.insert(
                    new_folder(&self.folder.dir().join(COPIES)).map_err(io("make", COPIES))?,
                ),
            };
            let kept = copy.join(&name);
            fs::rename(self.root().join(&name), &kept).map_err(io("move", &name))?;
            steps.push(Step::Removed(path, Kept::Inside(kept)));
        }
        Ok(())
    }

    /// This site as a template for others: an archive in ZIP.
    pub fn export(&self) -> Result<Vec<u8>, Fault> {
        let tree = tree::Tree::open(self.site()).map_err(io("open", "the site"))?;
        let mut files = vec![];
        let mut total = 0;
        for entry in self.entries()? {
            let path = path::existing(&entry.path).ok().filter(|_| !entry.folder);
            let published =
                entry.unserved.is_none() || path.as_ref().is_some_and(|path| tree.is_rules(path));
            let Some(path) = path.filter(|_| published) else {
                continue;
            };
            total += entry.size;
            if entry.size > MAX_FILE || total > MAX_TOTAL {
                return Err(Fault::Invalid("Your site is too large for a template: a file may have 10 MiB, and all of them 64 MiB.".into()));
            }
            let opened =
                tree::read(&self.open()?, path.as_str()).map_err(io("read", path.as_str()))?;
            let mut bytes = vec![];
            let read = std::io::Read::read_to_end(
                &mut std::io::Read::take(opened.file, MAX_FILE),
                &mut bytes,
            );
            read.map_err(io("read", path.as_str()))?;
            files.push(Entry {
                path: path.to_string(),
                bytes,
            });
        }
        let tables = self
            .folder
            .database()
            .definitions()
            .map_err(Fault::Invalid)?;
        let name = self.folder.config().profile.label;
        template::archive(&name, &tables, files).map_err(Fault::Invalid)
    }

    fn template(&self, wanted: &str) -> Result<Arc<Template>, Fault> {
        if let Some(starter) = starters().iter().find(|starter| starter.id == wanted) {
            return Template::starter(starter)
                .map(Arc::new)
                .map_err(Fault::Invalid);
        }
        let imported = self.imported();
        let template = imported
            .as_ref()
            .filter(|(number, _)| id(*number) == wanted);
        let template = template.map(|(_, template)| Arc::clone(template));
        template.ok_or_else(|| Fault::Invalid("Choose the template again.".into()))
    }
}

/// What stays where it is: scripts, and what is never published.
fn is_kept(path: &str) -> bool {
    path.starts_with('.') || path == "lua" || path.starts_with("lua/")
}

/// A script that is not there yet: one that is may be the owner's.
fn keep_script(dir: &Dir, script: &Entry) -> Result<(), Fault> {
    let shown = script.path.as_str();
    let folder = shown.rsplit_once('/').map_or("lua", |(folder, _)| folder);
    dir.create_dir_all(folder).map_err(io("make", folder))?;
    let mut options = cap_std::fs::OpenOptions::new();
    match dir.open_with(shown, options.write(true).create_new(true)) {
        Ok(mut file) => {
            std::io::Write::write_all(&mut file, &script.bytes).map_err(io("write", shown))
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(io("write", shown)(error)),
    }
}

fn id(number: u64) -> String {
    format!("import-{number}")
}

fn offered(id: String, template: &Template) -> Offered {
    Offered {
        id,
        title: template.title.clone(),
        description: template.description.clone(),
        preview: template.preview.clone(),
        tables: template.script.tables().map(str::to_owned).collect(),
        notes: template.notes.clone(),
    }
}
