//! A plain HTML form without any script: `<form method="post" action="/api/p/<peer>/data/insert">`
//! with a field `table`; the other fields are the row. The browser returns to the page with the
//! form. What is wrong is said on a page in the site's place, in words for the person who filled in
//! the form, and going back keeps what they wrote.

use axum::{
    extract::{FromRequest, Request as HttpRequest},
    http::{HeaderMap, StatusCode, header::REFERER},
    response::{IntoResponse, Redirect, Response},
};
use goop2_peer::Error;
use goop2_proto::{PeerId, data::Request};
use serde_json::{Map, Value};

use crate::{
    app::App,
    body::Input,
    door::origin::{self, Visitor},
    page::{self, Link},
    site::{
        data,
        fields::{self, Encoding, Fields, Problem},
    },
};

/// Characters of a field's name or value that a message repeats.
const MAX_SHOWN: usize = 60;

pub(crate) async fn insert(
    app: &App,
    visitor: Visitor,
    site: PeerId,
    encoding: Encoding,
    request: HttpRequest,
) -> Response {
    let headers = request.headers().clone();
    let back = back(site, &headers);
    let refuse = |status, message: &str| failed(&headers, status, message, &back);
    let fields = match read(encoding, request).await {
        Ok(fields) => fields,
        Err(problem) => return refuse(StatusCode::BAD_REQUEST, &explained(&problem)),
    };
    let request = match row(fields) {
        Ok(request) => request,
        Err(message) => return refuse(StatusCode::BAD_REQUEST, &message),
    };
    let table = request.table.clone();
    match app.data(visitor, site, request).await {
        Ok(_) => Redirect::to(&format!("{}{back}", origin::own(&headers))).into_response(),
        Err(Error::Data(text)) => {
            refuse(StatusCode::INTERNAL_SERVER_ERROR, &in_words(&table, &text))
        }
        Err(error) => refuse(data::status(&error), &error.to_string()),
    }
}

async fn read(encoding: Encoding, request: HttpRequest) -> Result<Fields, Problem> {
    let whole = async |request| {
        let input = Input::from_request(request, &()).await;
        input.map_err(|response| match response.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::TooLarge,
            _ => Problem::Unreadable,
        })
    };
    match encoding {
        Encoding::Urlencoded => Ok(fields::urlencoded(&whole(request).await?.0)),
        Encoding::Plain => Ok(fields::plain(&whole(request).await?.0)),
        Encoding::Multipart(boundary) => fields::multipart(&boundary, request.into_body()).await,
    }
}

/// The page with the form if the browser says which it was, otherwise the first page.
fn back(site: PeerId, headers: &HeaderMap) -> String {
    let referer = headers.get(REFERER).and_then(|value| value.to_str().ok());
    let within = referer.and_then(|url| origin::path_within(url, &origin::own(headers)));
    within.map_or_else(|| format!("/p/{site}/"), Into::into)
}

/// Every value is text; the values of a field that occurs more than once (checkboxes) are joined.
fn row(fields: Fields) -> Result<Request, String> {
    let mut row = Map::new();
    for (name, value) in fields {
        match row.get_mut(&name) {
            Some(Value::String(known)) => known.extend([", ", &value]),
            _ => drop(row.insert(name, Value::String(value))),
        }
    }
    let Some(Value::String(table)) = row.shift_remove("table") else {
        return Err(
            "This form doesn’t say which table to save to. It needs a field named “table”.".into(),
        );
    };
    if let Some(name) = row.keys().find(|name| !is_column(name)) {
        return Err(format!(
            "This form has a field named “{}”, and a column can’t have that name: only letters, \
             digits and “_”, not a digit first. The site’s author needs to rename the field.",
            shown(name)
        ));
    }
    Ok(Request {
        op: "insert".into(),
        table,
        data: row,
        ..Request::default()
    })
}

/// `^[A-Za-z_][A-Za-z0-9_]*$` (PROTOCOL §5.4).
fn is_column(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && !name.as_bytes()[0].is_ascii_digit() && name.bytes().all(plain)
}

