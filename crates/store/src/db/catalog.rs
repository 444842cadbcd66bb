//! Which tables exist, how they are named, and who may do what with them (§5.3).

use rusqlite::{Connection, OptionalExtension};

use super::{
    Caller,
    access::{self, Access, Scope},
    fault,
    values::Affinity,
};

/// Longest name of a table or column.
const MAX_NAME_BYTES: usize = 64;
/// Tables with such names belong to the program.
const INTERNAL: char = '_';

/// `_tables.insert_policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    /// Everybody reads, only the owner writes. Also the default.
    Owner,
    /// Everybody reads and inserts.
    Public,
    /// Everybody inserts, and reads what is theirs.
    Open,
    /// As `Open`, for peers that announce an email address.
    Email,
    /// A policy of another version: nobody may insert, everybody may read their own rows.
    Unknown,
}

impl Policy {
    pub(super) fn parse(text: &str) -> Self {
        match text {
            "owner" => Self::Owner,
            "public" => Self::Public,
            "open" => Self::Open,
            "email" => Self::Email,
            _ => Self::Unknown,
        }
    }

    /// Whether a stranger sees the rows of others.
    pub(super) fn shows_all_rows(self) -> bool {
        matches!(self, Self::Owner | Self::Public)
    }

    pub(super) fn check_insert(self, email: &str) -> Result<(), String> {
        match self {
            Self::Public | Self::Open => Ok(()),
            Self::Email if !email.is_empty() => Ok(()),
            Self::Email => {
                Err("insert not allowed: your peer must have an email address configured".into())
            }
            Self::Owner => {
                Err("insert not allowed: this table only accepts data from the site owner".into())
            }
            Self::Unknown => Err("insert not allowed: unknown table policy".into()),
        }
    }
}

/// A table the caller may name.
#[derive(Debug)]
pub(super) struct Table {
    /// As it was registered: SQLite takes `Posts` and `POSTS` for the same table, a policy must
    /// too.
    pub(super) name: String,
    pub(super) policy: Policy,
    /// What an existing peer of the HEAD generation has noted about it, if anything.
    pub(super) access: Option<Access>,
}

impl Table {
    /// Whether a stranger may read it, and then whether the rows of others too.
    pub(super) fn read_scope(&self) -> Result<Scope, String> {
        let own = match &self.access {
            Some(access) => access.check_read()? == Scope::Own,
            None => false,
        };
        Ok(if own || !self.policy.shows_all_rows() {
            Scope::Own
        } else {
            Scope::All
        })
    }

    pub(super) fn check_insert(&self, email: &str) -> Result<(), String> {
        if let Some(access) = &self.access {
            access.check_insert()?;
        }
        self.policy.check_insert(email)
    }

    /// `op`: `update` or `delete`, of a row that is the caller's.
    pub(super) fn check_change(&self, op: &str) -> Result<(), String> {
        match &self.access {
            Some(access) => access.check_change(op),
            None => Ok(()),
        }
    }
}

/// A column as it is declared.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) affinity: Affinity,
}

/// The table a request names. For a stranger only registered ones exist, and none of the program's
/// own.
pub(super) fn table(conn: &Connection, caller: &Caller, name: &str) -> Result<Table, String> {
    check_table_name(name)?;
    let registered = conn
        .prepare_cached("SELECT name, coalesce(insert_policy, 'owner') FROM _tables WHERE name = ? COLLATE NOCASE")
        .and_then(|mut find| find.query_row([name], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).optional())
        .map_err(fault::answer)?
        .map(|(name, policy): (String, _)| (name, Policy::parse(&policy)));
    let registered = match registered {
        Some((name, policy)) => Some(Table {
            access: access::of(conn, &name).map_err(fault::answer)?,
            name,
            policy,
        }),
        None => None,
    };
    match (registered, caller) {
        (Some(table), Caller::Remote { .. }) if !is_internal(&table.name) => Ok(table),
        (_, Caller::Remote { .. }) => Err(no_such_table(name)),
        (Some(table), Caller::Local) => Ok(table),
        (None, Caller::Local) => Ok(Table {
            name: name.into(),
            policy: Policy::Owner,
            access: None,
        }),
    }
}

/// A table's columns; none when there is no such table.
pub(super) fn columns(conn: &Connection, table: &str) -> Result<Vec<Column>, String> {
    let column = |row: &rusqlite::Row<'_>| {
        Ok(Column {
            name: row.get(0)?,
            affinity: Affinity::of(&row.get::<_, String>(1)?),
        })
    };
    // Of a virtual table's columns, 1 are hidden from `*` too.
    conn.prepare_cached("SELECT name, type FROM pragma_table_xinfo(?) WHERE hidden <> 1")
        .and_then(|mut list| list.query_map([table], column)?.collect())
        .map_err(fault::answer)
}

/// How a column takes values; one that is missing is for SQLite to name.
pub(super) fn affinity(columns: &[Column], name: &str) -> Affinity {
    columns
        .iter()
        .find(|column| column.name.eq_ignore_ascii_case(name))
        .map_or(Affinity::Blob, |column| column.affinity)
}

pub(super) fn is_internal(table: &str) -> bool {
    table.starts_with(INTERNAL)
}

pub(super) fn check_table_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("table name required".into());
    }
    if is_name(name) {
        Ok(())
    } else {
        Err(format!("invalid table name: {name}"))
    }
}

pub(super) fn check_column_name(name: &str) -> Result<(), String> {
    if is_name(name) {
        Ok(())
    } else {
        Err(format!("invalid column name: {name}"))
    }
}

/// A checked name as SQL that can be nothing else.
pub(super) fn quoted(name: &str) -> String {
    debug_assert!(is_name(name), "only checked names go into SQL");
    format!("\"{name}\"")
}

pub(super) fn no_such_table(name: &str) -> String {
    format!("SQL logic error: no such table: {name} (1)")
}

pub(super) fn no_such_column(name: &str) -> String {
    format!("SQL logic error: no such column: {name} (1)")
}

/// `^[A-Za-z_][A-Za-z0-9_]*$`, at most 64 bytes.
fn is_name(text: &str) -> bool {
    text.len() <= MAX_NAME_BYTES
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && text
            .bytes()
            .next()
            .is_some_and(|first| !first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["a", "_", "A9_", &"x".repeat(64)] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "",
            "9",
            "a b",
            "a-b",
            "é",
            "a\"",
            "a;",
            "a\0",
            "main.a",
            &"x".repeat(65),
        ] {
            assert!(!is_name(name), "{name}");
        }
    }
}
