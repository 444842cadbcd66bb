//! A plain HTML form without any script: `<form method="post" action="/api/p/<peer>/data/insert">`
//! with a field `table`; the other fields are the row. The browser returns to the page with the
//! form.

use axum::{
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_TYPE, REFERER},
    },
    response::{IntoResponse, Redirect, Response},
};
use goop2_peer::Error;
use goop2_proto::{PeerId, data::Request};
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::{
    app::App,
    door::origin,
    page::{self, Link},
    site::data,
};

pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| {
        kind.trim()
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

pub(crate) async fn insert(app: &App, site: PeerId, headers: &HeaderMap, body: &[u8]) -> Response {
    let back = back(site, headers);
    let Some(request) = request(body) else {
        return failed(
            headers,
            StatusCode::BAD_REQUEST,
            "This form doesn’t say which table to save to. It needs a field named “table”.",
            &back,
        );
    };
    match app.peer.data(site, request).await {
        Ok(_) => Redirect::to(&format!("{}{back}", origin::own(headers))).into_response(),
        Err(Error::Data(text)) => failed(
            headers,
            StatusCode::INTERNAL_SERVER_ERROR,
            &format!("This site didn’t accept your entry: {text}."),
            &back,
        ),
        Err(error) => failed(headers, data::status(&error), &error.to_string(), &back),
    }
}

/// The page with the form if the browser says which it was, otherwise the first page.
fn back(site: PeerId, headers: &HeaderMap) -> String {
    let referer = headers.get(REFERER).and_then(|value| value.to_str().ok());
    let within = referer.and_then(|url| origin::path_within(url, &origin::own(headers)));
    within.map_or_else(|| format!("/p/{site}/"), Into::into)
}

/// Every value is text; the values of a field that occurs more than once (checkboxes) are joined.
fn request(body: &[u8]) -> Option<Request> {
    let mut row = Map::new();
    for (name, value) in form_urlencoded::parse(body) {
        match row.get_mut(&*name) {
            Some(Value::String(known)) => known.extend([", ", &value]),
            _ => drop(row.insert(name.into(), Value::String(value.into()))),
        }
    }
    let Value::String(table) = row.shift_remove("table")? else {
        return None;
    };
    Some(Request {
        op: "insert".into(),
        table,
        data: row,
        ..Request::default()
    })
}

fn failed(headers: &HeaderMap, status: StatusCode, message: &str, back: &str) -> Response {
    page::answer(
        headers,
        status,
        "Not sent",
        message,
        Some(&Link {
            text: "Back",
            href: back,
        }),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_become_a_row() {
        let request = request(b"name=A+b%C3%A9&table=guestbook&tick=x&tick=y&empty=").unwrap();
        assert_eq!(
            (request.op.as_str(), request.table.as_str()),
            ("insert", "guestbook")
        );
        assert_eq!(
            Value::Object(request.data),
            json!({"name": "A bé", "tick": "x, y", "empty": ""})
        );
        assert!(super::request(b"name=x").is_none());
    }
}
