//! The JSON of `goop.json` next to its typed form.

use serde_json::{Map, Value, json};

use super::{Config, Problem, check};

/// A configuration file that was read: the settings, and everything else in it.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    raw: Map<String, Value>,
    config: Config,
}

impl Document {
    /// Reads a file. Keys are matched as existing peers match them: in any case, and `null` means
    /// the default.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let raw = serde_json::from_slice(bytes).map_err(|error| Problem::of_json(&error))?;
        let Value::Object(raw) = raw else {
            return Err(Problem::NoObject);
        };
        let config = typed(&raw)?;
        config.check()?;
        Ok(Self { raw, config })
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Makes the document say `config`, touching only the values in which `config` differs from
    /// `before`.
    pub(crate) fn change(&mut self, before: &Config, config: &Config) -> Result<(), Problem> {
        let (before, after) = (tree(before), tree(config));
        for (section, keys) in &after {
            for (key, value) in keys.as_object().into_iter().flatten() {
                if before[section][key] != *value {
                    *self.slot(section, key) = value.clone();
                }
            }
        }
        self.config = typed(&self.raw)?;
        self.config.check()
    }

    /// Sets single values by `section.key`; nothing else is touched.
    pub(crate) fn set(&mut self, values: &Map<String, Value>) -> Result<(), Problem> {
        let known = tree(&Config::default());
        for (name, value) in values {
            let (section, key) = name.split_once('.').unwrap_or((name, ""));
            if known.get(section).and_then(|keys| keys.get(key)).is_none() {
                return Err(Problem::Unknown(name.clone()));
            }
            *self.slot(section, key) = value.clone();
        }
        self.config = typed(&self.raw)?;
        self.config.check()
    }

    /// Where a value is in the file; created if missing.
    fn slot(&mut self, section: &str, key: &str) -> &mut Value {
        let section = match entry(&mut self.raw, section, Value::Null) {
            Value::Object(section) => section,
            other => {
                *other = json!({});
                other.as_object_mut().expect("an object was just put there")
            }
        };
        entry(section, key, Value::Null)
    }

    /// The bytes of the file: two spaces of indent, like those existing peers write.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(&self.raw).expect("a JSON object always encodes");
        bytes.push(b'\n');
        bytes
    }
}

/// Reads key by key, so that an error can name the key.
fn typed(raw: &Map<String, Value>) -> Result<Config, Problem> {
    let mut merged = tree(&Config::default());
    for (section, keys) in &mut merged {
        let given = match find(raw, section) {
            None | Some(Value::Null) => continue,
            Some(Value::Object(given)) => given,
            Some(other) => return Err(Problem::new(section.as_str(), other, "an object { … }")),
        };
        for (key, slot) in keys.as_object_mut().into_iter().flatten() {
            let Some(value) = find(given, key).filter(|value| !value.is_null()) else {
                continue;
            };
            if serde_json::from_value::<Config>(
                json!({ section.as_str(): { key.as_str(): value } }),
            )
            .is_err()
            {
                let name = format!("{section}.{key}");
                let must = check::must_be(&name, slot);
                return Err(Problem::new(name, value, must));
            }
            *slot = value.clone();
        }
    }
    Ok(serde_json::from_value(Value::Object(merged)).expect("each value was tried alone"))
}

fn tree(config: &Config) -> Map<String, Value> {
    match serde_json::to_value(config) {
        Ok(Value::Object(tree)) => tree,
        _ => unreachable!("a configuration is an object of sections"),
    }
}

/// The name of `key` in the file: itself, or else one that differs only in case.
fn name<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a String> {
    map.keys()
        .find(|name| *name == key)
        .or_else(|| map.keys().find(|name| name.eq_ignore_ascii_case(key)))
}

fn find<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    map.get(name(map, key)?)
}

