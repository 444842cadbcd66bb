//! Hosts that are at every address of a large network, and requests from there.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
};

use crate::support::lab::Host;

/// Makes `host` be at every address of 11.`network`.0.0/16, behind its own, as `there` sees it.
pub(super) fn give(host: &Host, network: u8, there: &Host) {
    let all = format!("11.{network}.0.0/16");
    there.ip(&["route", "add", &all, "via", host.address()]);
    host.ip(&["route", "add", "local", &all, "dev", "lo"]);
}

/// One of those addresses.
pub(super) fn line(network: u8, number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(Ipv4Addr::new(11, network, 0, 1).to_bits() + number)
}

/// The answer to a form that is sent from there.
pub(super) struct Answer(String);

impl Answer {
    pub(super) fn status(&self) -> u16 {
        let status = self.0.split(' ').nth(1).unwrap_or_default();
        status.parse().unwrap_or_default()
    }

    /// For how many seconds not to ask again.
    pub(super) fn retry_after(&self) -> Option<u64> {
        let named = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("retry-after")
                .then(|| value.parse().ok())?
        };
        self.0.lines().find_map(named)
    }
}

pub(super) async fn post(from: Ipv4Addr, to: SocketAddr, path: &str, form: &str) -> Answer {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let mut stream = socket.connect(to).await.unwrap();
    let head = "Content-Type: application/x-www-form-urlencoded\r\nConnection: close";
    let len = form.len();
    let request =
        format!("POST {path} HTTP/1.1\r\nHost: x\r\n{head}\r\nContent-Length: {len}\r\n\r\n{form}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    Answer(answer)
}
