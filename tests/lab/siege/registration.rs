//! Mails that are asked for by hundreds of lines of one network.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use serde_json::json;
use tokio::{runtime::Builder, time::sleep};

use super::{
    Held, during,
    lines::{give, line, post},
};
use crate::{
    measured,
    support::{
        lab::{Host, Lan},
        peer::{Folder, Peer},
        promise,
    },
};

/// Lines of the network, more than there are mails in an hour (`registration/mail_limit.rs`).
const LINES: u32 = 640;
const GREEDY: u8 = 80;
const AT_ONCE: usize = 32;
/// Other networks.
const EARLY: u8 = 81;
const LATE: u8 = 82;
/// How long somebody in another network waits for a mail then: the pause between two of those that
/// are kept for such.
const KEPT: Duration = Duration::from_secs(31);

#[test]
fn many_lines_of_one_network_shut_registration_for_nobody_else() {
    measured(
        "siege::registration::many_lines_of_one_network_shut_registration_for_nobody_else",
        || {
            let mut lan = Lan::new(1);
            let [there, elsewhere, greedy] = [(); 3].map(|()| lan.host_ipv4());
            let folder = Folder::with(&json!({ "presence": {
                "registration_required": true, "peer_db_path": "data/peers.db",
            } }));
            let server = Peer::rendezvous(&folder, Some(&there));
            give(&greedy, GREEDY, &there);
            for network in [EARLY, LATE] {
                give(&elsewhere, network, &there);
            }
            let url = server.ready().event["connect_urls"][0].clone();
            let to = url.as_str().unwrap().trim_start_matches("http://");
            let to: SocketAddr = to.parse().unwrap();
            let quiet = registers(&elsewhere, EARLY, to);
            let before = Held::of(&server);
            let crowd = async {
                let asked = (0..LINES).map(|number| register(GREEDY, number, to));
                let mut asked = stream::iter(asked).buffer_unordered(AT_ONCE);
                let mut refused = 0;
                while let Some(answer) = asked.next().await {
                    refused += u32::from(answer.is_err());
                }
                assert!(refused > 0, "the mails of this hour are used up");
            };
            during(&greedy, crowd, || {
                let attacked = registers(&elsewhere, LATE, to);
                println!("a mail alone {quiet:?}, next to {LINES} lines {attacked:?}");
                promise::time("a mail when those of the hour are used up", attacked, KEPT);
            });
            before.comes_back(&server);
        },
    );
}

/// How long until somebody in this network is sent a link, asking again when it is told to.
fn registers(host: &Host, network: u8, to: SocketAddr) -> Duration {
    let begun = Instant::now();
    host.enter(|| {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            while let Err(wait) = register(network, 0, to).await {
                assert!(wait <= KEPT, "{wait:?}");
                sleep(wait).await;
            }
        });
    });
    begun.elapsed()
}

/// Asks for a link to a mailbox that nobody has asked for; otherwise how long to wait.
async fn register(network: u8, number: u32, to: SocketAddr) -> Result<(), Duration> {
    let form = format!("email=mailbox-{network}-{number}%40example.org");
    let answer = post(line(network, number), to, "/register", &form).await;
    match (answer.status(), answer.retry_after()) {
        (200, None) => Ok(()),
        (429, Some(seconds)) => Err(Duration::from_secs(seconds)),
        other => panic!("{other:?}"),
    }
}
