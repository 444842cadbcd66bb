//! `_headers` and `_redirects` at the top of a site: the conventions of static hosts, as Netlify and
//! Cloudflare Pages document them, as far as they cannot weaken what protects visitors.
//!
//! An author writes these files for a host, so what is not supported here is skipped and said, with
//! the line, and everything else works. Where the two hosts differ, the module of each file says
//! whom we follow.

pub mod headers;
mod pattern;
pub mod redirects;

use std::fmt;

/// Longest file that is read; the rest is ignored. The limit of Cloudflare Pages.
pub const MAX_BYTES: usize = 100 * 1024;

/// Rules of one file that count; each of them is compared with the address of every request.
pub const MAX_RULES: usize = 2000;

/// Longest line that is read, in bytes. The limit of Cloudflare Pages.
const MAX_LINE: usize = 2000;

/// Problems that are kept of one file: enough to see what is wrong.
const MAX_PROBLEMS: usize = 100;

/// What is not supported in a line of a file, or wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// More than [`MAX_BYTES`]; this line and the ones after it are ignored.
    #[error("the file is longer than {MAX_BYTES} bytes; the rest is ignored")]
    FileTooLong,
    /// More than [`MAX_RULES`]; this line and the ones after it are ignored.
    #[error("the file has more than {MAX_RULES} rules; the rest is ignored")]
    TooManyRules,
    /// Longer than a line may be.
    #[error("the line is longer than {MAX_LINE} bytes")]
    LineTooLong,
    /// Not text.
    #[error("the line is not valid UTF-8")]
    NotText,
    /// A rule without its parts.
    #[error("the line is not a rule")]
    NotARule,
    /// The address that a rule is for does not begin with a slash.
    #[error("the address must begin with / (rules for other hosts are not supported)")]
    NotAPath,
    /// A pattern that is not one.
    #[error("an address has at most one * and names like :name between slashes")]
    Pattern,
    /// A header line before the first address.
    #[error("no address stands before this header")]
    NoAddress,
    /// A header that a site may not set here.
    #[error("the header {0} is not supported")]
    Header(String),
    /// A value that the header does not have.
    #[error("this is not a value of the header {0}")]
    Value(String),
    /// A status that is not supported.
    #[error("the status {0} is not supported (301, 302, 303, 307, 308, 200, 404)")]
    Status(String),
    /// A condition on country, language, role, cookie or query.
    #[error("the condition {0} is not supported")]
    Condition(String),
    /// A destination that is neither in the site nor on the secure web.
    #[error("the destination must begin with / or https://")]
    Destination,
    /// A rewrite to another host.
    #[error("other sites can be redirected to, not shown as part of this one")]
    Proxy,
    /// A name in the destination that the address does not have.
    #[error("the destination uses {0}, which the address does not have")]
    Unknown(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.fault)
    }
}

/// What was said about a file while it was read.
#[derive(Debug, Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, line: usize, fault: Fault) {
        if self.0.len() < MAX_PROBLEMS {
            self.0.push(Problem { line, fault });
        }
    }
}

/// The lines of a file that say something, with their numbers; `visit` returns false to stop.
fn lines(
    file: &[u8],
    problems: &mut Problems,
    mut visit: impl FnMut(usize, &str, &mut Problems) -> bool,
) {
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let mut read = 0;
    for (index, line) in file.split(|byte| *byte == b'\n').enumerate() {
        read += line.len() + 1;
        let number = index + 1;
        if read > MAX_BYTES + 1 {
            problems.add(number, Fault::FileTooLong);
            return;
        }
        if line.len() > MAX_LINE {
            problems.add(number, Fault::LineTooLong);
            continue;
        }
        let Ok(line) = str::from_utf8(line) else {
            problems.add(number, Fault::NotText);
            continue;
        };
        let line = line.trim_end();
        if line.is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        if !visit(number, line, problems) {
            return;
        }
    }
}
