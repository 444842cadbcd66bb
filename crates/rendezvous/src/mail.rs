//! The one mail this program sends: the link that verifies an address (§6.8).
//!
//! The link confirms a registration, and the login to the mail server is worth even more, so both
//! leave this host through TLS only: implicit on port 465 and its like, by STARTTLS on any other.
//! A mail server on this host may do without. What goes wrong is a [`Failure`].

mod failure;

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

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
use tokio::{sync::Semaphore, time::timeout};

pub use failure::{Failure, Remedy};

/// The port of implicit TLS. Providers that offer it on others choose numbers that end like it,
/// such as 2465.
const IMPLICIT_TLS: u16 = 465;
/// The default port for submitting mail.
const SUBMISSION: u16 = 587;
/// From the request to the answer of the mail server: the person who asked waits for it, and gets
/// words within 20 s. A mail server that checks unknown clients takes some seconds to greet.
const PATIENCE: Duration = Duration::from_secs(16);
/// Mails sent at a time; servers reject clients with many connections.
const MAX_AT_ONCE: usize = 4;

/// The operator's mail server, as `goop.json` describes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Empty = none; links go to the log.
    pub host: String,
    /// 0 = 587, or 465 if TLS is implicit.
    pub port: u16,
    /// When TLS begins.
    pub encryption: Encryption,
    /// Empty = no login.
    pub username: String,
    /// The password of the login.
    pub password: String,
    /// Sender; empty = the user name.
    pub from: String,
}

/// When TLS begins on a connection to the mail server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// From the start on port 465 and others that end like it, by STARTTLS on any other. A mail
    /// server on this host may do without.
    #[default]
    Auto,
    /// From the start, on any port.
    Implicit,
    /// By STARTTLS, on any port and host.
    StartTls,
}

/// Why no mail can be sent with this configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither `smtp_from` nor the user name is an address.
    #[error(
        "presence.smtp_from is {0:?}, but must be an email address, e.g. \"Goop2 <goop@example.org>\""
    )]
    From(String),
    /// There are no certificates on this host.
    #[error("mail cannot be sent to {host}: {why}")]
    Tls {
        /// `presence.smtp_host`
        host: String,
        /// The reason.
        why: String,
    },
}

/// What became of the mails since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Accepted by the mail server.
    pub(crate) sent: u64,
    /// Failed, by what helps.
    pub(crate) failed: [(Remedy, u64); Remedy::ALL.len()],
    /// Why the last one failed, for the administrator.
    pub(crate) last: Option<String>,
}

#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    failed: [AtomicU64; Remedy::ALL.len()],
    last: Mutex<Option<String>>,
}

impl Counts {
    fn last(&self) -> MutexGuard<'_, Option<String>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends mail.
#[derive(Debug)]
pub(crate) struct Mailer {
    host: String,
    port: u16,
    from: Mailbox,
    transport: AsyncSmtpTransport<Tokio1Executor>,
    room: Semaphore,
    patience: Duration,
    counts: Counts,
}

impl Mailer {
    /// None if no mail server is set. Does not connect yet.
    pub(crate) fn new(config: &Config) -> Result<Option<Self>, Error> {
        let Config {
            host,
            port,
            encryption,
            username,
            password,
            from,
        } = config;
        if host.is_empty() {
            return Ok(None);
        }
        let port = match (*port, encryption) {
            (0, Encryption::Implicit) => IMPLICIT_TLS,
            (0, _) => SUBMISSION,
            (port, _) => port,
        };
        let from = if from.trim().is_empty() {
            username
        } else {
            from
        };
        let from = sender(from).ok_or_else(|| Error::From(from.clone()))?;
        let tls = tls(host, port, *encryption)?;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host.clone())
            .port(port)
            .tls(tls)
            .timeout(Some(PATIENCE));
        if !username.is_empty() {
            builder = builder.credentials(Credentials::new(username.clone(), password.clone()));
        }
        Ok(Some(Self {
            host: host.clone(),
            port,
            from,
            transport: builder.build(),
            room: Semaphore::new(MAX_AT_ONCE),
            patience: PATIENCE,
            counts: Counts::default(),
        }))
    }

    /// Returns when the mail server has accepted it, or within 16 s when it has not.
    pub(crate) async fn send_link(&self, to: &str, link: &str) -> Result<(), Failure> {
        let sent = timeout(self.patience, self.send(to, link)).await;
        let sent = sent.unwrap_or_else(|_| Err(Failure::silent(&self.server())));
        match &sent {
            Ok(()) => self.counts.sent.fetch_add(1, Relaxed),
            Err(failure) => {
                *self.counts.last() = Some(failure.why.clone());
                self.counts.failed[failure.remedy as usize].fetch_add(1, Relaxed)
            }
        };
        sent
    }

    /// What became of the mails.
    pub(crate) fn figures(&self) -> Figures {
        let failed = |remedy| (remedy, self.counts.failed[remedy as usize].load(Relaxed));
        Figures {
            sent: self.counts.sent.load(Relaxed),
            failed: Remedy::ALL.map(failed),
            last: self.counts.last().clone(),
        }
    }