fn entry<'a>(map: &'a mut Map<String, Value>, key: &str, default: Value) -> &'a mut Value {
    let name = name(map, key).cloned().unwrap_or_else(|| key.into());
    map.entry(name).or_insert(default)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::Theme;

    fn parse(text: &str) -> Result<Config, String> {
        Document::parse(text.as_bytes())
            .map(|document| document.config)
            .map_err(|problem| problem.to_string())
    }

    #[test]
    fn nothing_set_is_all_defaults() {
        for text in [
            "{}",
            "\u{feff}{}",
            r#"{"p2p":null,"viewer":{"theme":null}}"#,
        ] {
            assert_eq!(parse(text).unwrap(), Config::default());
        }
    }

    #[test]
    fn keys_are_matched_in_any_case() {
        let config = parse(r#"{"Profile":{"LABEL":"a"},"viewer":{"theme":"light"}}"#).unwrap();
        assert_eq!(
            (config.profile.label.as_str(), config.viewer.theme),
            ("a", Theme::Light)
        );
    }

    #[test]
    fn mistakes_name_the_key_the_value_and_what_is_allowed() {
        let cases = [
            (
                r#"{"presence":{"ttl_seconds":"x"}}"#,
                r#"presence.ttl_seconds is "x", but must be a whole number above 0"#,
            ),
            (
                r#"{"presence":{"ttl_seconds":5}}"#,
                "presence.heartbeat_seconds is 5, but must be a whole number above 0 and",
            ),
            (
                r#"{"presence":{"rendezvous_port":99999}}"#,
                "presence.rendezvous_port is 99999, but must be a port from 1",
            ),
            (
                r#"{"presence":{"rendezvous_only":true}}"#,
                "presence.rendezvous_only is true, but must be false, unless",
            ),
            (
                r#"{"presence":{"relay_port":4001}}"#,
                "presence.relay_port is 4001, but must be 0 for none, or a port",
            ),
            (
                r#"{"presence":{"rendezvous_host":true,"rendezvous_bind":"here"}}"#,
                r#"presence.rendezvous_bind is "here", "#,
            ),
            (
                r#"{"presence":{"rendezvous_wan":"ftp://a"}}"#,
                r#"presence.rendezvous_wan is "ftp://a", "#,
            ),
            (
                r#"{"presence":{"rendezvous_wan":"https://ann:secret@a"}}"#,
                "presence.rendezvous_wan must be the http:// or https:// address of a rendezvous without a user name",
            ),
            (
                r#"{"presence":{"rendezvous_wan":"http://0.0.0.0:1"}}"#,
                "presence.rendezvous_wan is ",
            ),
            (
                r#"{"presence":{"rendezvous_wan":"http://a:0"}}"#,
                "presence.rendezvous_wan is ",
            ),
            (
                r#"{"presence":{"cluster_url":"nats://a,http://ann:secret@b"}}"#,
                "presence.cluster_url must be the nats:// or tls:// address",
            ),
            (
                r#"{"presence":{"admin_password":7}}"#,
                "presence.admin_password must be a string",
            ),
            (
                r#"{"paths":{"site_stage":"site/src"}}"#,
                r#"paths.site_stage is "site/src", "#,
            ),
            (
                r#"{"presence":{"smtp_tls":"none"}}"#,
                r#"presence.smtp_tls is "none", but must be "auto", "implicit" or "starttls""#,
            ),
            (
                r#"{"viewer":{"theme":"blue"}}"#,
                r#"viewer.theme is "blue", but must be "light" or "dark""#,
            ),
            (
                r#"{"viewer":{"debug":1}}"#,
                "viewer.debug is 1, but must be true or false",
            ),
            (
                r#"{"p2p":{"mdns_tag":"a.b"}}"#,
                r#"p2p.mdns_tag is "a.b", but must be 1 to 63 letters"#,
            ),
            (r#"{"p2p":[]}"#, "p2p is [], but must be an object"),
            (
                r#"{"lua":{"enabled":true,"timeout_seconds":61}}"#,
                "lua.timeout_seconds is 61, but must be a whole number from 1",
            ),
            ("[]", "the file must contain a JSON object"),
            ("{", "Line 1, column 1: the file ends too early."),
            ("", "Line 1, column 1: the file ends too early."),
            (
                "{\n}\n}",
                "Line 3, column 1: remove what follows the last }.",
            ),
            (
                r#"{"p2p":{},}"#,
                "Line 1, column 11: remove the comma before the bracket.",
            ),
            (
                r#"{"p2p":{} "lua":{}}"#,
                "Line 1, column 11: a comma or } is missing before this.",
            ),
            (
                "{p2p:{}}",
                "Line 1, column 2: put the key in double quotes.",
            ),
            (r#"{"p2p" {}}"#, "Line 1, column 8: a colon is missing"),
            (
                r#"{"p2p":x}"#,
                "Line 1, column 8: this is not a JSON value.",
            ),
        ];
        for (text, message) in cases {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(message), "{text}: {error}");
        }
        assert!(
            parse(r#"{"lua":{"timeout_seconds":0}}"#).is_ok(),
            "not looked at while Lua is off"
        );
        assert!(parse(r#"{"presence":{"rendezvous_wan":"http://127.0.0.1:8787"}}"#).is_ok());
    }

    #[test]
    fn a_change_touches_only_what_differs() {
        let mut document =
            Document::parse(br#"{"new":[1],"Profile":{"x":1,"Label":"a"},"viewer":null}"#).unwrap();
        let before = document.config.clone();
        let mut after = before.clone();
        after.profile.label = "b".into();
        after.viewer.debug = true;
        document.change(&before, &after).unwrap();
        let written: Value = serde_json::from_slice(&document.to_bytes()).unwrap();
        assert_eq!(
            written,
            json!({"new":[1],"Profile":{"x":1,"Label":"b"},"viewer":{"debug":true}})
        );
        assert_eq!(document.config, after);
    }

    #[test]
    fn single_values_are_set_by_name_and_checked_together() {
        let mut document = Document::parse(br#"{"new":[1],"Profile":{"Label":"a"}}"#).unwrap();
        let values = |json: Value| json.as_object().cloned().unwrap();
        document
            .set(&values(
                json!({"profile.label":"b","presence.ttl_seconds":4,"presence.heartbeat_seconds":3}),
            ))
            .unwrap();
        let written: Value = serde_json::from_slice(&document.to_bytes()).unwrap();
        assert_eq!(
            written,
            json!({"new":[1],"Profile":{"Label":"b"},"presence":{"ttl_seconds":4,"heartbeat_seconds":3}})
        );
        for (name, value, message) in [
            ("profile.name", json!("x"), "profile.name is not a setting"),
            ("profile", json!({}), "profile is not a setting"),
            (
                "p2p.listen_port",
                json!(65536),
                "p2p.listen_port is 65536, but must be a port from 0",
            ),
            (
                "p2p.mdns_tag",
                json!(""),
                "p2p.mdns_tag is \"\", but must be 1 to 63 letters",
            ),
        ] {
            let problem = document
                .clone()
                .set(&values(json!({ name: value })))
                .unwrap_err();
            assert!(problem.to_string().starts_with(message), "{problem}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((".{0,6}", inner), 0..4)
                    .prop_map(|pairs| pairs.into_iter().collect()),
            ]
        })
    }

    /// Keys that no version knows: `zz` begins none of ours.
    fn unknown_keys() -> impl Strategy<Value = Map<String, Value>> {
        prop::collection::vec(("zz[a-z]{0,4}", any_json()), 0..5)
            .prop_map(|pairs| pairs.into_iter().collect())
    }

    proptest! {
        #[test]
        fn unknown_keys_survive_at_any_level(top in unknown_keys(), section in unknown_keys(), label in ".{0,20}", port: u16) {
            let mut raw = top.clone();
            raw.insert("$schema".into(), "goop.schema.json".into());
            for name in ["p2p", "profile", "lua"] {
                raw.insert(name.into(), Value::Object(section.clone()));
            }
            let mut document = Document::parse(&serde_json::to_vec(&raw).unwrap()).unwrap();
            let before = document.config.clone();
            let mut after = before.clone();
            after.profile.label = label;
            after.p2p.listen_port = port;
            document.change(&before, &after).unwrap();

            let again = Document::parse(&document.to_bytes()).unwrap();
            prop_assert_eq!(&again.config, &after);
            prop_assert_eq!(&again.raw["$schema"], "goop.schema.json");
            for (key, value) in &top {
                prop_assert_eq!(&again.raw[key], value);
            }
            for name in ["p2p", "profile", "lua"] {
                for (key, value) in &section {
                    prop_assert_eq!(&again.raw[name][key], value);
                }
            }
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), value in any_json()) {
            let _ = Document::parse(&bytes);
            let _ = Document::parse(&serde_json::to_vec(&json!({"p2p": value.clone(), "presence": {"ttl_seconds": value}})).unwrap());
        }
    }
}
