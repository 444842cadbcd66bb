//! What a folder without an index page shows: its files, folders first, pictures as pictures.
//!
//! One page without scripts, in light and dark. Names come from strangers' disks and are escaped. Of
//! thousands of pictures a browser lays out only those near what is seen.

use super::target::component;
use crate::{SitePath, html::escape};

/// Entries of a listing. A browser shows this many lines without effort; a folder with more needs
/// an index page.
pub const MAX_ENTRIES: usize = 10_000;

/// Larger pictures are listed by name: their thumbnail is the picture itself.
const MAX_THUMBNAIL: u64 = 16 * 1024 * 1024;

/// A file or folder of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the folder.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A file.
    File {
        /// Its length in bytes.
        len: u64,
        /// Whether a browser can show it as a picture.
        picture: bool,
    },
}

/// The page of `folder` (`None` for the site's root). `complete` is false when there is more than
/// was read.
pub fn page(folder: Option<&SitePath>, mut entries: Vec<Entry>, complete: bool) -> String {
    entries.sort_by_cached_key(order);
    let (pictures, rows): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| is_shown(entry));
    let title = escape(folder.map_or("Files", SitePath::name));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n<h1>{title}</h1>\n"
    );
    if folder.is_some() {
        page.push_str("<p><a href=\"../\">Up one folder</a></p>\n");
    }
    if entries.is_empty() {
        page.push_str("<p>This folder is empty.</p>\n");
    }
    list(&mut page, "files", &rows, row);
    list(&mut page, "pictures", &pictures, picture);
    if !complete {
        page.push_str("<p>This folder has more files than are listed here.</p>\n");
    }
    page
}

/// Folders first, then by name as people read it: in any case, and `img2` before `img10`.
fn order(entry: &Entry) -> (bool, String, String) {
    let mut key = String::new();
    let lower = entry.name.to_lowercase();
    let mut rest = lower.as_str();
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (text, number) = rest.split_at(at);
        let end = number.find(|c: char| !c.is_ascii_digit());
        let (number, after) = number.split_at(end.unwrap_or(number.len()));
        key.push_str(text);
        // As long as the longest number that is likely in a name: that of a date and time.
        key.push_str(&format!("{:0>20}", number.trim_start_matches('0')));
        rest = after;
    }
    key.push_str(rest);
    (entry.kind != Kind::Folder, key, entry.name.clone())
}

fn is_shown(entry: &Entry) -> bool {
    matches!(entry.kind, Kind::File { len, picture: true } if len <= MAX_THUMBNAIL)
}

fn list(page: &mut String, class: &str, entries: &[&Entry], write: fn(&Entry) -> String) {
    if entries.is_empty() {
        return;
    }
    page.push_str(&format!("<ul class=\"{class}\">\n"));
    for entry in entries {
        page.push_str(&write(entry));
    }
    page.push_str("</ul>\n");
}

fn row(entry: &Entry) -> String {
    let (href, name) = (component(&entry.name), escape(&entry.name));
    match entry.kind {
        Kind::Folder => format!("<li><a href=\"{href}/\">{name}/</a>\n"),
        Kind::File { len, .. } => {
            format!(
                "<li><a href=\"{href}\">{name}</a> <small>{}</small>\n",
                size(len)
            )
        }
    }
}

fn picture(entry: &Entry) -> String {
    let (href, name) = (component(&entry.name), escape(&entry.name));
    format!(
        "<li><a href=\"{href}\"><img src=\"{href}\" alt=\"\" loading=\"lazy\" decoding=\"async\">{name}</a>\n"
    )
}

