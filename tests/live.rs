//! Two hundred people have a page open: what that costs its owner.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::{fs, time::Duration};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt, stream};
use goop2_node::{Config, Keypair, Node, Stream};
use goop2_proto::http;
use serde_json::json;
use support::{
    peer::{Folder, Peer},
    promise,
};
use tokio::{runtime::Runtime, time::timeout};

const VISITORS: usize = 200;
/// That connect at the same time: people do not all come in the same second.
const AT_ONCE: usize = 8;
/// For all of them to connect, on a computer that does other things too.
const PATIENCE: Duration = Duration::from_secs(240);
const MIB: f64 = 1024.0 * 1024.0;
/// In MiB.
const MEMORY: f64 = 100.0;
/// Of a processor.
const WORK: Duration = Duration::from_secs(1);

/// A visitor with a page open.
struct Reader {
    _node: Node,
    stream: Stream,
}

impl Reader {
    async fn connect(address: &str) -> Self {
        let config = Config {
            keypair: Keypair::generate_ed25519(),
            listen_port: 0,
            mdns_tag: None,
            topic: "reader".into(),
            protocols: vec![],
        };
        let (node, _, _) = goop2_node::spawn(config).await.unwrap();
        let owner = node.add_address(address.parse().unwrap()).await.unwrap();
        let stream = node.open(owner, http::SITE).await.unwrap();
        Self {
            _node: node,
            stream,
        }
    }

    async fn listen(&mut self) {
        let request = format!("GET {}?age=0 HTTP/1.1\r\nHost: x\r\n\r\n", http::CHANGES);
        self.stream.write_all(request.as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
        self.until("data: {}").await;
    }

    async fn until(&mut self, wanted: &str) {
        let mut text = String::new();
        let mut part = [0; 4096];
        while !text.contains(wanted) {
            let read = self.stream.read(&mut part).await.unwrap();
            assert!(read > 0, "it ended: {text}");
            text += std::str::from_utf8(&part[..read]).unwrap();
        }
    }
}

/// Each of them, at the same time.
async fn each(readers: Vec<Reader>, act: impl AsyncFn(&mut Reader)) -> Vec<Reader> {
    let acting = readers.into_iter().map(|mut reader| async {
        act(&mut reader).await;
        reader
    });
    timeout(PATIENCE, futures::future::join_all(acting))
        .await
        .unwrap()
}

#[test]
fn two_hundred_open_pages_cost_their_owner_little() {
    let folder = Folder::with(&json!({
        "p2p": { "mdns": false },
        "viewer": { "http_addr": "127.0.0.1:0" },
    }));
    folder.write("site/index.html", "<!doctype html>");
    let owner = Peer::start(&folder, None);
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let before = owner.memory("VmRSS");
        let address = owner.address("127.0.0.1");
        let connecting = stream::iter(0..VISITORS)
            .map(|_| Reader::connect(&address))
            .buffer_unordered(AT_ONCE)
            .collect();
        let readers = timeout(PATIENCE, connecting).await.unwrap();
        let begun = work(owner.pid());
        let readers = each(readers, Reader::listen).await;
        folder.write("site/style.css", "a {}");
        let readers = each(readers, async |reader| reader.until("/style.css").await).await;
        let took = work(owner.pid()) - begun;
        let memory = (owner.memory("VmRSS") - before) / MIB;
        promise::time(
            "200 open pages and a change, work of their owner",
            took,
            WORK,
        );
        promise::at_most(
            "200 open pages, memory of their owner in MiB",
            memory,
            MEMORY,
        );
        drop(readers);
    });
    runtime.shutdown_background();
    owner.stop();
}

/// Processor time of a process, all of its threads together.
fn work(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = |field: usize| -> u64 {
        let field = fields.split_whitespace().nth(field).unwrap();
        field.parse().unwrap()
    };
    // utime and stime of proc(5), in ticks of which a second has 100.
    Duration::from_millis(10 * (ticks(11) + ticks(12)))
}
