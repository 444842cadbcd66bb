//! What existing peers of the HEAD generation note about a table in `_orm_schemas`: who may read,
//! insert, update and delete (§5.6).
//!
//! A folder may come from such a peer. Its rules are kept here where they are stricter than the
//! table's policy, and never widen it. A rule this program does not know, or a schema it cannot
//! read, lets strangers do nothing: it was written to keep somebody out.

use rusqlite::{Connection, OptionalExtension};
use serde_json::{Map, Value};

/// Which rows a stranger sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    All,
    Own,
}

/// `{read, insert, update, delete}`, as written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Access(Map<String, Value>);

/// One rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Local,
    Owner,
    Group,
    Open,
    Empty,
    Unknown,
}

/// The note about a table; `None` if there is none, or none about access.
pub(super) fn of(conn: &Connection, table: &str) -> rusqlite::Result<Option<Access>> {
    if !is_kept(conn)? {
        return Ok(None);
    }
    let schema = conn
        .prepare_cached("SELECT schema_json FROM _orm_schemas WHERE table_name = ? COLLATE NOCASE")?
        .query_row([table], text)
        .optional()?;
    Ok(schema.and_then(|schema| parse(&schema)))
}

/// Every table about which there is a note.
pub(super) fn all(conn: &Connection) -> rusqlite::Result<Vec<(String, Access)>> {
    if !is_kept(conn)? {
        return Ok(vec![]);
    }
    let mut list =
        conn.prepare_cached("SELECT schema_json, table_name FROM _orm_schemas ORDER BY 2")?;
    let rows = list.query_map([], |row| Ok((row.get::<_, String>(1)?, text(row)?)))?;
    let noted = |row: rusqlite::Result<(String, String)>| match row {
        Ok((table, schema)) => parse(&schema).map(|access| Ok((table, access))),
        Err(error) => Some(Err(error)),
    };
    rows.filter_map(noted).collect()
}

/// Whatever stands there: what is not text is not a schema either.
fn text(row: &rusqlite::Row<'_>) -> rusqlite::Result<String> {
    let value = row.get_ref(0)?;
    Ok(value.as_str().unwrap_or_default().to_owned())
}

fn is_kept(conn: &Connection) -> rusqlite::Result<bool> {
    conn.prepare_cached(
        "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '_orm_schemas'",
    )?
    .exists([])
}

fn parse(schema: &str) -> Option<Access> {
    let Ok(Value::Object(schema)) = serde_json::from_str(schema) else {
        return Some(Access(Map::new()).closed());
    };
    let member = schema
        .into_iter()
        .find(|(key, _)| key.eq_ignore_ascii_case("access"));
    match member {
        None | Some((_, Value::Null)) => None,
        Some((_, Value::Object(rules))) => Some(Access(rules)),
        Some(_) => Some(Access(Map::new()).closed()),
    }
}

impl Access {
    /// As written, for the owner.
    pub(super) fn shown(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// Whether strangers read less than the table's policy says.
    pub(super) fn restricts_reading(&self) -> bool {
        self.rule("read") != Rule::Open
    }

    /// Whether strangers may do less than the table's policy says.
    pub(super) fn restricts(&self) -> bool {
        let all = ["read", "insert", "update", "delete"];
        all.iter().any(|op| self.rule(op) != Rule::Open)
    }

    pub(super) fn check_read(&self) -> Result<Scope, String> {
        match self.rule("read") {
            Rule::Open => Ok(Scope::All),
            Rule::Owner | Rule::Empty => Ok(Scope::Own),
            rule => Err(refused("query", rule)),
        }
    }

    pub(super) fn check_insert(&self) -> Result<(), String> {
        match self.rule("insert") {
            Rule::Open => Ok(()),
            Rule::Owner => {
                Err("insert not allowed: this table only accepts data from the site owner".into())
            }
            rule => Err(refused("insert", rule)),
        }
    }

    pub(super) fn check_change(&self, op: &str) -> Result<(), String> {
        match self.rule(op) {
            Rule::Open => Ok(()),
            Rule::Owner => Err(format!("{op} not allowed: owner only")),
            rule => Err(refused(op, rule)),
        }
    }

    /// With a rule that nobody knows in every place.
    fn closed(mut self) -> Self {
        for op in ["read", "insert", "update", "delete"] {
            self.0.insert(op.into(), "unreadable".into());
        }
        self
    }

    fn rule(&self, op: &str) -> Rule {
        let rule = self
            .0
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(op))
            .map_or(&Value::Null, |(_, rule)| rule);
        match rule {
            Value::Null => Rule::Empty,
            Value::String(rule) => match rule.as_str() {
                "" => Rule::Empty,
                "local" => Rule::Local,
                "owner" => Rule::Owner,
                "group" => Rule::Group,
                "open" => Rule::Open,
                _ => Rule::Unknown,
            },
            _ => Rule::Unknown,
        }
    }
}

/// In the words of the peers whose rules these are.
fn refused(op: &str, rule: Rule) -> String {
    match rule {
        Rule::Local => format!("{op} not allowed: table is local-only"),
        Rule::Group => format!("{op} not allowed: no group system"),
        _ => format!("{op} not allowed: unknown table policy"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_closed() {
        for schema in [
            "",
            "nonsense",
            "[]",
            r#"{"access":"local"}"#,
            r#"{"access":{"read":"friends","insert":"friends","update":7,"delete":["open"]}}"#,
        ] {
            let access = parse(schema).unwrap();
            assert!(access.check_read().is_err(), "{schema}");
            assert!(access.check_insert().is_err(), "{schema}");
            assert!(access.check_change("update").is_err(), "{schema}");
            assert!(access.check_change("delete").is_err(), "{schema}");
        }
        assert_eq!(parse(r#"{"columns":[]}"#), None);
        assert_eq!(parse(r#"{"access":null}"#), None);
    }

    #[test]
    fn each_rule_has_its_words() {
        let access = parse(
            r#"{"Access":{"read":"local","insert":"group","update":"owner","delete":"open"}}"#,
        )
        .unwrap();
        assert_eq!(
            access.check_read(),
            Err("query not allowed: table is local-only".into())
        );
        assert_eq!(
            access.check_insert(),
            Err("insert not allowed: no group system".into())
        );
        assert_eq!(
            access.check_change("update"),
            Err("update not allowed: owner only".into())
        );
        assert_eq!(access.check_change("delete"), Ok(()));
        assert!(access.restricts_reading());
    }
}
