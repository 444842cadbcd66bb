//! `_headers`: an address on its own line, and below it, indented, the headers of what is there.
//!
//! Only what a site may decide without harm to anyone else is applied; the headers that protect
//! visitors are not the author's. A header of a later rule replaces that of an earlier one, as the
//! more special rule does at Netlify (Cloudflare Pages joins them with a comma, which no header in
//! this list but `Link` survives); `Link` may occur several times.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CACHE_CONTROL, CONTENT_LANGUAGE, LINK},
};

use super::{Fault, MAX_RULES, Problem, Problems, lines, pattern::Pattern};

/// The rules of a file.
#[derive(Debug, Default)]
pub struct Headers(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    pattern: Pattern,
    headers: HeaderMap,
}

/// Headers whose value is one of a few words, as browsers define them (HTML Standard, Fetch).
const WORDS: [(HeaderName, &[&str]); 3] = [
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        &[
            "unsafe-none",
            "same-origin-allow-popups",
            "same-origin",
            "noopener-allow-popups",
        ],
    ),
    (
        HeaderName::from_static("cross-origin-embedder-policy"),
        &["unsafe-none", "require-corp", "credentialless"],
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        &["same-site", "same-origin", "cross-origin"],
    ),
];

/// Headers whose value only describes the file.
const TEXTS: [HeaderName; 4] = [
    CACHE_CONTROL,
    CONTENT_LANGUAGE,
    LINK,
    HeaderName::from_static("x-robots-tag"),
];

impl Headers {
    /// Reads a file; what it cannot use, it says.
    pub fn parse(file: &[u8]) -> (Self, Vec<Problem>) {
        let mut rules: Vec<Rule> = vec![];
        let mut problems = Problems::default();
        // Headers below an address that was refused say nothing more.
        let mut skipping = false;
        let mut count = 0;
        lines(file, &mut problems, |line, text, problems| {
            count += 1;
            if count > MAX_RULES {
                problems.add(line, Fault::TooManyRules);
                return false;
            }
            let result = if text.starts_with([' ', '\t']) {
                match rules.last_mut() {
                    _ if skipping => Ok(()),
                    None => Err(Fault::NoAddress),
                    Some(rule) => header(text).map(|(name, value)| rule.set(name, value)),
                }
            } else {
                let rule = address(text);
                skipping = rule.is_err();
                rule.map(|rule| rules.push(rule))
            };
            if let Err(fault) = result {
                problems.add(line, fault);
            }
            true
        });
        (Self(rules), problems.0)
    }

    /// Puts the headers for `path` into an answer: absolute, decoded, clean, without a slash at its
    /// end.
    pub fn apply(&self, path: &str, answer: &mut HeaderMap) {
        for rule in &self.0 {
            if rule.headers.is_empty() || rule.pattern.captures(path).is_none() {
                continue;
            }
            for (name, value) in &rule.headers {
                if name == LINK {
                    answer.append(name, value.clone());
                } else {
                    answer.insert(name, value.clone());
                }
            }
        }
    }
}

impl Rule {
    fn set(&mut self, name: HeaderName, value: HeaderValue) {
        if name == LINK {
            self.headers.append(name, value);
        } else {
            self.headers.insert(name, value);
        }
    }
}

fn address(text: &str) -> Result<Rule, Fault> {
    if text.split_whitespace().nth(1).is_some() {
        return Err(Fault::NotARule);
    }
    if !text.starts_with('/') {
        return Err(Fault::NotAPath);
    }
    Ok(Rule {
        pattern: Pattern::parse(text).ok_or(Fault::Pattern)?,
        headers: HeaderMap::new(),
    })
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), Fault> {
    let (name, value) = text.trim().split_once(':').ok_or(Fault::NotARule)?;
    let (name, value) = (name.trim(), value.trim());
    let unsupported = || Fault::Header(name.into());
    let known: HeaderName = name.parse().map_err(|_| unsupported())?;
    let wrong = || Fault::Value(name.into());
    if let Some((_, words)) = WORDS.iter().find(|(word, _)| *word == known) {
        if !words.contains(&value) {
            return Err(wrong());
        }
    } else if !TEXTS.contains(&known) {
        return Err(unsupported());
    }
    let value = HeaderValue::from_str(value).map_err(|_| wrong())?;
    // What is not ASCII is read differently by every browser (RFC 9110 §5.5).
    if value.is_empty() || value.to_str().is_err() {
        return Err(wrong());
    }
    Ok((known, value))
}
