//! `goop2 doctor`: what it finds is said to people and to scripts, and that a running peer is left
//! alone.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A peer that asks nobody outside this machine.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let config = json!({ "p2p": { "mdns": false }, "viewer": { "http_addr": "127.0.0.1:0" } });
    std::fs::write(folder.path().join("goop.json"), config.to_string()).unwrap();
    std::fs::create_dir(folder.path().join("site")).unwrap();
    folder
}

fn goop2(args: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_goop2"));
    command.args(args).arg(folder);
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let folder = folder();
    let output = goop2(&["doctor"], folder.path()).output().unwrap();
    assert!(output.status.success());
    let text = said(&output);
    for part in [
        "This network: limited",
        "it is switched off",
        "What to do: ",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }

    let output = goop2(&["doctor", "--json"], folder.path())
        .output()
        .unwrap();
    let event: Value = serde_json::from_str(&said(&output)).unwrap();
    assert_eq!(event["event"], "network");
    assert_eq!(event["network"]["testing"], false);
    let facts = event["network"]["facts"].as_array().unwrap();
    let codes: Vec<_> = facts.iter().map(|fact| &fact["code"]).collect();
    assert_eq!(codes, ["address", "multicast"]);
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_said_with_what_to_do() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let doctor = || said(&goop2(&["doctor"], folder.path()).output().unwrap());
    assert!(!doctor().contains("chmod"));
    let key = folder.path().join("data/identity.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let text = doctor();
    assert!(text.contains("chmod 600"), "{text}");
}

#[test]
fn a_running_peer_is_left_alone() {
    let folder = folder();
    let mut peer = goop2(&["peer", "--json"], folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    let mut lines = BufReader::new(peer.stdout.take().unwrap());
    lines.read_line(&mut ready).unwrap();
    let output = goop2(&["doctor"], folder.path()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    peer.kill().unwrap();
    peer.wait().unwrap();
    assert!(ready.contains("ready"), "{ready}");
    assert!(!output.status.success());
    assert!(error.contains("Network page"), "{error}");
}
