//! The pages of registration (§6.8), and the answers to an app that registers by signature.
//!
//! Decisions are made in [`crate::registration`]; a handler reports them, to a person in a page, to
//! an app in JSON.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Extension,
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use goop2_proto::{
    household,
    html::escape,
    presence::{MAX_EMAIL, shorten},
};
use serde_json::json;

use crate::{
    mail::Remedy,
    registration::{Link, Refusal, Sent},
    server::{
        app::App,
        connections::{client::Client, listen},
        respond::{HERE, error, html, status_of, too_many, wants_html},
    },
};

/// When to try again after the mail server was away or asked to wait: it makes unknown senders wait
/// for some minutes.
const MAIL_AGAIN: Duration = Duration::from_secs(5 * 60);

pub(crate) async fn form(State(app): State<Arc<App>>) -> Response {
    match &app.registrations {
        Some(_) => register_page(StatusCode::OK, "", ""),
        None => no_database("registration"),
    }
}

/// From the form, or signed by an app.
pub(crate) async fn request(
    State(app): State<Arc<App>>,
    Extension(Client(client)): Extension<Client>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let client = household::of(client);
    if let Err(wait) = app.by_address.take(client, Instant::now()) {
        return too_many("rate limit exceeded", wait);
    }
    let by_app = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let Some(registrations) = &app.registrations else {
        let text = "registration requires database";
        return if by_app {
            to_app(Err((StatusCode::SERVICE_UNAVAILABLE, text.into())))
        } else {
            no_database("registration")
        };
    };
    let (base, now) = (base(&app), (app.clock)());
    let email = field(&body, "email");
    let sent = if by_app {
        let signed = registrations.request_signed(&body, client, &base, now);
        signed.await
    } else {
        let unsigned = registrations.request(&email, None, client, &base, now);
        unsigned.await
    };
    let outcome = sent.map(|sent| report(&app, sent));
    let wait = match &outcome {
        Err(Refusal::TooMany(wait)) => Some(*wait),
        Err(Refusal::Mail(failure)) => {
            app.log.add(now, format!("Mail not sent: {}", failure.why));
            (failure.remedy == Remedy::Wait).then_some(MAIL_AGAIN)
        }
        _ => None,
    };
    let answer = if by_app {
        to_app(outcome.map_err(|why| (status_of(&why), why.to_string())))
    } else {
        to_person(outcome, &email)
    };
    retry_after(answer, wait)
}

fn retry_after(mut answer: Response, wait: Option<Duration>) -> Response {
    if let Some(wait) = wait {
        let seconds = HeaderValue::from(wait.as_secs() + 1);
        answer.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    answer
}

/// The page of a link. It changes nothing, because programs that scan mail open links too.
pub(crate) async fn link(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Some(registrations) = &app.registrations else {
        return no_database("verification");
    };
    let token = field(query.unwrap_or_default().as_bytes(), "token").into_owned();
    if token.is_empty() {
        return no_link(&headers, "missing token");
    }
    match registrations.pending_link(&token, (app.clock)()) {
        Some(link) => confirm_page(&link, &token),
        None => no_link(&headers, "invalid or expired token"),
    }
}

/// The button of that page.
pub(crate) async fn confirm(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(registrations) = &app.registrations else {
        return no_database("verification");
    };
    let token = field(&body, "token");
    if token.is_empty() {
        return no_link(&headers, "missing token");
    }
    match registrations.confirm(&token, (app.clock)()).await {
        Ok(Some(record)) => {
            app.log
                .add((app.clock)(), format!("{} verified", record.email));
            let body = format!(
                "<header><h1>Verified</h1><p><b>{}</b> is now registered. Goop2 will be online here in a few seconds. \
                 You can close this page.</p></header>\n",
                escape(&record.email)
            );
            html(HERE, StatusCode::OK, "Verified", &body, None)
        }
        Ok(None) => no_link(&headers, "invalid or expired token"),
        Err(why) => error(status_of(&why), &why.to_string()),
    }
}

/// What a link begins with; never the host name that a request claims.
fn base(app: &App) -> String {
    let urls = listen::connect_urls(&app.config.external_url, &app.addrs);
    let bound = || {
        app.addrs
            .first()
            .map_or_else(String::new, |addr| format!("http://{addr}"))
    };
    urls.into_iter().next().unwrap_or_else(bound)
}

/// What to tell the person who asked. Without a mail server the link goes to the administrator's
/// log: only they can know whose address it is.
fn report(app: &App, sent: Sent) -> &'static str {
    match sent {
        Sent::Mailed => "We sent you a link. Open it within 24 hours to finish.",
        Sent::Link(link) => {
            tracing::info!(
                link,
                "no mail server is set; pass on this verification link"
            );
            app.log.add(
                (app.clock)(),
                format!("No mail server is set; pass on this verification link: {link}"),
            );
            "This server doesn’t send mail. Its administrator has your link and can give it to you."
        }
    }
}