/// A length as people read it: two digits at least, rounded.
fn size(len: u64) -> String {
    if len < 1000 {
        return format!("{len} B");
    }
    let len = u128::from(len);
    let mut scale = 1000;
    for unit in ["kB", "MB", "GB", "TB"] {
        let tenths = (10 * len + scale / 2) / scale;
        if tenths < 100 {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
        let whole = (len + scale / 2) / scale;
        if whole < 1000 {
            return format!("{whole} {unit}");
        }
        scale *= 1000;
    }
    format!("{} PB", len / scale)
}

const STYLE: &str = "\
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; }
ul { list-style: none; padding: 0; }
a { text-decoration: none; }
a:hover, a:focus-visible { text-decoration: underline; }
small { opacity: .7; white-space: nowrap; }
.files li { display: flex; justify-content: space-between; gap: 1rem; padding: .3rem 0; border-bottom: 1px solid #8884; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: 1rem; }
.pictures li { content-visibility: auto; contain-intrinsic-size: auto 12rem; }
.pictures a { display: block; font-size: .875rem; }
.pictures img { display: block; width: 100%; height: 10rem; object-fit: cover; border-radius: .5rem; background: #8882; }
";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::path::Platform;

    fn file(name: &str, len: u64, picture: bool) -> Entry {
        Entry {
            name: name.into(),
            kind: Kind::File { len, picture },
        }
    }

    fn folder(name: &str) -> Entry {
        Entry {
            name: name.into(),
            kind: Kind::Folder,
        }
    }

    #[test]
    fn folders_come_first_and_pictures_are_shown() {
        let page = page(
            None,
            vec![
                file("b.txt", 5, false),
                file("A.pdf", 1_234_567, false),
                file("x.jpg", 10, true),
                file("huge.jpg", MAX_THUMBNAIL + 1, true),
                folder("z"),
            ],
            true,
        );
        let at = |text: &str| {
            page.find(text)
                .unwrap_or_else(|| panic!("{text} in {page}"))
        };
        assert!(at(">z/<") < at(">A.pdf<"));
        assert!(at(">A.pdf<") < at(">b.txt<"));
        assert!(at(">b.txt<") < at("<img src=\"x.jpg\""));
        assert!(page.contains("<small>1.2 MB</small>") && page.contains(">huge.jpg<"));
        assert!(!page.contains("src=\"huge.jpg\"") && !page.contains("Up one folder"));
        assert!(!page.contains("<script") && !page.contains("more files"));
    }

    #[test]
    fn names_are_in_the_order_that_people_expect() {
        let mut names = [
            "img10", "IMG2", "img02b", "a", "B", "2026-11", "2026-2", "ä",
        ];
        names.sort_by_cached_key(|name| order(&file(name, 1, false)));
        let expected = [
            "2026-2", "2026-11", "a", "B", "IMG2", "img02b", "img10", "ä",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn names_stay_names() {
        let path = SitePath::absolute("/<b>&", Platform::Unix).unwrap();
        let page = page(
            path.as_ref(),
            vec![
                file("\"><script>alert(1)</script>.png", 1, true),
                file("javascript:alert(1)", 1, false),
                file("100% #1?.txt", 1, false),
            ],
            false,
        );
        assert!(!page.contains("<script") && page.contains("<h1>&lt;b&gt;&amp;</h1>"));
        assert!(page.contains("href=\"./javascript:alert(1)\""));
        assert!(page.contains("href=\"100%25%20%231%3F.txt\""));
        assert!(page.contains("Up one folder") && page.contains("more files"));
    }

    #[test]
    fn sizes() {
        for (len, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1050, "1.1 kB"),
            (9_949, "9.9 kB"),
            (9_950, "10 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (4_000_000_000, "4.0 GB"),
            (u64::MAX, "18446 PB"),
        ] {
            assert_eq!(size(len), text, "{len}");
        }
    }

    proptest! {
        #[test]
        fn no_name_breaks_out(name in "[<>\"'&a/: %]{1,12}") {
            let page = page(None, vec![file(&name, 1, false), file(&name, 1, true)], true);
            // The tags of the page, and no others.
            prop_assert_eq!(page.matches('<').count(), page.matches('>').count());
            prop_assert_eq!(page.matches("<a ").count(), 2);
            prop_assert_eq!(page.matches('"').count() % 2, 0);
        }
    }
}
