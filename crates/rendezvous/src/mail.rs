//! The one mail this program sends: the link that verifies an address (§6.8).
//!
//! The link confirms a registration, and the login to the mail server is worth even more, so both
//! leave this host through TLS only: implicit on port 465, by STARTTLS on any other. A mail server
//! on this host may do without.

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Body, Mailbox,
        header::{ContentTransferEncoding, ContentType, MIME_VERSION_1_0},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use tokio::sync::Semaphore;

/// The port of implicit TLS.
const IMPLICIT_TLS: u16 = 465;
/// The default port for submitting mail.
const SUBMISSION: u16 = 587;
/// A mail server that checks unknown clients may take this long to greet.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Mails sent at a time; servers reject clients with many connections.
const MAX_AT_ONCE: usize = 4;

/// The operator's mail server, as `goop.json` describes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Empty = none; links go to the log.
    pub host: String,
    /// 0 = 587.
    pub port: u16,
    /// Empty = no login.
    pub username: String,
    /// The password of the login.
    pub password: String,
    /// Sender; empty = the user name.
    pub from: String,
}

/// Why a mail cannot be or was not sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither `smtp_from` nor the user name is an address.
    #[error(
        "presence.smtp_from is {0:?}, but must be an email address, e.g. \"Goop2 <goop@example.org>\""
    )]
    From(String),
    /// The recipient's address is not valid.
    #[error("mail cannot be sent to this address: {0}")]
    To(String),
    /// The mail server said no, or did not answer.
    #[error("the mail server {host}:{port} did not accept the mail: {why}")]
    Server {
        /// `presence.smtp_host`
        host: String,
        /// `presence.smtp_port`
        port: u16,
        /// Its message, if it sent one.
        why: String,
    },
}

/// Sends mail.
#[derive(Debug)]
pub(crate) struct Mailer {
    host: String,
    port: u16,
    from: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
    room: Semaphore,
}

impl Mailer {
    /// None if no mail server is set. Does not connect yet.
    pub(crate) fn new(config: &Config) -> Result<Option<Self>, Error> {
        let Config {
            host,
            port,
            username,
            password,
            from,
        } = config;
        if host.is_empty() {
            return Ok(None);
        }
        let port = if *port == 0 { SUBMISSION } else { *port };
        let from = if from.trim().is_empty() {
            username
        } else {
            from
        };
        let from = from.trim().parse().map_err(|_| Error::From(from.clone()))?;
        let tls = tls(host, port)?;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host.clone())
            .port(port)
            .tls(tls)
            .timeout(Some(TIMEOUT));
        if !username.is_empty() {
            builder = builder.credentials(Credentials::new(username.clone(), password.clone()));
        }
        Ok(Some(Self {
            host: host.clone(),
            port,
            from,
            transport: builder.build(),
            room: Semaphore::new(MAX_AT_ONCE),
        }))
    }

    /// Returns when the mail server has accepted it.
    pub(crate) async fn send_link(&self, to: &str, link: &str) -> Result<(), Error> {
        let message = self.message(to, link)?;
        let _room = self.room.acquire().await.expect("never closed");
        self.transport
            .send(message)
            .await
            .map_err(|error| Error::Server {
                host: self.host.clone(),
                port: self.port,
                why: describe(&error),
            })?;
        Ok(())
    }

    fn message(&self, to: &str, link: &str) -> Result<Message, Error> {
        let to: lettre::Address = to.parse().map_err(|error| Error::To(format!("{error}")))?;
        let text = format!(
            "Hello,\n\n\
             please confirm that this email address is yours:\n\n\
             {link}\n\n\
             The link expires in 24 hours. If you didn't ask for it, someone else\n\
             entered your address. You can ignore this message.\n\n\
             -- \n\
             The Goop2 rendezvous server\n"
        );
        // Unencoded, because an encoded link would be broken over two lines.
        let body = if text.is_ascii() {
            let bytes = text.replace('\n', "\r\n").into_bytes();
            Body::dangerous_pre_encoded(bytes, ContentTransferEncoding::SevenBit)
        } else {
            Body::new(text)
        };
        let id = format!(
            "<{:032x}@{}>",
            rand::random::<u128>(),
            self.from.email.domain()
        );
        Message::builder()
            .message_id(Some(id))
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject("Verify your email for Goop2")
            .header(MIME_VERSION_1_0)
            .header(ContentType::TEXT_PLAIN)
            .body(body)
            .map_err(|error| Error::To(error.to_string()))
    }
}

fn tls(host: &str, port: u16) -> Result<Tls, Error> {
    let parameters = TlsParameters::new(host.to_owned()).map_err(|error| Error::Server {
        host: host.to_owned(),
        port,
        why: describe(&error),
    })?;
    Ok(if port == IMPLICIT_TLS {
        Tls::Wrapper(parameters)
    } else if is_this_host(host) {
        Tls::Opportunistic(parameters)
    } else {
        Tls::Required(parameters)
    })
}

fn is_this_host(host: &str) -> bool {
    host == "localhost"
        || host
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// With its cause: the error itself only says where it happened.
fn describe(error: &lettre::transport::smtp::Error) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config {
            host: "mail.example.org".into(),
            from: "Goop2 <goop@example.org>".into(),
            ..Config::default()
        }
    }

    #[test]
    fn the_mail_has_the_link_in_one_piece_and_no_injected_headers() {
        let mailer = Mailer::new(&config()).unwrap().unwrap();
        let link = format!("https://goop.example.org/verify?token={}=", "A".repeat(43));
        let mail = String::from_utf8(
            mailer
                .message("ann@example.org", &link)
                .unwrap()
                .formatted(),
        )
        .unwrap();
        for line in [
            "From: Goop2 <goop@example.org>",
            "To: ann@example.org",
            "Subject: Verify your email for Goop2",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
        ] {
            assert!(mail.lines().any(|found| found == line), "{line} in\n{mail}");
        }
        assert!(mail.lines().any(|line| line == link), "{mail}");
        assert!(
            mailer
                .message("ann@example.org\r\nBcc: bob@example.org", &link)
                .is_err()
        );
    }

    #[test]
    fn an_invalid_configuration_is_reported_at_the_start() {
        assert!(Mailer::new(&Config::default()).unwrap().is_none());
        let nameless = Config {
            from: String::new(),
            ..config()
        };
        let error = Mailer::new(&nameless).unwrap_err().to_string();
        assert!(error.starts_with("presence.smtp_from is"), "{error}");
        let by_login = Config {
            username: "goop@example.org".into(),
            ..nameless
        };
        assert!(Mailer::new(&by_login).unwrap().is_some());
    }
}
