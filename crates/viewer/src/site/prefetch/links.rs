//! What a page will load, read out of its HTML as browsers' own preload scanners do: styles, scripts
//! and pictures that it names, and nothing that only might be needed.

use std::{
    cell::{Cell, RefCell},
    mem,
};

use html5ever::{
    tendril::StrTendril,
    tokenizer::{
        BufferQueue, StartTag, Tag, TagToken, Token, TokenSink, TokenSinkResult, Tokenizer,
        states::RawKind,
    },
};
use url::Url;

/// Addresses taken from one page. The rest is loaded when the browser asks for it.
pub(super) const MAX_LINKS: usize = 256;

/// The addresses on the page's own origin, in the order in which they appear; `icons` if the browser
/// loads the page's icon too. `html` may end anywhere.
pub(super) fn of(html: &str, page: &Url, icons: bool) -> Vec<Url> {
    let sink = Sink {
        page: page.clone(),
        base: RefCell::new(None),
        icons: Cell::new(icons),
        aside: Cell::new(0),
        found: RefCell::default(),
    };
    let tokenizer = Tokenizer::new(sink, Default::default());
    let input = BufferQueue::default();
    input.push_back(StrTendril::from_slice(html));
    // It stops after each script and for each declared charset.
    while !input.is_empty() {
        let _on = tokenizer.feed(&input);
    }
    mem::take(&mut tokenizer.sink.found.borrow_mut())
}

struct Sink {
    page: Url,
    /// What `<base>` says; only the first one counts.
    base: RefCell<Option<Url>>,
    /// Whether an icon is still wanted: browsers take one.
    icons: Cell<bool>,
    /// Elements around this place whose content is not loaded, or only a part of it.
    aside: Cell<usize>,
    found: RefCell<Vec<Url>>,
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        let TagToken(tag) = token else {
            return TokenSinkResult::Continue;
        };
        let name = &*tag.name;
        if ["template", "picture"].contains(&name) {
            let aside = self.aside.get();
            self.aside.set(if tag.kind == StartTag {
                aside + 1
            } else {
                aside.saturating_sub(1)
            });
        }
        if tag.kind != StartTag {
            return TokenSinkResult::Continue;
        }
        if self.aside.get() == 0 {
            self.element(&tag);
        }
        // What the tree builder would say (HTML, "Parsing").
        match name {
            "script" => TokenSinkResult::RawData(RawKind::ScriptData),
            "style" | "noscript" | "iframe" | "noembed" | "noframes" | "xmp" => {
                TokenSinkResult::RawData(RawKind::Rawtext)
            }
            "title" | "textarea" => TokenSinkResult::RawData(RawKind::Rcdata),
            "plaintext" => TokenSinkResult::Plaintext,
            _ => TokenSinkResult::Continue,
        }
    }
}

impl Sink {
    fn element(&self, tag: &Tag) {
        match &*tag.name {
            "base" => {
                let mut base = self.base.borrow_mut();
                if base.is_none() {
                    *base = attribute(tag, "href").and_then(|href| self.page.join(href).ok());
                }
            }
            "link" => self.link(tag),
            "script" => {
                let kind = attribute(tag, "type").unwrap_or_default().trim();
                let runs = kind.is_empty()
                    || kind.eq_ignore_ascii_case("module")
                    || kind.to_ascii_lowercase().ends_with("javascript");
                if runs && attribute(tag, "nomodule").is_none() {
                    self.add(attribute(tag, "src"));
                }
            }
            "img" => self.picture(tag),
            "video" => self.add(attribute(tag, "poster")),
            _ => {}
        }
    }

    fn link(&self, tag: &Tag) {
        let rel = attribute(tag, "rel")
            .unwrap_or_default()
            .to_ascii_lowercase();
        let is = |name| rel.split_ascii_whitespace().any(|word| word == name);
        let of_kind = |kinds: &[&str]| {
            let kind = attribute(tag, "as").unwrap_or_default();
            kinds.iter().any(|known| kind.eq_ignore_ascii_case(known))
        };
        let wanted = if is("stylesheet") {
            !is("alternate") && attribute(tag, "disabled").is_none()
        } else if is("preload") {
            attribute(tag, "imagesrcset").is_none()
                && of_kind(&["style", "script", "image", "font"])
        } else {
            is("modulepreload") || is("icon") && self.icons.replace(false)
        };
        if wanted {
            self.add(attribute(tag, "href"));
        }
    }

