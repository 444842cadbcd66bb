//! Failures, in plain words: a page for a person, text for a program. Nothing from outside gets
//! into a page unescaped.

use axum::{
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
    },
    response::{Html, IntoResponse, Redirect, Response},
};
use goop2_peer::Error;
use goop2_proto::html::escape;

use crate::{app::App, guard, target::Target};

/// A request that reaches no router.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) message: &'static str,
}

pub(crate) fn refusal(refusal: &Refusal) -> Response {
    let headers = [
        (CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text(refusal.status, refusal.message)).into_response()
}

/// A way on from a page that is not there.
pub(crate) struct Link<'a> {
    pub(crate) text: &'a str,
    pub(crate) href: &'a str,
}

/// A site's file that cannot be shown; `retry` is its address.
pub(crate) fn failure(headers: &HeaderMap, error: &Error, retry: &str) -> Response {
    let link = Link {
        text: "Try again",
        href: retry,
    };
    answer(
        headers,
        status(error),
        heading(error),
        &error.to_string(),
        Some(&link),
    )
}

/// On to a site that is seen at a port. A page's link is not enough to get a port for one that has
/// none yet: the person is told how to go there.
pub(crate) fn at_port(app: &App, headers: &HeaderMap, target: &Target) -> Response {
    match app.ports.known(&target.peer) {
        Some(origin) => {
            Redirect::temporary(&format!("{origin}{}", target.url_path())).into_response()
        }
        None => answer(
            headers,
            StatusCode::CONFLICT,
            "Another peer’s site",
            &format!(
                "This link leads to another site. To go there, copy its address into the address bar: goop://{}{}",
                target.place().peer,
                target.place().path
            ),
            None,
        ),
    }
}

/// A page when a person is waiting for one, else only the message.
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
        text(status, message)
    }
}

/// A line of plain text, as existing viewers answer.
pub(crate) fn text(status: StatusCode, message: &str) -> Response {
    (
        status,
        [(CONTENT_TYPE, "text/plain; charset=utf-8")],
        format!("{message}\n"),
    )
        .into_response()
}

pub(crate) fn status(error: &Error) -> StatusCode {
    match error {
        Error::NotFound => StatusCode::NOT_FOUND,
        Error::Forbidden | Error::Blocked => StatusCode::FORBIDDEN,
        Error::Invalid(_) | Error::Setting(_) => StatusCode::BAD_REQUEST,
        Error::TooSlow => StatusCode::GATEWAY_TIMEOUT,
        Error::Offline | Error::Cut | Error::Protocol(_) | Error::Closed => StatusCode::BAD_GATEWAY,
        Error::Data(_) | Error::Store(_) | Error::Node(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn heading(error: &Error) -> &'static str {
    match error {
        Error::Offline => "Not online now",
        Error::NotFound => "No such page",
        Error::Forbidden => "Not shared",
        Error::TooSlow => "Too slow",
        Error::Cut => "Connection lost",
        Error::Protocol(_) => "Not understood",
        Error::Closed => "Going offline",
        Error::Blocked => "Blocked by you",
        Error::Data(_)
        | Error::Invalid(_)
        | Error::Setting(_)
        | Error::Store(_)
        | Error::Node(_) => "That did not work",
    }
}

fn html(heading: &str, message: &str, link: Option<&Link>) -> String {
    let (heading, message) = (escape(heading), escape(message));
    let link = link.map_or_else(String::new, |link| {
        format!(
            "<p><a href=\"{}\">{}</a></p>\n",
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
        let page = html(
            "<h>",
            "a & \"b\"",
            Some(&Link {
                text: "<t>",
                href: "/'\"><script>",
            }),
        );
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
