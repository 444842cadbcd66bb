//! `docs/configuration.md` and `goop.schema.json`, made from the code so that they cannot disagree
//! with it: the descriptions are the doc comments of the fields, the defaults are the defaults, and
//! what a key must be is what an error message says.
//!
//! Test code only: nothing of it is in the program. `scripts/docs` writes both files.

use std::{env, fmt::Write, fs, path::PathBuf};

use regex::Regex;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::{Config, Document, check};

const PAGE: &str = "docs/configuration.md";
const SCHEMA: &str = "goop.schema.json";

/// Where a change of a key shows.
fn takes_effect(key: &str) -> &'static str {
    match key {
        "paths.site_source"
        | "paths.site_stage"
        | "presence.templates_dir"
        | "presence.templates_dirs"
        | "viewer.debug"
        | "viewer.theme"
        | "viewer.preferred_cam"
        | "viewer.preferred_mic" => "never: Goop2 does not use it",
        "p2p.port_mapping"
        | "presence.heartbeat_seconds"
        | "viewer.video_disabled"
        | "viewer.site_sources"
        | "lua.script_dir" => "immediately",
        "presence.topic" | "presence.ttl_seconds" => RESTART,
        "presence.rendezvous_wan" | "presence.rendezvous_wans" => "immediately",
        "presence.rendezvous_only" => "when `goop2 rendezvous` or the peer starts",
        _ => match key.split_once('.') {
            Some(("identity" | "p2p" | "viewer", _)) => RESTART,
            Some(("presence", name)) if name.starts_with("relay_") => {
                "immediately; the relay restarts"
            }
            Some(("presence", _)) => "immediately; the server restarts",
            Some(("lua", _)) => "never: Goop2 does not use it",
            _ => "immediately",
        },
    }
}

const RESTART: &str = "when the peer restarts";

/// What a type cannot say of one value, as JSON Schema.
fn bounds(key: &str) -> Value {
    let url = |schemes: &str| format!(r"^\s*({schemes})://[^\s/?#@]+([/?#]\S*)?\s*$");
    match key {
        "identity.key_file" | "paths.site_root" | "paths.site_source" | "paths.site_stage"
        | "presence.topic" => json!({ "minLength": 1 }),
        "p2p.mdns_tag" => json!({ "pattern": "^[A-Za-z0-9_-]{1,63}$" }),
        "presence.ttl_seconds"
        | "presence.heartbeat_seconds"
        | "presence.relay_max_circuit_seconds"
        | "presence.relay_max_circuits"
        | "presence.relay_max_circuits_per_peer"
        | "presence.relay_max_reservations"
        | "presence.relay_max_reservations_per_peer" => json!({ "minimum": 1 }),
        "presence.rendezvous_wan" | "presence.download_url" => {
            json!({ "pattern": format!(r"^\s*$|{}", url("https?")) })
        }
        "presence.rendezvous_wans" => {
            json!({ "maxItems": check::MAX_WANS, "items": { "type": "string", "pattern": url("https?") } })
        }
        "presence.cluster_url" => json!({ "pattern": r"^$|^\s*(nats|tls)://" }),
        "presence.relay_external_addrs" => json!({ "maxItems": check::MAX_RELAY_ADDRS }),
        "viewer.site_sources" => json!({
            "maxItems": check::MAX_SOURCES,
            "items": { "type": "string", "pattern": "^(https?|wss?)://[a-z0-9.-]+(:[1-9][0-9]*)?$" },
        }),
        _ => json!({}),
    }
}

