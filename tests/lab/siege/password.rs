//! Guessing the administrator's password from thousands of networks.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
};

use super::{Held, during, during_an_attack};
use crate::{
    measured,
    support::{
        http,
        lab::{Host, Lan},
        peer::{Folder, Peer},
    },
};

/// More networks than failures are remembered of (`server/auth.rs`).
const NETWORKS: u32 = 4200;
const AT_ONCE: usize = 32;
const PASSWORD: &str = "a long password";

#[test]
fn wrong_passwords_keep_no_administrator_out() {
    measured(
        "siege::password::wrong_passwords_keep_no_administrator_out",
        || {
            let mut lan = Lan::new(1);
            let [there, administrator, guesser] = [(); 3].map(|()| lan.host_ipv4());
            let folder = Folder::with(&json!({ "presence": { "admin_password": PASSWORD } }));
            let server = Peer::rendezvous(&folder, Some(&there));
            // The guesser is at every address of a large network, behind its own.
            there.ip(&["route", "add", "11.80.0.0/16", "via", guesser.address()]);
            guesser.ip(&["route", "add", "local", "11.80.0.0/16", "dev", "lo"]);
            let url = server.ready().event["connect_urls"][0]
                .as_str()
                .unwrap()
                .to_owned();
            let to: SocketAddr = url.trim_start_matches("http://").parse().unwrap();
            let quiet = sign_in(&administrator, &url);
            let before = Held::of(&server);
            let guesses = async {
                let guesses = (0..NETWORKS).map(|network| wrong_password(network, to));
                let mut guesses = stream::iter(guesses).buffer_unordered(AT_ONCE);
                while let Some(status) = guesses.next().await {
                    assert_eq!(status, 401, "a guess is answered");
                }
            };
            during(&guesser, guesses, || {
                let attacked = sign_in(&administrator, &url);
                during_an_attack("signing in next to 4,200 who guess", quiet, attacked);
            });
            before.comes_back(&server);
        },
    );
}

fn sign_in(host: &Host, url: &str) -> Duration {
    let begun = Instant::now();
    let form = |client: &reqwest::Client| {
        let request = client.post(format!("{url}/admin/login"));
        request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("password={}", PASSWORD.replace(' ', "+")))
    };
    let answer = host.enter(|| http::send(form)).unwrap();
    assert_eq!(answer.status, 303, "{}", answer.text());
    begun.elapsed()
}

/// The status of the answer to a guess from an address of its own.
async fn wrong_password(network: u32, to: SocketAddr) -> u16 {
    let socket = TcpSocket::new_v4().unwrap();
    let from = Ipv4Addr::from_bits(Ipv4Addr::new(11, 80, 0, 1).to_bits() + network);
    socket.bind((from, 0).into()).unwrap();
    let mut stream = socket.connect(to).await.unwrap();
    let request = "POST /admin/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\nConnection: close\r\n\r\npassword=x";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap_or_default();
    status.parse().unwrap_or_default()
}
