//! The program for Windows, run by Wine, among peers on Linux. No part of `make test`:
//! `scripts/test-windows` builds the program and says where it is.

use std::{fs, io, path::Path, time::Duration};

use futures::{AsyncReadExt, AsyncWriteExt};
use goop2_node::{Config, Keypair};
use goop2_proto::site;
use serde_json::{Value, json};
use tokio::{runtime::Builder, time::timeout};

use crate::{
    PATIENCE,
    rendezvous::joined,
    support::{
        lab::{Host, Lan, inside},
        peer::{Folder, Peer, is},
    },
};

/// For one file of a site.
const EXCHANGE: Duration = Duration::from_secs(10);
/// How often it is killed.
const KILLS: i64 = 5;

/// Names that Windows resolves to another file than the one asked for, inside or outside the site.
const HOSTILE: [&str; 26] = [
    "index.html.",
    "lua /secret.lua",
    "index.html. .",
    "index.html::$DATA",
    "index.html:hidden",
    "INDEX~1.HTM",
    "con",
    "CON",
    "nul",
    "NUL.txt",
    "aux.html",
    "prn",
    "COM1",
    "com9.html",
    "lpt1",
    "CONIN$",
    "..\\goop.json",
    "a\\..\\..\\goop.json",
    "\\\\?\\C:\\windows\\win.ini",
    "C:/windows/win.ini",
    "c:\\windows\\win.ini",
    "//?/C:/windows/win.ini:x",
    "..\\data\\identity.key",
    "lua\\secret.lua",
    "LUA/secret.lua",
    "lua./secret.lua",
];

#[test]
#[ignore = "needs the program for Windows, and Wine: make test-windows"]
fn a_peer_on_windows_among_others() {
    inside("windows::a_peer_on_windows_among_others", || {
        let mut lans = [1, 2, 3].map(Lan::routed);
        let server_folder = Folder::with(&json!({}));
        let server = Peer::rendezvous(&server_folder, Some(&lans[2].host_ipv4()));
        let url = server.ready().event["connect_urls"][0]
            .as_str()
            .unwrap()
            .to_owned();
        let linux_folder = joined("linux", &url);
        let hosts = [lans[0].host(), lans[1].host()];
        let linux = Peer::start(&linux_folder, Some(&hosts[0]));

        let folder = demo(&url);
        let id = identity(&folder, &hosts[1]);
        assert_eq!(identity(&folder, &hosts[1]), id, "made once");
        println!("windows: id {id}");
        let windows = Peer::start_on_windows(&folder, &hosts[1]);
        assert_eq!(windows.id(), id);
        assert_eq!(linux.sees(&id, PATIENCE).event["source"], "wan");
        windows.sees(&linux.id(), PATIENCE);
        println!("windows: started on peers/demo, and met a peer on Linux through a rendezvous");

        visit_each_other(&linux, &windows);
        println!("windows: visited, its guestbook signed, and visits");
        hosts[0].enter(|| refuses_names_of_windows(&windows.address(hosts[1].address())));
        println!(
            "windows: {} paths special to Windows refused",
            HOSTILE.len()
        );

        let windows = killed_again_and_again(windows, &folder, &hosts[1]);
        println!("windows: killed {KILLS} times; keys, settings and database opened again");
        goes_in_order(windows, &linux);
        println!("windows: Ctrl-C ends it in order, and others are told");
        linux.stop();
        server.stop();
    });
}

/// A copy of the demo that joins the rendezvous, listening where it will be found again.
fn demo(url: &str) -> Folder {
    let folder = Folder::copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/demo"));
    let mut config: Value =
        serde_json::from_slice(&fs::read(folder.path().join("goop.json")).unwrap()).unwrap();
    config["presence"] = json!({ "rendezvous_wan": url });
    config["viewer"] = json!({ "http_addr": "127.0.0.1:0" });
    config["p2p"] = json!({ "listen_port": 4001 });
    folder.write("goop.json", config.to_string());
    folder.write("site/lua/secret.lua", "secret");
    folder
}

