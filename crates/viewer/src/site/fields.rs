//! The fields of an HTML form in the three encodings that browsers send
//! (<https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#form-submission-algorithm>).

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, header::CONTENT_TYPE},
};
use futures::StreamExt;
use multer::Multipart;
use tokio::time::timeout;
use url::form_urlencoded;

use crate::{body::MAX_BODY, door::guard};

/// Bytes of a body that is read to its end although it is refused: a browser shows the answer only
/// after it has sent everything.
const MAX_DISCARDED: u64 = 64 * 1024 * 1024;
/// For a whole form to arrive, with a file in it; it comes from this computer.
const MULTIPART_TIMEOUT: Duration = Duration::from_secs(30);

/// How a form is encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Urlencoded,
    /// With the boundary between the fields.
    Multipart(String),
    Plain,
}

/// Why a form's fields are not what the person wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// A file was chosen in this field.
    File {
        field: String,
        file: String,
    },
    TooLarge,
    Unreadable,
}

/// Names and values in the order of the form.
pub(crate) type Fields = Vec<(String, String)>;

impl Encoding {
    /// `None` if it is not a form. Scripts send JSON as `text/plain` when they name no type: only a
    /// browser that leaves the page for the answer has sent a form with it.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let essence = kind.split(';').next().unwrap_or_default().trim();
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        if is("application/x-www-form-urlencoded") {
            Some(Self::Urlencoded)
        } else if is("multipart/form-data") {
            multer::parse_boundary(kind).ok().map(Self::Multipart)
        } else {
            (is("text/plain") && guard::is_navigation(headers)).then_some(Self::Plain)
        }
    }
}

pub(crate) fn urlencoded(body: &[u8]) -> Fields {
    form_urlencoded::parse(body)
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

/// `name=value` lines. A line without `=` goes on with the value before it: browsers do not escape
/// line breaks.
pub(crate) fn plain(body: &[u8]) -> Fields {
    let text = String::from_utf8_lossy(body);
    let text = text.strip_suffix("\r\n").unwrap_or(&text);
    let mut fields = Fields::new();
    for line in text.split("\r\n") {
        match (line.split_once('='), fields.last_mut()) {
            (Some((name, value)), _) => fields.push((name.into(), value.into())),
            (None, Some((_, value))) => value.extend(["\r\n", line]),
            (None, None) => {}
        }
    }
    fields
}

/// Reads everything, what is refused too.
pub(crate) async fn multipart(boundary: &str, body: Body) -> Result<Fields, Problem> {
    let mut bytes = 0;
    let body = body.into_data_stream().map(move |chunk| {
        let chunk = chunk.map_err(|_| Problem::Unreadable)?;
        bytes += chunk.len() as u64;
        if bytes > MAX_DISCARDED {
            Err(Problem::TooLarge)
        } else {
            Ok(chunk)
        }
    });
    let body = body.map(|chunk| chunk.map_err(Stopped));
    let read = read(Multipart::new(body, boundary));
    timeout(MULTIPART_TIMEOUT, read)
        .await
        .unwrap_or(Err(Problem::Unreadable))
}

async fn read(mut form: Multipart<'_>) -> Result<Fields, Problem> {
    let (mut fields, mut kept, mut problem) = (Fields::new(), 0, None);
    while let Some(mut field) = form.next_field().await.map_err(unreadable)? {
        let name = field.name().unwrap_or_default().to_owned();
        let file = field.file_name().map(ToOwned::to_owned);
        let mut value = Vec::new();
        let mut len = 0;
        while let Some(chunk) = field.chunk().await.map_err(unreadable)? {
            len += chunk.len();
            if file.is_none() && kept + len <= MAX_BODY {
                value.extend_from_slice(&chunk);
            }
        }
        match file {
            // Nothing was chosen.
            Some(file) if file.is_empty() && len == 0 => {}
            Some(file) => problem = problem.or(Some(Problem::File { field: name, file })),
            None if kept + len > MAX_BODY => problem = problem.or(Some(Problem::TooLarge)),
            None => {
                kept += len;
                let value = String::from_utf8(value).map_err(|_| Problem::Unreadable)?;
                fields.push((name, value));
            }
        }
    }
    problem.map_or(Ok(fields), Err)
}

/// Carries a problem through the reader of the form.
#[derive(Debug, thiserror::Error)]
#[error("{0:?}")]
struct Stopped(Problem);

fn unreadable(error: multer::Error) -> Problem {
    match error {
        multer::Error::StreamReadFailed(error) => error
            .downcast::<Stopped>()
            .map_or(Problem::Unreadable, |stopped| stopped.0),
        _ => Problem::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let owned = |(name, value): &(&str, &str)| ((*name).into(), (*value).into());
        pairs.iter().map(owned).collect()
    }

    async fn form(parts: &[(&str, &str)]) -> Result<Fields, Problem> {
        let parts = parts.iter().map(|(head, body)| {
            format!("--x\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n")
        });
        let body = parts.collect::<String>() + "--x--\r\n";
        multipart("x", body.into()).await
    }

    #[test]
    fn plain_text_is_read_line_by_line() {
        assert_eq!(
            plain(b"table=t\r\nmessage=one\r\ntwo\r\n\r\na=b=c\r\n"),
            fields(&[("table", "t"), ("message", "one\r\ntwo\r\n"), ("a", "b=c")])
        );
        assert_eq!(plain(b""), fields(&[]));
        assert_eq!(plain(b"nothing"), fields(&[]));
    }

    #[tokio::test]
    async fn texts_of_a_multipart_form_are_fields() {
        let parts = [
            ("name=\"table\"", "t"),
            ("name=\"message\"", "two\r\nlines é"),
            ("name=\"photo\"; filename=\"\"", ""),
        ];
        let expected = fields(&[("table", "t"), ("message", "two\r\nlines é")]);
        assert_eq!(form(&parts).await, Ok(expected));
    }

    #[tokio::test]
    async fn a_file_is_refused_with_its_name() {
        let photo = "x".repeat(3 * MAX_BODY);
        let parts = [
            ("name=\"photo\"; filename=\"me.jpg\"", &*photo),
            ("name=\"table\"", "t"),
        ];
        let (field, file) = ("photo".into(), "me.jpg".into());
        assert_eq!(form(&parts).await, Err(Problem::File { field, file }));
    }

    #[tokio::test]
    async fn what_is_too_long_or_broken_is_refused() {
        let long = "x".repeat(MAX_BODY / 2 + 1);
        let parts = [("name=\"a\"", &*long), ("name=\"b\"", &long)];
        assert_eq!(form(&parts).await, Err(Problem::TooLarge));
        for body in [
            "",
            "--x\r\n",
            "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb",
        ] {
            assert_eq!(
                multipart("x", body.into()).await,
                Err(Problem::Unreadable),
                "{body}"
            );
        }
    }
}
