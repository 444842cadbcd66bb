//! `_redirects`: `/from /to [status][!]`, one rule per line.
//!
//! The first rule that matches wins. As at Netlify, a file that exists wins over a rule unless its
//! status ends with `!`, 301 is the default, and the query is passed on unless the destination has
//! its own (at Cloudflare Pages rules always win, and 302 is the default). Redirects lead into the
//! site or to `https://`; a rewrite (200, 404) shows a file of the site under the address that was
//! asked for, and ends there: what it leads to is not rewritten again.
//!
//! What a name or splat stands for comes from strangers. It is escaped, it cannot add `..`, and a
//! destination in the site is written relative to the address that was asked for: no value makes it
//! lead to another host, or out of a site that lies below `/p/<peer id>/`.

use http::StatusCode;
use percent_encoding::{AsciiSet, utf8_percent_encode};

use super::{
    Fault, MAX_RULES, Problem, Problems, lines,
    pattern::{Captures, Pattern, name},
};
use crate::web::target::{UNSAFE, decode};

/// The rules of a file.
#[derive(Debug, Default)]
pub struct Redirects(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    from: Pattern,
    to: Destination,
    status: StatusCode,
    forced: bool,
}

#[derive(Debug)]
struct Destination {
    /// `https://host`, or nothing for the site.
    origin: String,
    /// From the slash on, without query and fragment.
    path: String,
    query: Option<String>,
    fragment: Option<String>,
}

/// What a rule makes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send the client to an address.
    Redirect(StatusCode, String),
    /// Show this file or folder of the site: a decoded absolute path.
    Rewrite(StatusCode, String),
}

/// Redirects within the site that are followed to see whether they end. Browsers follow 20.
const MAX_HOPS: usize = 10;

/// What a captured value must not add to a URL.
const CAPTURED: &AsciiSet = &UNSAFE
    .add(b'%')
    .add(b'?')
    .add(b'#')
    .add(b'&')
    .add(b'=')
    .add(b'+')
    .add(b'@')
    .add(b'[')
    .add(b']')
    .add(b';');

impl Redirects {
    /// Reads a file; what it cannot use, it says.
    pub fn parse(file: &[u8]) -> (Self, Vec<Problem>) {
        let mut rules = vec![];
        let mut problems = Problems::default();
        lines(file, &mut problems, |line, text, problems| {
            if rules.len() == MAX_RULES {
                problems.add(line, Fault::TooManyRules);
                return false;
            }
            match rule(text) {
                Ok(rule) => rules.push(rule),
                Err(fault) => problems.add(line, fault),
            }
            true
        });
        (Self(rules), problems.0)
    }

    /// What the rules make of a request for `path`: absolute, decoded, clean, without a slash at its
    /// end. `written` is the path of the request as it came, which a redirect is relative to.
    /// `exists` says whether the site has something at a path; it is asked only where it matters.
    pub fn action(
        &self,
        path: &str,
        written: &str,
        query: Option<&str>,
        exists: &dyn Fn(&str) -> bool,
    ) -> Option<Action> {
        let (rule, captures) = self.rule(path, exists)?;
        let target = rule.to.path(&captures)?;
        if rule.status == StatusCode::OK || rule.status == StatusCode::NOT_FOUND {
            return Some(Action::Rewrite(rule.status, decode(&target).ok()?));
        }
        if rule.to.origin.is_empty() && !self.ends(&target, exists) {
            return None;
        }
        let location = rule.to.location(&target, &captures, written, query);
        Some(Action::Redirect(rule.status, location))
    }

    /// The first rule for a path that does not lead to itself.
    fn rule(&self, path: &str, exists: &dyn Fn(&str) -> bool) -> Option<(&Rule, Captures)> {
        let mut is_there = None;
        self.0.iter().find_map(|rule| {
            let captures = rule.from.captures(path)?;
            if !rule.forced && *is_there.get_or_insert_with(|| exists(path)) {
                return None;
            }
            (!rule.leads_to(path, &captures)).then_some((rule, captures))
        })
    }

    /// Whether redirects from a path within the site come to an end.
    fn ends(&self, target: &str, exists: &dyn Fn(&str) -> bool) -> bool {
        let mut target = target.to_owned();
        for _ in 0..MAX_HOPS {
            let Ok(path) = decode(&target) else {
                return true;
            };
            let path = without_slash(&path);
            let Some((rule, captures)) = self.rule(path, exists) else {
                return true;
            };
            if !rule.status.is_redirection() || !rule.to.origin.is_empty() {
                return true;
            }
            match rule.to.path(&captures) {
                Some(next) => target = next,
                None => return true,
            }
        }
        false
    }
}

impl Rule {
    /// Whether it sends the client where it is. (A rewrite may: it shows the file itself.)
    fn leads_to(&self, path: &str, captures: &Captures) -> bool {
        self.status.is_redirection()
            && self.to.origin.is_empty()
            && self.to.path(captures).is_some_and(|target| {
                decode(&target).is_ok_and(|target| without_slash(&target) == path)
            })
    }
}

impl Destination {
    /// The path with what was captured, escaped; `None` when that makes no clean path.
    fn path(&self, captures: &Captures) -> Option<String> {
        let path = filled(&self.path, captures);
        let is_dots = |part: &str| {
            let part = part.to_ascii_lowercase().replace("%2e", ".");
            part == "." || part == ".."
        };
        (!path.split('/').any(is_dots)).then_some(path)
    }