/// `goop2 id`.
fn identity(folder: &Folder, host: &Host) -> String {
    let output = Peer::wine(host)
        .arg("id")
        .arg(folder.path())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let id = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    assert!(id.starts_with("12D3KooW"), "{id} {errors}");
    id
}

fn visit_each_other(linux: &Peer, windows: &Peer) {
    let page = linux.visit(&windows.id(), "").unwrap();
    let original = include_str!("../../peers/demo/site/index.html");
    assert_eq!((page.status, page.text().as_str()), (200, original));
    let page = windows.visit(&linux.id(), "").unwrap();
    assert_eq!(
        (page.status, page.text().as_str()),
        (200, "the site of linux")
    );

    let row = json!({ "table": "guestbook", "data": { "name": "Linux", "message": "was here" } });
    let signed = linux.as_site(&windows.id(), "insert", &row);
    assert_eq!(signed.status, 200, "{}", signed.text());
    let rows = windows
        .api("data/query", &json!({ "table": "guestbook" }))
        .json();
    assert_eq!(
        (&rows[0]["message"], &rows[0]["_owner"]),
        (&json!("was here"), &json!(linux.id()))
    );
}

/// Asked for over the network as they are: the viewers of our peers would not even ask.
fn refuses_names_of_windows(address: &str) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let config = Config {
            keypair: Keypair::generate_ed25519(),
            listen_port: 0,
            mdns_tag: None,
            topic: "goop.presence.v1".into(),
            protocols: Vec::new(),
        };
        let (node, _streams, _events) = goop2_node::spawn(config).await.unwrap();
        let owner = node.add_address(address.parse().unwrap()).await.unwrap();
        let ask = async |path: &str| {
            let mut stream = node.open(owner, site::PROTOCOL).await.unwrap();
            stream
                .write_all(format!("GET /{path}\n").as_bytes())
                .await?;
            stream.flush().await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            Ok::<_, io::Error>(String::from_utf8_lossy(&answer).into_owned())
        };
        let served = timeout(EXCHANGE, ask("style.css")).await.unwrap().unwrap();
        assert!(served.starts_with("OK "), "{served}");
        for path in HOSTILE {
            let answer = timeout(EXCHANGE, ask(path))
                .await
                .unwrap_or_else(|_| panic!("{path}: waits"))
                .unwrap();
            assert!(
                matches!(answer.as_str(), "ERR not found\n" | "ERR forbidden\n"),
                "{path}: {answer}"
            );
        }
        node.shutdown().await;
    });
}

/// Each time right after what it acknowledged.
fn killed_again_and_again(mut windows: Peer, folder: &Folder, host: &Host) -> Peer {
    let id = windows.id();
    for kill in 1..=KILLS {
        let label = format!("Windows {kill}");
        let saved = windows.api("settings", &json!({ "profile.label": label }));
        assert_eq!(saved.status, 200, "{}", saved.text());
        let row = json!({ "table": "guestbook", "data": { "message": label } });
        assert_eq!(windows.api("data/insert", &row).status, 200);
        windows.kill();
        windows.ended();
        windows = Peer::start_on_windows(folder, host);
        let ready = windows.ready().event;
        assert_eq!(
            (&ready["peer_id"], &ready["label"]),
            (&json!(id), &json!(label))
        );
        let rows = windows
            .api("data/query", &json!({ "table": "guestbook" }))
            .json();
        let rows = rows.as_array().unwrap();
        assert!(rows.iter().any(|row| row["message"] == label), "{rows:?}");
    }
    windows
}

fn goes_in_order(mut windows: Peer, linux: &Peer) {
    let (id, before) = (windows.id(), linux.mark());
    windows.interrupt();
    linux.wait_from(before, "its goodbye", PATIENCE, |event| {
        is(event, &id, "offline")
    });
    let (_, status) = windows.ended();
    assert!(status.success(), "{status}\n{}", windows.errors());
}
