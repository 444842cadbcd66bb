//! Guessing the administrator's password from thousands of lines.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use serde_json::json;

use super::{
    Held, during, during_an_attack,
    lines::{give, line, post},
};
use crate::{
    measured,
    support::{
        http,
        lab::{Host, Lan},
        peer::{Folder, Peer},
    },
};

/// More lines than failures are remembered of (`server/auth.rs`).
const LINES: u32 = 4200;
const GUESSING: u8 = 80;
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
            give(&guesser, GUESSING, &there);
            let url = server.ready().event["connect_urls"][0]
                .as_str()
                .unwrap()
                .to_owned();
            let to: SocketAddr = url.trim_start_matches("http://").parse().unwrap();
            let quiet = sign_in(&administrator, &url);
            let before = Held::of(&server);
            let guesses = async {
                let guess = |number| post(line(GUESSING, number), to, "/admin/login", "password=x");
                let guesses = (0..LINES).map(guess);
                let mut guesses = stream::iter(guesses).buffer_unordered(AT_ONCE);
                while let Some(answer) = guesses.next().await {
                    assert_eq!(answer.status(), 401, "a guess is answered");
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
