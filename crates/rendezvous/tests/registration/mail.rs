//! The mail, through a real mail server: STARTTLS or implicit TLS, a login, and a certificate that
//! is trusted through `SSL_CERT_FILE` only. That variable belongs to a process, so each test runs
//! itself again with it.

use std::{
    net::SocketAddr,
    process::{Command, Stdio},
};

use goop2_rendezvous::{mail, server::Server};
use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStdout},
    time::timeout,
};

use crate::world::{ANN, LONG, as_admin, get, post, register, start, token};

const FOLDER: &str = "GOOP2_TEST_CERTIFICATES";
/// Debian's, for which the package `python3-aiosmtpd` is installed.
const PYTHON: &str = "/usr/bin/python3";
const ANY: u16 = 0;
const IMPLICIT_TLS: u16 = 465;
/// Its own network, where that port is free and needs no privileges.
const NETWORK: &str = "ip link set lo up && exec \"$0\" \"$@\"";

#[test]
fn by_starttls_with_a_login() {
    again(Command::new(this_program()), "mail::starttls");
}

#[test]
fn by_implicit_tls() {
    let mut network = Command::new("unshare");
    network
        .args(["-Urn", "sh", "-c", NETWORK])
        .arg(this_program());
    again(network, "mail::implicit");
}

#[test]
fn an_untrusted_server_gets_neither_login_nor_mail() {
    again(Command::new(this_program()), "mail::untrusted");
}

#[test]
fn a_mail_that_was_not_sent_is_explained_and_counted() {
    again(Command::new(this_program()), "mail::not_sent");
}

#[tokio::test]
#[ignore = "run by a_mail_that_was_not_sent_is_explained_and_counted"]
async fn not_sent() {
    // TLS from the start at a port that does not say so.
    let mut mails = MailServer::start("implicit", ANY, "trusted").await;
    let config = mail::Config {
        encryption: mail::Encryption::Implicit,
        ..mails.config("mail password")
    };
    let (server, _folder) = with_mail(config).await;
    let ask = async |email| post(&server, "/register", &[("email", email)]).await;
    let never = ask("nobody@example.org").await;
    assert_eq!((never.status, never.retry_after), (422, false));
    assert!(
        never.text.contains("trying again won’t help"),
        "{}",
        never.text
    );
    let later = ask("later@example.org").await;
    assert_eq!((later.status, later.retry_after), (503, true));
    assert!(
        later.text.contains("Try again in a few minutes"),
        "{}",
        later.text
    );
    let well = ask("ann@müller.example").await;
    assert_eq!(well.status, 200, "{}", well.text);
    assert_eq!(mails.next().await["to"][0], "ann@xn--mller-kva.example");

    let state = as_admin(&server, "/admin/state.json").await.text;
    let state: Value = serde_json::from_str(&state).unwrap();
    assert_eq!(
        (&state["mail"]["sent"], &state["mail"]["failed"]),
        (&1.into(), &2.into())
    );
    let log = state["log"].to_string();
    assert!(
        log.contains("answered 550: 5.1.1 no such user") && log.contains("answered 451"),
        "{log}"
    );
    let metrics = get(&server, "/metrics").await.text;
    for line in [
        "mails_sent_total 1",
        "mails_delayed_total 1",
        "mails_undeliverable_total 1",
    ] {
        assert!(
            metrics.contains(&format!("goop2_rendezvous_{line}\n")),
            "{line} in {metrics}"
        );
    }
}

#[tokio::test]
#[ignore = "run by by_starttls_with_a_login"]
async fn starttls() {
    let mut mails = MailServer::start("starttls", ANY, "trusted").await;
    let hook = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hook_addr = hook.local_addr().unwrap();
    let folder = tempdir().unwrap();
    let server = start(&folder, |config| {
        config.external_url = "https://goop.example.org".into();
        let registration = config.registration.as_mut().unwrap();
        registration.mail = mails.config("mail password");
        registration.webhook = format!("http://{hook_addr}/verified");
    })
    .await;
    let said = register(&server, 1, ANN).await.unwrap();
    assert!(said.contains("sent you a link"), "{said}");
    let mail = mails.next().await;
    assert_eq!(
        (&mail["to"][0], &mail["tls"], &mail["login"]),
        (&ANN.into(), &true.into(), &"goop@example.org".into())
    );
    let text = mail["text"].as_str().unwrap();
    assert!(text.contains("Subject: Verify your email for Goop2\r\n") && text.contains("24 hours"));
    let link = text
        .lines()
        .find(|line| line.starts_with("https://goop.example.org/verify?token="))
        .unwrap();
    let file = std::fs::read(folder.path().join("data/peers.db")).unwrap();
    assert!(
        !file.windows(44).any(|part| part == token(link).as_bytes()),
        "only its hash is kept"
    );
    assert_eq!(
        get(&server, &format!("/verify?token={}", token(link)))
            .await
            .status,
        200
    );
    let form = [("token", token(link))];
    let pressed = post(&server, "/verify", &form);
    let (page, call) = tokio::join!(pressed, called(hook, hook_addr));
    assert_eq!(page.status, 200);
    assert_eq!(call["email"], ANN);
    assert!(call["verified_at"].as_i64().unwrap() > 0);
    server.shutdown().await;
}