/// What holds only when other keys say so: the section, what must be, and what then holds.
fn conditions() -> [(&'static str, Value, Value); 4] {
    let hosts = json!({ "rendezvous_host": { "const": true } });
    [
        (
            "presence",
            hosts.clone(),
            json!({ "properties": { "rendezvous_port": { "minimum": 1 } } }),
        ),
        (
            "presence",
            json!({ "rendezvous_only": { "const": true } }),
            json!({ "required": ["rendezvous_host"], "properties": hosts.clone() }),
        ),
        (
            "presence",
            json!({ "relay_port": { "type": "integer", "minimum": 1 } }),
            json!({
                "required": ["rendezvous_host"],
                "properties": { "rendezvous_host": { "const": true }, "relay_key_file": { "minLength": 1 } },
            }),
        ),
        (
            "lua",
            json!({ "enabled": { "const": true } }),
            json!({ "properties": {
                "script_dir": { "minLength": 1 },
                "timeout_seconds": { "minimum": 1, "maximum": 60 },
                "max_memory_mb": { "minimum": 1, "maximum": 1024 },
                "rate_limit_per_peer": { "minimum": 1 },
                "rate_limit_global": { "minimum": 1 },
            } }),
        ),
    ]
}

/// The schema of `goop.json`.
fn schema() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let root = settings.into_generator().into_root_schema_for::<Config>();
    let mut schema = root.to_value();
    schema["title"] = "goop.json".into();
    schema["description"] = "The settings of a Goop2 peer.".into();
    let sections = schema["properties"].as_object_mut().unwrap();
    for (name, section) in &mut *sections {
        section.as_object_mut().unwrap().remove("default");
        let properties = section["properties"].as_object_mut().unwrap();
        for (key, property) in properties {
            refine(property, &bounds(&format!("{name}.{key}")));
        }
        refine(section, &json!({}));
    }
    for (name, condition, then) in conditions() {
        let section = sections[name].as_object_mut().unwrap();
        let rules = section.entry("allOf").or_insert_with(|| json!([]));
        let keys: Vec<_> = condition.as_object().unwrap().keys().cloned().collect();
        let rule = json!({ "if": { "properties": condition, "required": keys }, "then": then });
        rules.as_array_mut().unwrap().push(rule);
    }
    sections.insert("$schema".into(), json!({ "type": "string" }));
    schema
}

/// Adds what the type leaves open: its bounds, and that `null` means the default.
fn refine(property: &mut Value, bounds: &Value) {
    let property = property.as_object_mut().unwrap();
    if property.remove("format") == Some("uint32".into()) {
        property.insert("maximum".into(), u32::MAX.into());
    }
    property.extend(bounds.as_object().unwrap().clone());
    if let Some(choices) = property.remove("oneOf") {
        let choices = choices.as_array().unwrap();
        let names = choices.iter().map(|choice| choice["const"].clone());
        property.insert("enum".into(), names.chain([Value::Null]).collect());
    }
    if let Some(Value::String(kind)) = property.get("type") {
        let kinds = json!([kind, "null"]);
        property.insert("type".into(), kinds);
    }
}

/// The page that lists the keys.
fn page() -> String {
    let mut page = String::from(INTRODUCTION);
    let (schema, defaults) = (schema(), serde_json::to_value(Config::default()).unwrap());
    for (name, section) in schema["properties"].as_object().unwrap() {
        let Some(keys) = section["properties"].as_object() else {
            continue;
        };
        let about = section["description"].as_str().unwrap();
        let _ = write!(page, "\n## {name}\n\n{about}\n\n{HEAD}");
        for (key, property) in keys {
            let name = format!("{name}.{key}");
            let default = defaults
                .pointer(&format!("/{}", name.replace('.', "/")))
                .unwrap();
            let _ = writeln!(
                page,
                "| `{key}` | {} | {}{} | `{default}` | {} |",
                line(property["description"].as_str().unwrap()),
                line(check::must_be(&name, default)),
                unit(key),
                takes_effect(&name),
            );
        }
    }
    page
}

const INTRODUCTION: &str = "\
# Configuration

<!-- Made by scripts/docs from crates/store/src/config.rs; do not edit. -->

A peer is a folder, and its settings are `goop.json` in it: a JSON object of sections, written in UTF-8. Every key has a \
default and may be left out; `null` means the default too. Keys that Goop2 does not know stay in the file. Relative paths \
start at the folder of the peer.

A running peer follows changes made in its settings page. After a change with a text editor, start it again; \
`goop2 rendezvous` reads the file when it starts. A mistake is reported with the key, its value and what it must be, and \
nothing is changed.

[`goop.schema.json`](../goop.schema.json) lets editors complete and check the file: name it under `\"$schema\"`, which \
Goop2 ignores. Some rules span several keys and are checked by Goop2 only, for example that `heartbeat_seconds` is below \
`ttl_seconds`.
";

const HEAD: &str = "| Key | Meaning | Must be | Default | Takes effect |\n|---|---|---|---|---|\n";

fn line(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

fn unit(key: &str) -> &'static str {
    if key.ends_with("_seconds") {
        " (seconds)"
    } else if key.contains("bytes_per_second") {
        " (bytes per second)"
    } else if key.ends_with("_mb") {
        " (MiB)"
    } else if key.starts_with("rate_limit_") {
        " (calls per minute)"
    } else {
        ""
    }
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn pretty(value: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(value).unwrap())
}