fn explained(problem: &Problem) -> String {
    match problem {
        Problem::File { field, file } => format!(
            "A site can’t save files, and you chose “{}” in the field “{}”. Go back, choose none, \
             and send the form again.",
            shown(file),
            shown(field)
        ),
        Problem::TooLarge => "This is too much for one entry. Go back and shorten it.".into(),
        Problem::Unreadable => "This form didn’t arrive whole. Go back and send it again.".into(),
    }
}

/// What a database says, in words for the person at the form.
fn in_words(table: &str, text: &str) -> String {
    let after = |words: &str| {
        let (_, name) = text.split_once(words)?;
        let name = name.split([' ', ',']).next()?;
        Some(shown(name.rsplit('.').next()?))
    };
    let table = shown(table);
    if let Some(field) = after("has no column named ").or_else(|| after("no such column: ")) {
        format!(
            "This form has a field named “{field}”, but the table “{table}” has no such column. (A \
             button with a name is a field too.) The site’s author needs to rename one of them."
        )
    } else if text.contains("no such table: ") {
        format!("This site has no table named “{table}” to save your entry in.")
    } else if let Some(field) = after("NOT NULL constraint failed: ") {
        format!("The field “{field}” must be filled in. Go back and fill it in.")
    } else if let Some(field) = after("UNIQUE constraint failed: ") {
        format!("There is already an entry with this “{field}”. Go back and change it.")
    } else if text.contains("constraint failed") || text.starts_with("SQL logic error") {
        "This site’s database doesn’t accept one of the values. Go back and change it.".into()
    } else {
        format!("This site didn’t accept your entry: {text}.")
    }
}

fn shown(name: &str) -> String {
    match name.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.into(),
    }
}

fn failed(headers: &HeaderMap, status: StatusCode, message: &str, back: &str) -> Response {
    page::answer(
        headers,
        status,
        "Not sent",
        message,
        Some(&Link::back(back)),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(body: &[u8]) -> Result<Request, String> {
        row(fields::urlencoded(body))
    }

    #[test]
    fn fields_become_a_row() {
        let request = of(b"name=A+b%C3%A9&table=guestbook&tick=x&tick=y&empty=").unwrap();
        assert_eq!(
            (request.op.as_str(), request.table.as_str()),
            ("insert", "guestbook")
        );
        assert_eq!(
            Value::Object(request.data),
            json!({"name": "A bé", "tick": "x, y", "empty": ""})
        );
        assert!(of(b"name=x").unwrap_err().contains("“table”"));
        assert!(
            of(b"table=t&first-name=x")
                .unwrap_err()
                .contains("“first-name”")
        );
        assert!(of(b"table=t&1st=x").is_err() && of(b"table=t&=x").is_err());
    }

    #[test]
    fn what_a_database_says_becomes_words() {
        for (text, words) in [
            (
                "SQL logic error: table t has no column named send (1)",
                "named “send”",
            ),
            ("SQL logic error: no such column: send (1)", "named “send”"),
            (
                "SQL logic error: no such table: t (1)",
                "no table named “t”",
            ),
            (
                "constraint failed: NOT NULL constraint failed: t.message (1299)",
                "“message” must",
            ),
            (
                "constraint failed: UNIQUE constraint failed: t.code (2067)",
                "this “code”",
            ),
            (
                "constraint failed: CHECK constraint failed: x > 1 (275)",
                "one of the values",
            ),
            (
                "SQL logic error: near \"x\": syntax error (1)",
                "one of the values",
            ),
            ("insert not allowed: why", "entry: insert not allowed: why."),
        ] {
            let said = in_words("t", text);
            assert!(said.contains(words), "{text}: {said}");
            assert!(!said.contains("SQL"), "{said}");
        }
        assert!(shown(&"é".repeat(100)).chars().count() <= MAX_SHOWN + 1);
    }
}
