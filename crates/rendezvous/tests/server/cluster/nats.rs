//! A real NATS on loopback, with JetStream in its own folder.

use std::process::Stdio;

use goop2_rendezvous::cluster::Address;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr, Command},
    time::timeout,
};

use super::PATIENCE;
use crate::port;

/// From the Debian package `nats-server`.
const NATS: &str = "/usr/sbin/nats-server";

pub(super) struct Nats {
    folder: TempDir,
    port: u16,
    login: &'static [&'static str],
    running: Option<(Child, Lines<BufReader<ChildStderr>>)>,
}

impl Nats {
    pub(super) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With more arguments.
    pub(super) async fn start_with(login: &'static [&'static str]) -> Self {
        let mut nats = Self {
            folder: tempfile::tempdir().unwrap(),
            port: port::unused(),
            login,
            running: None,
        };
        nats.start_again().await;
        nats
    }

    pub(super) async fn kill(&mut self) {
        let (mut child, _) = self.running.take().unwrap();
        child.kill().await.unwrap();
    }

    /// On the same port, with the same data.
    pub(super) async fn start_again(&mut self) {
        let mut child = Command::new(NATS)
            .args(["-a", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-js", "-sd"])
            .arg(self.folder.path())
            .args(self.login)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("nats-server is installed");
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let ready = async {
            while let Some(line) = log.next_line().await.unwrap() {
                if line.contains("Server is ready") {
                    return;
                }
            }
            panic!("nats-server has ended");
        };
        timeout(PATIENCE, ready).await.unwrap();
        self.running = Some((child, log));
    }

    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(super) fn address(&self) -> Address {
        Address::parse(&format!("nats://{}", self.host())).unwrap()
    }

    /// Another client of the same NATS.
    pub(super) async fn stranger(&self) -> async_nats::Client {
        async_nats::connect(self.host()).await.unwrap()
    }
}