    async fn send(&self, to: &str, link: &str) -> Result<(), Failure> {
        let message = self.message(to, link)?;
        let _room = self.room.acquire().await.expect("never closed");
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::new(&self.server(), &error)),
        }
    }

    /// Host and port, for messages.
    fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    fn message(&self, to: &str, link: &str) -> Result<Message, Failure> {
        let to = ascii_host(to).and_then(|to| to.parse::<lettre::Address>().ok());
        let to = to.ok_or_else(Failure::address)?;
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
            .map_err(|_| Failure::address())
    }
}

/// An email address as mail servers know it, with its host in ASCII: `ann@müller.example` is
/// `ann@xn--mller-kva.example`. None if the host is not a name.
pub(crate) fn ascii_host(address: &str) -> Option<String> {
    let (name, host) = address.trim().rsplit_once('@')?;
    let host = idna::domain_to_ascii(host).ok()?;
    Some(format!("{name}@{host}"))
}

/// The sender in the configuration, an address with or without a name.
fn sender(text: &str) -> Option<Mailbox> {
    let text = text.trim();
    // The parser of mailboxes accepts hosts in ASCII only.
    let (before, address, after) = match text.rsplit_once('<') {
        Some((name, rest)) => (format!("{name}<"), rest.strip_suffix('>')?, ">"),
        None => (String::new(), text, ""),
    };
    format!("{before}{}{after}", ascii_host(address)?)
        .parse()
        .ok()
}

fn tls(host: &str, port: u16, encryption: Encryption) -> Result<Tls, Error> {
    let parameters = TlsParameters::new(host.to_owned()).map_err(|error| Error::Tls {
        host: host.to_owned(),
        why: error.to_string(),
    })?;
    Ok(match encryption {
        Encryption::Implicit => Tls::Wrapper(parameters),
        Encryption::StartTls => Tls::Required(parameters),
        Encryption::Auto if is_implicit(port) => Tls::Wrapper(parameters),
        Encryption::Auto if is_this_host(host) => Tls::Opportunistic(parameters),
        Encryption::Auto => Tls::Required(parameters),
    })
}

/// Whether a mail server on this port expects TLS from the start.
fn is_implicit(port: u16) -> bool {
    port % 1000 == IMPLICIT_TLS
}

fn is_this_host(host: &str) -> bool {
    host == "localhost"
        || host
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
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

    #[test]
    fn names_in_any_script_go_out_in_ascii() {
        let sender = Config {
            from: "Goop2 <goop@müller.example>".into(),
            ..config()
        };
        let mailer = Mailer::new(&sender).unwrap().unwrap();
        let mail = mailer.message("ann@Müller.example", "link").unwrap();
        let mail = String::from_utf8(mail.formatted()).unwrap();
        for line in [
            "To: ann@xn--mller-kva.example",
            "From: Goop2 <goop@xn--mller-kva.example>",
        ] {
            assert!(mail.lines().any(|found| found == line), "{line} in\n{mail}");
        }
        assert!(mailer.message("ann@exa_mple..example", "link").is_err());
    }

    #[test]
    fn ports_like_465_are_tls_from_the_start_and_the_setting_outweighs_them() {
        use Encryption::{Auto, Implicit, StartTls};
        for (host, port, encryption, expected) in [
            ("mail.example.org", 465, Auto, "Wrapper"),
            ("mail.example.org", 2465, Auto, "Wrapper"),
            ("mail.example.org", 587, Auto, "Required"),
            ("mail.example.org", 2587, Auto, "Required"),
            ("localhost", 25, Auto, "Opportunistic"),
            ("localhost", 25, StartTls, "Required"),
            ("mail.example.org", 465, StartTls, "Required"),
            ("mail.example.org", 5000, Implicit, "Wrapper"),
        ] {
            let found = match tls(host, port, encryption).unwrap() {
                Tls::Wrapper(_) => "Wrapper",
                Tls::Required(_) => "Required",
                Tls::Opportunistic(_) => "Opportunistic",
                _ => "None",
            };
            assert_eq!(found, expected, "{host}:{port} {encryption:?}");
        }
        let implicit = Config {
            encryption: Implicit,
            ..config()
        };
        assert_eq!(Mailer::new(&implicit).unwrap().unwrap().port, 465);
    }

    #[tokio::test]
    async fn a_mail_server_that_says_nothing_is_given_up_and_counted() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut mailer = Mailer::new(&Config {
            host: "127.0.0.1".into(),
            port: silent.local_addr().unwrap().port(),
            ..config()
        })
        .unwrap()
        .unwrap();
        mailer.patience = Duration::from_millis(100);
        let failure = mailer
            .send_link("ann@example.org", "link")
            .await
            .unwrap_err();
        assert_eq!(failure.remedy, Remedy::Wait);
        assert!(
            failure.why.contains("did not answer in time"),
            "{}",
            failure.why
        );
        let figures = mailer.figures();
        assert_eq!((figures.sent, figures.failed[0]), (0, (Remedy::Wait, 1)));
        assert_eq!(figures.last, Some(failure.why));
    }
}
