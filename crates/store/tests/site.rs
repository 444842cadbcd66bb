//! The site: the recorded exchanges, and everything that tries to leave the folder.
#![allow(clippy::unwrap_used)]

mod common;

use std::{fs, io::Read, path::Path};

use common::{fixture, new_peer};
use goop2_proto::{SitePath, path::Refusal, site};
use goop2_store::{Folder, Site};
use serde_json::Value;

fn get(site: &Site, path: &str) -> Result<Vec<u8>, Refusal> {
    let mut file = site.open(&SitePath::parse(path)?)?;
    let mut bytes = vec![];
    file.file.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, file.len);
    Ok(bytes)
}

#[test]
fn the_recorded_exchanges() {
    let recorded: Value =
        serde_json::from_slice(&fs::read(fixture("streams-feb.json")).unwrap()).unwrap();
    let (dir, folder) = new_peer();
    let root = dir.path().join("site");
    fs::remove_dir_all(&root).unwrap();
    for (name, content) in recorded["setup"]["site"].as_object().unwrap() {
        let (path, content) = (root.join(name), content.as_str().unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if name == "link.txt" {
            fs::write(dir.path().join("outside"), "vm\n").unwrap();
            link(&dir.path().join("outside"), &path);
            continue;
        }
        let bytes = content.strip_prefix("hex:").map_or(content.into(), unhex);
        fs::write(path, bytes).unwrap();
    }
    let mut seen = 0;
    for exchange in recorded["exchanges"].as_array().unwrap() {
        let request = exchange["request"].as_str().unwrap();
        if exchange["protocol"] != site::PROTOCOL || !request.ends_with('\n') {
            continue;
        }
        seen += 1;
        let answer = match site::decode_request(request.as_bytes()).map(SitePath::parse) {
            Err(header) => header.encode(),
            Ok(Err(refusal)) => site::Header::Err(refusal.to_string()).encode(),
            Ok(Ok(path)) => match folder.site().open(&path) {
                Err(refusal) => site::Header::Err(refusal.to_string()).encode(),
                Ok(mut file) => {
                    let mut answer = site::Header::Ok {
                        mime: file.mime,
                        len: file.len,
                    }
                    .encode();
                    file.file.read_to_end(&mut answer).unwrap();
                    answer
                }
            },
        };
        let recorded = match &exchange["response_hex"] {
            Value::String(hex) => unhex(hex),
            _ => exchange["response"].as_str().unwrap().into(),
        };
        let expected = match exchange["ours"].as_str().unwrap() {
            "same" => recorded,
            better => better.split_inclusive('\n').next().unwrap().into(),
        };
        assert_eq!(
            String::from_utf8_lossy(&answer),
            String::from_utf8_lossy(&expected),
            "{request}"
        );
    }
    assert!(seen > 40, "{seen}");
}

#[cfg(unix)]
#[test]
fn links_lead_only_to_what_could_be_asked_for() {
    let (dir, folder) = new_peer();
    let root = dir.path().join("site");
    fs::create_dir_all(root.join("sub")).unwrap();
    fs::create_dir_all(root.join("lua")).unwrap();
    fs::create_dir_all(dir.path().join("elsewhere")).unwrap();
    for (name, content) in [
        ("sub/file.txt", "inside"),
        ("lua/x.lua", "secret"),
        (".hidden", "secret"),
        ("../elsewhere/x.txt", "secret"),
    ] {
        fs::write(root.join(name), content).unwrap();
    }
    let inside = [
        ("a.txt", "sub/file.txt"),
        ("b.txt", "a.txt"),
        ("c.txt", "sub/../sub/file.txt"),
        ("folder", "sub"),
    ];
    let not_found = [
        ("out.txt", "../elsewhere/x.txt"),
        ("absolute.txt", "/etc/hostname"),
        ("dot.txt", ".hidden"),
        ("zero", "/dev/zero"),
        ("up", ".."),
        ("dir.txt", "sub"),
        ("loop", "loop"),
        ("nowhere", "nothing"),
        ("key", "../data/identity.key"),
        ("sub/up.txt", "../../goop.json"),
        ("proc", "/proc/self/environ"),
        ("there-and-back", "../site/sub/file.txt"),
    ];
    for (name, target) in inside
        .iter()
        .chain(&not_found)
        .chain(&[("script.txt", "lua/x.lua"), ("scripts", "lua")])
    {
        link(Path::new(target), &root.join(name));
    }
    for path in ["a.txt", "b.txt", "c.txt", "folder/file.txt"] {
        assert_eq!(
            get(&folder.site(), path).as_deref(),
            Ok(&b"inside"[..]),
            "{path}"
        );
    }
    for (path, _) in not_found {
        assert_eq!(get(&folder.site(), path), Err(Refusal::NotFound), "{path}");
    }
    assert_eq!(get(&folder.site(), "up/goop.json"), Err(Refusal::NotFound));
    for path in ["script.txt", "scripts/x.lua", "lua/x.lua", "lua"] {
        assert_eq!(get(&folder.site(), path), Err(Refusal::Forbidden), "{path}");
    }
}

#[cfg(unix)]
#[test]
fn opening_never_waits_and_only_files_are_served() {
    let (dir, folder) = new_peer();
    let root = dir.path().join("site");
    let made = std::process::Command::new("mkfifo")
        .arg(root.join("pipe.txt"))
        .status()
        .unwrap();
    assert!(made.success());
    fs::create_dir(root.join("folder.html")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    for path in ["pipe.txt", "folder.html", "socket", "folder.html/"] {
        assert_eq!(get(&folder.site(), path), Err(Refusal::NotFound), "{path}");
    }
}

#[test]
fn configured_scripts_are_never_served() {
    for (scripts, secret, served) in [
        ("site/Code/v1", "code/V1/x.js", "code/v2/x.js"),
        ("site", "x.LUA", "x.js"),
        (".", "functions/x.lua", "functions/x.js"),
        ("elsewhere", "lua.d.lua/../lua/x", "Code/x.lua"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(
            dir.path().join("goop.json"),
            format!(r#"{{"lua":{{"script_dir":"{scripts}"}}}}"#),
        )
        .unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        for path in [secret, served] {
            let path = dir.path().join("site").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::create_dir_all(dir.path().join("site/lua.d.lua")).unwrap();
            fs::create_dir_all(dir.path().join("site/lua")).unwrap();
            fs::write(path, "x").unwrap();
        }
        assert_eq!(
            get(&folder.site(), secret),
            Err(Refusal::Forbidden),
            "{scripts}"
        );
        assert!(get(&folder.site(), served).is_ok(), "{scripts}");
    }
}

#[test]
fn the_folder_may_be_replaced_while_it_is_served() {
    let (dir, folder) = new_peer();
    let root = dir.path().join("site");
    fs::remove_dir_all(&root).unwrap();
    assert_eq!(get(&folder.site(), "/"), Err(Refusal::NotFound));
    fs::create_dir(&root).unwrap();
    fs::write(root.join("index.html"), "new").unwrap();
    assert_eq!(get(&folder.site(), "/").as_deref(), Ok(&b"new"[..]));
}

#[test]
fn no_size_is_too_large() {
    let (dir, folder) = new_peer();
    let len = 60 * 1024 * 1024;
    fs::File::create(dir.path().join("site/large.bin"))
        .unwrap()
        .set_len(len)
        .unwrap();
    let file = folder
        .site()
        .open(&SitePath::parse("large.bin").unwrap())
        .unwrap();
    assert_eq!(
        (file.len, file.mime.as_str()),
        (len, "application/octet-stream")
    );
}

fn link(target: &Path, path: &Path) {
    #[cfg(unix)]
    std::os::unix::fs::symlink(target, path).unwrap();
    #[cfg(windows)]
    std::os::windows::fs::symlink_file(target, path).unwrap();
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
        .collect()
}
