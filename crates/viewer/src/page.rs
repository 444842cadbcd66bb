//! Errors, in plain words: a page for a person, text for a program. Everything from outside is
//! escaped in a page.

use axum::{
    http::{HeaderMap, StatusCode},
    response::{Html, IntoResponse, Response},
};
use goop2_peer::Error;
use goop2_proto::html::escape;

use crate::{answer, door::guard};

/// A link on an error page.
pub(crate) struct Link<'a> {
    pub(crate) text: &'a str,
    pub(crate) href: &'a str,
    /// Whether it goes back in the history where scripts run, which keeps a filled-in form; without
    /// scripts it is a plain link to the same page.
    pub(crate) back: bool,
}

impl<'a> Link<'a> {
    pub(crate) const fn to(text: &'a str, href: &'a str) -> Self {
        let back = false;
        Self { text, href, back }
    }

    pub(crate) const fn back(href: &'a str) -> Self {
        let (text, back) = ("Back", true);
        Self { text, href, back }
    }
}

/// A file of a site that cannot be shown: `retry` is its address, `first` that of the first page.
pub(crate) fn failure(headers: &HeaderMap, error: &Error, retry: &str, first: &str) -> Response {
    if matches!(error, Error::NotFound) && retry != first {
        return missing(headers, first);
    }
    let link = Link::to("Try again", retry);
    explain(headers, error, &link)
}

/// An address without a page.
pub(crate) fn missing(headers: &HeaderMap, first: &str) -> Response {
    let link = Link::to("Go to the first page", first);
    explain(headers, &Error::NotFound, &link)
}

fn explain(headers: &HeaderMap, error: &Error, link: &Link) -> Response {
    let status = answer::status(error);
    answer(
        headers,
        status,
        heading(error),
        &error.to_string(),
        Some(link),
    )
}

/// A page if a person is waiting for one, otherwise only the message.
pub(crate) fn answer(
    headers: &HeaderMap,
    status: StatusCode,
    heading: &str,
    message: &str,
    link: Option<&Link>,
) -> Response {
    if guard::is_navigation(headers) || guard::wants_html(headers) {
        (status, Html(html(heading, message, link))).into_response()
    } else {
        answer::text(status, message)
    }
}

fn heading(error: &Error) -> &'static str {
    match error {
        Error::Offline => "Not online right now",
        Error::NotFound => "Page not found",
        Error::Forbidden => "Not shared",
        Error::TooSlow => "Too slow",
        Error::Cut => "Connection lost",
        Error::Protocol(_) => "Unexpected answer",
        Error::Closed => "Going offline",
        Error::Blocked => "Blocked",
        Error::Data(_)
        | Error::Invalid(_)
        | Error::Setting(_)
        | Error::Store(_)
        | Error::Publish(_)
        | Error::Node(_) => "Something went wrong",
    }
}

fn html(heading: &str, message: &str, link: Option<&Link>) -> String {
    let (heading, message) = (escape(heading), escape(message));
    let link = link.map_or_else(String::new, |link| {
        let (id, script) = if link.back {
            (
                " id=\"back\"",
                "<script src=\"/sdk/goop-page.js\"></script>\n",
            )
        } else {
            ("", "")
        };
        format!(
            "<p><a{id} href=\"{}\">{}</a></p>\n{script}",
            escape(link.href),
            escape(link.text)
        )
    });
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{heading}</title>\n<link rel=\"stylesheet\" href=\"/sdk/goop-page.css\">\n\
         <main>\n<h1>{heading}</h1>\n<p>{message}</p>\n{link}</main>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_into_a_page_unescaped() {
        let page = html("<h>", "a & \"b\"", Some(&Link::to("<t>", "/'\"><script>")));
        assert!(
            page.contains("<h1>&lt;h&gt;</h1>\n<p>a &amp; &quot;b&quot;</p>"),
            "{page}"
        );
        assert!(
            page.contains("href=\"/&#39;&quot;&gt;&lt;script&gt;\">&lt;t&gt;<"),
            "{page}"
        );
    }
}