    /// Which of several sizes is needed depends on the window; one without a choice is certain.
    fn picture(&self, tag: &Tag) {
        let lazy = attribute(tag, "loading").is_some_and(|how| how.eq_ignore_ascii_case("lazy"));
        if lazy {
            return;
        }
        match attribute(tag, "srcset") {
            None => self.add(attribute(tag, "src")),
            Some(set) => self.add(only(set)),
        }
    }

    fn add(&self, address: Option<&str>) {
        let mut found = self.found.borrow_mut();
        let Some(address) = address.filter(|address| !address.trim().is_empty()) else {
            return;
        };
        let base = self.base.borrow();
        let base = base.as_ref().unwrap_or(&self.page);
        let Ok(mut url) = base.join(address) else {
            return;
        };
        url.set_fragment(None);
        let own = url.origin() == self.page.origin();
        if own && found.len() < MAX_LINKS && !found.contains(&url) {
            found.push(url);
        }
    }
}

fn attribute<'a>(tag: &'a Tag, name: &str) -> Option<&'a str> {
    let mut attributes = tag.attrs.iter();
    attributes
        .find(|attribute| &*attribute.name.local == name)
        .map(|attribute| &*attribute.value)
}

/// The picture of a `srcset` that has one.
fn only(set: &str) -> Option<&str> {
    let mut words = set.split_ascii_whitespace();
    let first = words.next()?;
    let more = words.count() > 1 || set.trim().trim_end_matches(',').contains(',');
    (!more).then(|| first.trim_end_matches(','))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(html: &str) -> Vec<String> {
        let page = Url::parse("http://site/p/id/dir/page.html?x").unwrap();
        let urls = of(html, &page, true).into_iter();
        urls.map(|url| url.as_str().replace("http://site/p/id", ""))
            .collect()
    }

    #[test]
    fn what_a_page_loads() {
        let html = r#"<!doctype html><link rel="StyleSheet" href=a.css><link rel="alternate stylesheet" href=no.css>
            <link rel=icon href=/icon.png><link rel=icon href=no.png><link rel="preload" as=font href="../f.woff2">
            <link rel=preload as=fetch href=no.json><link rel=modulepreload href="m.js#x"><link rel=next href=no.html>
            <script src='s.js?v=1&amp;w'></script><script type=text/template src=no.js></script><script nomodule src=no.js></script>
            <script>"<img src=no.png>"</script><style>a { content: "<img src=no.png>" }</style><!-- <img src=no.png> -->
            <img src="p%20q.png" srcset=""><img src=p.png><IMG SRC=p.png><img loading=lazy src=no.png><img src=no.png srcset="no.png 1x, no2.png 2x">
            <img srcset="only.png 2x"><picture><img src=no.png></picture><template><img src=no.png></template>
            <noscript><img src=no.png></noscript><textarea><img src=no.png></textarea><video poster=v.jpg src=no.mp4></video>
            <img src="https://example.org/no.png"><img src="data:,"><img src="//site/b.png"><img src=""><img alt="<img src=no.png>" src=c.png"#;
        assert_eq!(
            links(html),
            [
                "/dir/a.css",
                "http://site/icon.png",
                "/f.woff2",
                "/dir/m.js",
                "/dir/s.js?v=1&w",
                "/dir/p.png",
                "/dir/only.png",
                "/dir/v.jpg",
                "http://site/b.png",
            ]
        );
    }

    #[test]
    fn the_first_base_counts() {
        let html = "<img src=a.png><base target=_top><base href=/p/id/other/><base href=/no/><img src=b.png>";
        assert_eq!(links(html), ["/dir/a.png", "/other/b.png"]);
        assert!(links("<base href=https://example.org/><img src=no.png>").is_empty());
    }

    #[test]
    fn a_page_is_read_no_further_than_it_has_come() {
        let html = "<p><img src=a.png><script src=b.js></script><img src=c.png>";
        for end in 0..=html.len() {
            let found = links(&html[..end]).len();
            let complete = [18, 35, html.len()].iter().filter(|at| end >= **at).count();
            assert_eq!(found, complete, "{}", &html[..end]);
        }
    }

    #[test]
    fn there_are_never_too_many() {
        let html: String = (0..2 * MAX_LINKS)
            .map(|n| format!("<img src={n}.png>"))
            .collect();
        assert_eq!(links(&html).len(), MAX_LINKS);
        links(&"<".repeat(100_000));
        links(&"<template>".repeat(10_000));
        links(&format!("<img src={}", "x".repeat(100_000)));
    }
}