/// To an app.
fn to_app(outcome: Result<&str, (StatusCode, String)>) -> Response {
    let (status, body) = match outcome {
        Ok(message) => (
            StatusCode::ACCEPTED,
            json!({"ok": true, "message": message}),
        ),
        Err((status, why)) => (status, json!({"ok": false, "error": why})),
    };
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, body.to_string()).into_response()
}

/// To a person: the problem is shown above the form. The status is 200 as in existing servers,
/// except where a proxy or a script should notice.
fn to_person(outcome: Result<&str, Refusal>, email: &str) -> Response {
    match outcome {
        Ok(message) => {
            let body = format!("<header><h1>Almost there</h1><p>{message}</p></header>\n");
            html(HERE, StatusCode::OK, "Almost there", &body, None)
        }
        Err(why) => {
            let status = match why {
                Refusal::TooMany(_)
                | Refusal::Full
                | Refusal::Away
                | Refusal::Mail(_)
                | Refusal::Failed => status_of(&why),
                _ => StatusCode::OK,
            };
            register_page(status, &why.to_string(), email)
        }
    }
}

/// The form, with the problem of the last attempt, if any.
fn register_page(status: StatusCode, problem: &str, email: &str) -> Response {
    let (alert, field) = match problem {
        "" => (String::new(), ""),
        problem => (
            format!(
                "<p class=\"problem\" role=\"alert\" id=\"problem\">{}</p>",
                escape(problem)
            ),
            " aria-describedby=\"problem\"",
        ),
    };
    let email = escape(shorten(email, MAX_EMAIL));
    let body = format!(
        "<header><h1>Register</h1><p>This rendezvous shows only peers with a verified email address. In Goop2, enter \
         your address on the Rendezvous page, below this server: that also proves which peer is yours. This form is for older \
         versions; the address will belong to the first peer that goes online with it.</p></header>\n\
         <form class=\"card\" method=\"post\" action=\"register\">{alert}<label for=\"email\">Email address</label>\n\
         <div class=\"line\"><input id=\"email\" name=\"email\" type=\"email\" autocomplete=\"email\" maxlength=\"{MAX_EMAIL}\" \
         value=\"{email}\"{field} required><button class=\"primary\">Send me a link</button></div></form>\n"
    );
    html(HERE, status, "Register", &body, None)
}

fn confirm_page(link: &Link, token: &str) -> Response {
    let owner = match link.peer {
        Some(peer) => format!(
            "It will belong to the peer <code class=\"url\">{peer}</code>. If that isn’t your peer, close this page: someone \
             else asked for this link."
        ),
        None => "It will belong to the first peer that goes online with it.".into(),
    };
    let body = format!(
        "<header><h1>Is this address yours?</h1></header>\n<form class=\"card\" method=\"post\" action=\"verify\">\
         <p><b>{}</b></p><p>{owner}</p><input type=\"hidden\" name=\"token\" value=\"{}\">\
         <div class=\"line\"><button class=\"primary\">Yes, verify it</button></div></form>\n",
        escape(&link.email),
        escape(token)
    );
    html(HERE, StatusCode::OK, "Verify an address", &body, None)
}

/// An invalid link: to a tool the text of existing servers, to a person a page with the next step.
fn no_link(headers: &HeaderMap, text: &str) -> Response {
    if !wants_html(headers) {
        return error(StatusCode::BAD_REQUEST, text);
    }
    let body = "<header><h1>This link is not valid</h1><p>It was already used, is older than 24 hours, or was not copied \
                completely.</p></header>\n<p><a class=\"button\" href=\"register\">Ask for a new link</a></p>\n";
    html(HERE, StatusCode::BAD_REQUEST, "Invalid link", body, None)
}

fn no_database(what: &str) -> Response {
    error(
        StatusCode::SERVICE_UNAVAILABLE,
        &format!("{what} requires database"),
    )
}

/// One field of a form or a query.
fn field<'a>(form: &'a [u8], name: &str) -> Cow<'a, str> {
    let mut fields = url::form_urlencoded::parse(form);
    let found = fields.find(|(key, _)| key == name);
    found.map(|(_, value)| value).unwrap_or_default()
}