#[test]
fn the_page_and_the_schema_say_what_the_code_does() {
    for (name, made) in [(PAGE, page()), (SCHEMA, pretty(&schema()))] {
        let path = repository().join(name);
        if env::var_os("GOOP2_WRITE_DOCS").is_some() {
            fs::write(path, made).unwrap();
        } else {
            let written = fs::read_to_string(path)
                .unwrap_or_default()
                .replace('\r', "");
            assert!(
                written == made,
                "{name} is not what the code says. Remedy: run scripts/docs and commit the result."
            );
        }
    }
}

fn accepts(value: &Value) -> bool {
    holds(&schema(), value)
}

/// Whether a value keeps to a schema, as far as ours uses the language.
fn holds(schema: &Value, value: &Value) -> bool {
    let mut rules = schema.as_object().unwrap().iter();
    rules.all(|(rule, wanted)| match (&**rule, value) {
        ("type", _) => match wanted {
            Value::Array(kinds) => kinds.iter().any(|kind| is_a(value, kind)),
            kind => is_a(value, kind),
        },
        ("const", _) => value == wanted,
        ("enum", _) => wanted.as_array().unwrap().contains(value),
        ("minimum", Value::Number(number)) => number.as_f64() >= wanted.as_f64(),
        ("maximum", Value::Number(number)) => number.as_f64() <= wanted.as_f64(),
        ("minLength", Value::String(text)) => {
            text.chars().count() as u64 >= wanted.as_u64().unwrap()
        }
        ("pattern", Value::String(text)) => {
            Regex::new(wanted.as_str().unwrap()).unwrap().is_match(text)
        }
        ("maxItems", Value::Array(items)) => items.len() as u64 <= wanted.as_u64().unwrap(),
        ("items", Value::Array(items)) => items.iter().all(|item| holds(wanted, item)),
        ("required", Value::Object(keys)) => {
            let mut names = wanted.as_array().unwrap().iter();
            names.all(|name| keys.contains_key(name.as_str().unwrap()))
        }
        ("properties", Value::Object(keys)) => {
            let mut known = wanted.as_object().unwrap().iter();
            known.all(|(key, schema)| keys.get(key).is_none_or(|value| holds(schema, value)))
        }
        ("allOf", _) => wanted
            .as_array()
            .unwrap()
            .iter()
            .all(|schema| holds(schema, value)),
        ("if", _) => !holds(wanted, value) || holds(&schema["then"], value),
        (
            "minimum" | "maximum" | "minLength" | "pattern" | "maxItems" | "items" | "required"
            | "properties",
            _,
        )
        | ("then" | "$schema" | "title" | "description" | "default", _) => true,
        (rule, _) => panic!("{rule} is not understood here"),
    })
}

fn is_a(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        kind => panic!("{kind} is not understood here"),
    }
}

fn checks(value: &Value) -> bool {
    Document::parse(value.to_string().as_bytes()).is_ok()
}

#[test]
fn the_schema_accepts_every_goop_json_of_this_repository() {
    let mut found = 0;
    for folder in ["peers", "crates/store/tests/fixtures"] {
        for peer in fs::read_dir(repository().join(folder)).unwrap() {
            let Ok(text) = fs::read_to_string(peer.unwrap().path().join("goop.json")) else {
                continue;
            };
            let value = serde_json::from_str(&text).unwrap();
            assert!(accepts(&value) && checks(&value), "{text}");
            found += 1;
        }
    }
    assert!(found >= 5, "{found} files");
}

#[test]
fn the_schema_accepts_the_defaults_null_and_what_others_wrote() {
    let defaults = serde_json::to_value(Config::default()).unwrap();
    let mut nulls = defaults.clone();
    for section in nulls.as_object_mut().unwrap().values_mut() {
        for value in section.as_object_mut().unwrap().values_mut() {
            *value = Value::Null;
        }
    }
    for value in [
        defaults,
        nulls,
        json!({}),
        json!({ "$schema": "../goop.schema.json", "zz": 1, "p2p": { "zz": [] }, "lua": null }),
        json!({ "lua": { "enabled": false, "timeout_seconds": 0 } }),
        json!({ "presence": { "rendezvous_port": 0, "rendezvous_wan": " http://a:1/ " } }),
        json!({ "presence": { "rendezvous_wan": "https://a/goop/@ann?b" } }),
        json!({ "presence": { "rendezvous_host": true, "rendezvous_only": true, "relay_port": 4002 } }),
        json!({ "presence": { "cluster_url": "nats://ann:secret@a:4222, tls://b" } }),
        json!({ "viewer": { "site_sources": ["http://192.168.1.20:8123", "wss://a.example"] } }),
    ] {
        assert!(checks(&value), "check refuses {value}");
        assert!(accepts(&value), "the schema refuses {value}");
    }
}