#[tokio::test]
#[ignore = "run by by_tls_from_the_start"]
async fn implicit() {
    let mut mails = MailServer::start("implicit", IMPLICIT_TLS, "trusted").await;
    let (server, _folder) = with_mail(mails.config("mail password")).await;
    assert_eq!(
        post(&server, "/register", &[("email", ANN)]).await.status,
        200
    );
    let mail = mails.next().await;
    assert_eq!(
        (&mail["tls"], &mail["login"]),
        (&true.into(), &"goop@example.org".into())
    );
}

#[tokio::test]
#[ignore = "run by a_server_that_nothing_vouches_for_gets_neither_login_nor_mail"]
async fn untrusted() {
    let mut mails = MailServer::start("starttls", ANY, "other").await;
    let (server, _folder) = with_mail(mails.config("mail password")).await;
    assert_eq!(
        post(&server, "/register", &[("email", ANN)]).await.status,
        500
    );
    assert!(mails.nothing().await);

    let mut mails = MailServer::start("starttls", ANY, "trusted").await;
    let (server, _folder) = with_mail(mails.config("wrong")).await;
    assert_eq!(
        post(&server, "/register", &[("email", ANN)]).await.status,
        500
    );
    assert!(mails.nothing().await);
}

struct MailServer {
    port: u16,
    lines: Lines<BufReader<ChildStdout>>,
    process: Child,
}

impl MailServer {
    async fn start(mode: &str, port: u16, certificate: &str) -> Self {
        let folder = std::env::var(FOLDER).unwrap();
        let mut process = tokio::process::Command::new(PYTHON)
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/registration/mailserver.py"
            ))
            .args([mode, &port.to_string()])
            .args([
                format!("{folder}/{certificate}.pem"),
                format!("{folder}/{certificate}.key"),
            ])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = timeout(LONG, lines.next_line()).await.unwrap().unwrap();
        let port = port
            .expect("the mail server runs: Debian's package python3-aiosmtpd is needed")
            .parse()
            .unwrap();
        Self {
            port,
            lines,
            process,
        }
    }

    fn config(&self, password: &str) -> mail::Config {
        mail::Config {
            host: "localhost".into(),
            port: self.port,
            encryption: mail::Encryption::Auto,
            username: "goop@example.org".into(),
            password: password.into(),
            from: "Goop2 <goop@example.org>".into(),
        }
    }

    async fn next(&mut self) -> Value {
        let line = timeout(LONG, self.lines.next_line())
            .await
            .unwrap()
            .unwrap();
        serde_json::from_str(&line.unwrap()).unwrap()
    }

    /// Stops it, to be sure that nothing more was sent.
    async fn nothing(&mut self) -> bool {
        self.process.start_kill().unwrap();
        self.lines.next_line().await.unwrap().is_none()
    }
}

async fn with_mail(mail: mail::Config) -> (Server, TempDir) {
    let folder = tempdir().unwrap();
    let server = start(&folder, |config| {
        config.registration.as_mut().unwrap().mail = mail
    })
    .await;
    (server, folder)
}

/// The body of the second call; the first is answered by a redirect, which must not be followed.
async fn called(hook: TcpListener, hook_addr: SocketAddr) -> Value {
    let away = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://{hook_addr}/elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let taken = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".to_owned();
    let mut body = Value::Null;
    for answer in [away, taken] {
        let (mut stream, _) = timeout(LONG, hook.accept()).await.unwrap().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"}") {
            stream.read_buf(&mut request).await.unwrap();
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        let request = String::from_utf8(request).unwrap();
        assert!(request.starts_with("POST /verified "), "{request}");
        body = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
    }
    body
}

/// Runs one ignored test of this test program, which trusts only the authority created here.
fn again(mut program: Command, test: &str) {
    let folder = tempdir().unwrap();
    for name in ["trusted", "other"] {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(folder.path().join(format!("{name}.pem")), made.cert.pem()).unwrap();
        std::fs::write(
            folder.path().join(format!("{name}.key")),
            made.key_pair.serialize_pem(),
        )
        .unwrap();
    }
    let output = program
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .env("SSL_CERT_FILE", folder.path().join("trusted.pem"))
        .env_remove("SSL_CERT_DIR")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}\n{errors}"
    );
}

fn this_program() -> std::path::PathBuf {
    std::env::current_exe().unwrap()
}
