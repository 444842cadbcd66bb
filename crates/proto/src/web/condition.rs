//! Conditional requests (RFC 9110 §13): whether a client has already what it asks for.
//!
//! The header crate that could do this reads dates and tags more leniently than the RFC, and the
//! whole of it is two short readers; so they are here.

use std::time::{SystemTime, UNIX_EPOCH};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE},
};

use super::encoding::Encoding;

/// What distinguishes one state of a file from every other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// A text of `A-Z a-z 0-9 - _`; another one after every change (RFC 9110 §8.8.1).
    pub tag: String,
    /// When it was changed, if that is known, not before 1970 and not in the future.
    pub modified: Option<SystemTime>,
}

/// What the conditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They hold, or there are none.
    Answer,
    /// 304: the client has this version.
    NotModified,
    /// 412: the client wants another one.
    Failed,
}

/// Tags read of a list; a client that kept more versions of one file is none of ours.
const MAX_TAGS: usize = 64;

impl Version {
    /// The same state, compressed: other bytes, so another tag (RFC 9110 §8.8.3.3).
    pub fn encoded(self, encoding: Encoding) -> Self {
        Self {
            tag: format!("{}-{}", self.tag, encoding.name()),
            ..self
        }
    }

    /// The strong entity tag, as it goes into `ETag`.
    pub fn etag(&self) -> HeaderValue {
        HeaderValue::try_from(format!("\"{}\"", self.tag)).expect("a tag is visible ASCII")
    }

    /// As it goes into `Last-Modified`, to the second.
    pub fn last_modified(&self) -> Option<HeaderValue> {
        let modified = self.modified.filter(|time| *time >= UNIX_EPOCH)?;
        let date = httpdate::fmt_http_date(modified);
        Some(HeaderValue::try_from(date).expect("a date is visible ASCII"))
    }

    /// What the preconditions come to, in the order of RFC 9110 §13.2.2, for a GET or HEAD that is
    /// answered with 200 otherwise.
    pub fn check(&self, headers: &HeaderMap) -> Verdict {
        let modified = self.modified.map(seconds);
        if headers.contains_key(IF_MATCH) {
            if !self.is_among(headers, &IF_MATCH, Compare::Strong) {
                return Verdict::Failed;
            }
        } else if let (Some(since), Some(modified)) =
            (date(headers, &IF_UNMODIFIED_SINCE), modified)
            && modified > since
        {
            return Verdict::Failed;
        }
        let has_it = if headers.contains_key(IF_NONE_MATCH) {
            self.is_among(headers, &IF_NONE_MATCH, Compare::Weak)
        } else {
            date(headers, &IF_MODIFIED_SINCE)
                .zip(modified)
                .is_some_and(|(since, modified)| modified <= since)
        };
        if has_it {
            Verdict::NotModified
        } else {
            Verdict::Answer
        }
    }

    /// Whether a `Range` may be followed (RFC 9110 §13.1.5): there is no `If-Range`, or it has
    /// exactly this version. A part of another version must never complete what the client has.
    pub fn allows_range(&self, method: &Method, headers: &HeaderMap) -> bool {
        if method != Method::GET {
            return false;
        }
        let mut values = headers.get_all(IF_RANGE).iter();
        match (values.next(), values.next()) {
            (None, _) => true,
            (Some(_), Some(_)) => false,
            (Some(value), None) if value.as_bytes().starts_with(b"\"") => {
                self.is_among(headers, &IF_RANGE, Compare::Strong)
            }
            (Some(_), None) => {
                let modified = self.modified.map(seconds);
                modified.is_some() && date(headers, &IF_RANGE) == modified
            }
        }
    }

    fn is_among(&self, headers: &HeaderMap, name: &HeaderName, compare: Compare) -> bool {
        let values = headers.get_all(name).iter();
        values
            .flat_map(|value| Tags(value.as_bytes()))
            .take(MAX_TAGS)
            .any(|tag| match tag {
                Tag::Any => true,
                Tag::Weak(_) if compare == Compare::Strong => false,
                Tag::Weak(tag) | Tag::Strong(tag) => tag == self.tag.as_bytes(),
            })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Compare {
    Strong,
    Weak,
}

#[derive(Debug, PartialEq, Eq)]
enum Tag<'a> {
    Any,
    Weak(&'a [u8]),
    Strong(&'a [u8]),
}

/// The tags of a list; it ends where it stops to be one.
struct Tags<'a>(&'a [u8]);

impl<'a> Iterator for Tags<'a> {
    type Item = Tag<'a>;

    fn next(&mut self) -> Option<Tag<'a>> {
        let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b',');
        let skipped = self.0.iter().take_while(blank).count();
        let rest = &std::mem::take(&mut self.0)[skipped..];
        if rest == b"*" {
            return Some(Tag::Any);
        }
        let (weak, quoted) = match rest.strip_prefix(b"W/") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        // A tag has no escapes: a backslash is a character of it.
        let tag = quoted.strip_prefix(b"\"")?;
        let end = tag.iter().position(|byte| *byte == b'"')?;
        let (tag, after) = (&tag[..end], &tag[end + 1..]);
        let after = after.trim_ascii_start();
        if after.is_empty() || after.starts_with(b",") {
            self.0 = after;
        }
        Some(if weak {
            Tag::Weak(tag)
        } else {
            Tag::Strong(tag)
        })
    }
}

/// Seconds since 1970: what a date in a header can say.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// The date in a header that occurs once; one that is not well formed does not count.
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    let mut values = headers.get_all(name).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    let date = httpdate::parse_http_date(value.to_str().ok()?).ok()?;
    Some(seconds(date))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tags(list: &str) -> Vec<Tag<'_>> {
        Tags(list.as_bytes()).collect()
    }

    #[test]
    fn lists_of_tags() {
        assert_eq!(tags("*"), [Tag::Any]);
        assert_eq!(tags("\"a\""), [Tag::Strong(b"a")]);
        assert_eq!(
            tags(" \"a,b\" ,, W/\"\",\t\"c\\\""),
            [Tag::Strong(b"a,b"), Tag::Weak(b""), Tag::Strong(b"c\\")]
        );
        assert_eq!(tags("\"a\" \"b\""), [Tag::Strong(b"a")]);
        for none in ["", "a", "\"a", "w/\"a\"", "**", "* , \"a\""] {
            assert_eq!(tags(none), [], "{none}");
        }
    }

    proptest! {
        #[test]
        fn no_list_makes_it_panic_or_go_on_forever(list in "[W/\",* a\\\\]{0,60}") {
            prop_assert!(tags(&list).len() <= list.len());
        }
    }
}