#[test]
fn the_schema_refuses_what_check_refuses() {
    let on = |key: &str, value: Value| {
        let mut section = json!({ "enabled": true });
        section[key] = value;
        json!({ "lua": section })
    };
    let presence = |keys: Value| json!({ "presence": keys });
    let cases = [
        json!([]),
        json!({ "p2p": [] }),
        json!({ "identity": { "key_file": "" } }),
        json!({ "paths": { "site_root": "" } }),
        json!({ "paths": { "site_source": "" } }),
        json!({ "paths": { "site_stage": "" } }),
        json!({ "p2p": { "listen_port": "x" } }),
        json!({ "p2p": { "listen_port": 65536 } }),
        json!({ "p2p": { "listen_port": -1 } }),
        json!({ "p2p": { "mdns": 1 } }),
        json!({ "p2p": { "mdns_tag": "a.b" } }),
        json!({ "p2p": { "mdns_tag": "" } }),
        json!({ "p2p": { "mdns_tag": "x".repeat(64) } }),
        presence(json!({ "topic": "" })),
        presence(json!({ "ttl_seconds": 0 })),
        presence(json!({ "ttl_seconds": 1_u64 << 32 })),
        presence(json!({ "heartbeat_seconds": 0 })),
        presence(json!({ "rendezvous_port": 99999 })),
        presence(json!({ "rendezvous_host": true, "rendezvous_port": 0 })),
        presence(json!({ "rendezvous_only": true })),
        presence(json!({ "relay_port": 4001 })),
        presence(json!({ "rendezvous_host": true, "relay_port": 4001, "relay_key_file": "" })),
        presence(json!({ "relay_max_circuit_seconds": 0 })),
        presence(json!({ "relay_max_circuits": 0 })),
        presence(json!({ "relay_max_circuits_per_peer": 0 })),
        presence(json!({ "relay_max_reservations": 0 })),
        presence(json!({ "relay_max_reservations_per_peer": 0 })),
        presence(json!({ "relay_bytes_per_second": -1 })),
        presence(json!({ "relay_external_addrs": vec!["a"; 17] })),
        presence(json!({ "rendezvous_wan": "ftp://a" })),
        presence(json!({ "rendezvous_wan": "https://ann@a" })),
        presence(json!({ "rendezvous_wans": ["https://ann:secret@a/goop"] })),
        presence(json!({ "download_url": "goop2.example" })),
        presence(json!({ "rendezvous_wans": [""] })),
        presence(json!({ "rendezvous_wans": vec!["http://a"; 17] })),
        presence(json!({ "cluster_url": "http://a" })),
        presence(json!({ "admin_password": 7 })),
        presence(json!({ "trusted_proxies": "127.0.0.1" })),
        json!({ "viewer": { "theme": "blue" } }),
        json!({ "viewer": { "site_sources": ["nonsense"] } }),
        json!({ "viewer": { "site_sources": ["http://a/"] } }),
        json!({ "viewer": { "site_sources": vec!["http://a"; 17] } }),
        on("script_dir", "".into()),
        on("timeout_seconds", 0.into()),
        on("timeout_seconds", 61.into()),
        on("max_memory_mb", 0.into()),
        on("max_memory_mb", 1025.into()),
        on("rate_limit_per_peer", 0.into()),
        on("rate_limit_global", 0.into()),
    ];
    for value in cases {
        assert!(!checks(&value), "check accepts {value}");
        assert!(!accepts(&value), "the schema accepts {value}");
    }
}

#[test]
fn what_the_schema_cannot_say_is_checked_all_the_same() {
    for value in [
        json!({ "paths": { "site_stage": "site/src" } }),
        json!({ "presence": { "ttl_seconds": 5 } }),
        json!({ "presence": { "rendezvous_wan": "http://0.0.0.0:1" } }),
        json!({ "presence": { "rendezvous_host": true, "rendezvous_bind": "here" } }),
        json!({ "presence": { "rendezvous_host": true, "relay_port": 8787 } }),
    ] {
        assert!(!checks(&value), "check accepts {value}");
        assert!(accepts(&value), "the schema could say it: {value}");
    }
}