    fn location(
        &self,
        path: &str,
        captures: &Captures,
        written: &str,
        query: Option<&str>,
    ) -> String {
        let mut location = if self.origin.is_empty() {
            relative(path, written)
        } else {
            format!("{}{path}", self.origin)
        };
        let own = self.query.as_deref().map(|query| filled(query, captures));
        let passed = query.map(|query| utf8_percent_encode(query, UNSAFE).to_string());
        if let Some(query) = own.or(passed) {
            location = format!("{location}?{query}");
        }
        if let Some(fragment) = &self.fragment {
            location = format!("{location}#{}", filled(fragment, captures));
        }
        location
    }
}

/// An absolute path of the site, seen from the address `written` in it.
fn relative(path: &str, written: &str) -> String {
    let up = "../".repeat(written.matches('/').count().saturating_sub(1));
    let path = path.trim_start_matches('/');
    let first = path.split('/').next().unwrap_or_default();
    if up.is_empty() && (path.is_empty() || first.contains(':')) {
        format!("./{path}")
    } else {
        format!("{up}{path}")
    }
}

/// A template with what was captured in place of the names.
fn filled(template: &str, captures: &Captures) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(':') {
        text.push_str(&rest[..at]);
        let name = name(&rest[at + 1..]);
        match captures.value(name) {
            Some(value) => text.push_str(&utf8_percent_encode(value, CAPTURED).to_string()),
            None => text.push_str(&rest[at..=at + name.len()]),
        }
        rest = &rest[at + 1 + name.len()..];
    }
    text.push_str(rest);
    text
}

fn without_slash(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => "/",
        path => path,
    }
}

fn rule(line: &str) -> Result<Rule, Fault> {
    // A comment may follow.
    let words: Vec<_> = line
        .split_whitespace()
        .take_while(|word| !word.starts_with('#'))
        .collect();
    let (from, rest) = words.split_first().ok_or(Fault::NotARule)?;
    if !from.starts_with('/') {
        return Err(Fault::NotAPath);
    }
    // What stands before the destination are conditions on the query: `id=:id`.
    let is_destination = |word: &&str| word.starts_with('/') || word.contains("://");
    let at = rest
        .iter()
        .position(is_destination)
        .ok_or(Fault::Destination)?;
    if let Some(condition) = rest[..at].first() {
        return Err(Fault::Condition((*condition).into()));
    }
    let from = Pattern::parse(from).ok_or(Fault::Pattern)?;
    let to = destination(rest[at], &from)?;
    let (status, forced) = match rest.get(at + 1) {
        None => (StatusCode::MOVED_PERMANENTLY, false),
        Some(word) if word.contains('=') => return Err(Fault::Condition((*word).into())),
        Some(word) => status(word)?,
    };
    if let Some(condition) = rest.get(at + 2) {
        return Err(Fault::Condition((*condition).into()));
    }
    if !status.is_redirection() && !to.origin.is_empty() {
        return Err(Fault::Proxy);
    }
    Ok(Rule {
        from,
        to,
        status,
        forced,
    })
}

fn status(word: &str) -> Result<(StatusCode, bool), Fault> {
    let (number, forced) = match word.strip_suffix('!') {
        Some(number) => (number, true),
        None => (word, false),
    };
    match number {
        "200" => Ok((StatusCode::OK, forced)),
        "301" => Ok((StatusCode::MOVED_PERMANENTLY, forced)),
        "302" => Ok((StatusCode::FOUND, forced)),
        "303" => Ok((StatusCode::SEE_OTHER, forced)),
        "307" => Ok((StatusCode::TEMPORARY_REDIRECT, forced)),
        "308" => Ok((StatusCode::PERMANENT_REDIRECT, forced)),
        "404" => Ok((StatusCode::NOT_FOUND, forced)),
        _ => Err(Fault::Status(word.into())),
    }
}

fn destination(text: &str, from: &Pattern) -> Result<Destination, Fault> {
    let text = utf8_percent_encode(text, UNSAFE).to_string();
    let (text, fragment) = split(&text, '#');
    let (text, query) = split(text, '?');
    let (origin, path) = match text.strip_prefix("https://") {
        Some(rest) => {
            let at = rest.find('/').unwrap_or(rest.len());
            (format!("https://{}", host(&rest[..at])?), &rest[at..])
        }
        None if text.starts_with('/') && !text.starts_with("//") => (String::new(), text),
        None => return Err(Fault::Destination),
    };
    let path = if path.is_empty() { "/" } else { path };
    let mut parts = [Some(path), query, fragment].into_iter().flatten();
    if let Some(name) = parts.find_map(|part| unknown(part, from)) {
        return Err(Fault::Unknown(name));
    }
    Ok(Destination {
        origin,
        path: path.into(),
        query: query.map(Into::into),
        fragment: fragment.map(Into::into),
    })
}

/// A host with or without a port: nothing in it can be a name, and nobody else's credentials.
fn host(text: &str) -> Result<&str, Fault> {
    let (host, port) = text.split_once(':').unwrap_or((text, "443"));
    let is_host = !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if is_host && is_port {
        Ok(text)
    } else {
        Err(Fault::Destination)
    }
}

/// `:splat` or a name that a component begins with, without anything to stand for it. Other colons
/// are colons.
fn unknown(template: &str, from: &Pattern) -> Option<String> {
    template.match_indices(':').find_map(|(at, _)| {
        let name = name(&template[at + 1..]);
        let is_meant = name == "splat" || template[..at].ends_with(['/', '=']);
        (!name.is_empty() && is_meant && !from.has(name)).then(|| format!(":{name}"))
    })
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}
