//! `/goop/data/1.0.0` (§4.3, §5): one JSON request line, one JSON answer line.
//!
//! This module knows the lines, not what the operations mean: every key of every operation is a
//! field of one [`Request`], as on the wire, and `store` decides which of them an operation looks
//! at.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    exact,
    go_json::{self, fold, read},
};

/// The name under which the protocol is negotiated.
pub const PROTOCOL: &str = "/goop/data/1.0.0";
/// Longest request line accepted (§4 weakness 1).
pub const MAX_REQUEST: usize = 1024 * 1024;
/// Longest answer line accepted (§4 weakness 6).
pub const MAX_RESPONSE: usize = 16 * 1024 * 1024;
/// Characters of a write's id: enough that nobody guesses one, few enough to remember thousands.
const WRITE_ID: std::ops::RangeInclusive<usize> = 16..=64;

/// The request object of §5.1, decoded as Go does: unknown keys ignored, keys case-insensitive,
/// `null` = absent, a wrong type is an error. Unlike there, what would not arrive exactly is an
/// error too ([`exact::problem`]).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the keys of §5.1 under their own names")]
pub struct Request {
    pub op: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub table: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub data: Map<String, Value>,
    #[serde(skip_serializing_if = "is_zero")]
    pub id: i64,
    #[serde(rename = "where", skip_serializing_if = "String::is_empty")]
    pub where_: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub column_defs: Vec<ColumnDef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<ColumnDef>,
    #[serde(skip_serializing_if = "is_zero")]
    pub limit: i64,
    #[serde(skip_serializing_if = "is_zero")]
    pub offset: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub old_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub new_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub function: String,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub params: Map<String, Value>,
    /// What existing peers do not know, and ignore.
    #[serde(rename = "goop2", skip_serializing_if = "Option::is_none")]
    pub extra: Option<Extra>,
}

/// The member `goop2` of a request (protocol-v2.md, Data). A receiver that knows it says so in its
/// answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Extra {
    /// Whether the sender reads marked BLOBs.
    #[serde(skip_serializing_if = "is_false")]
    pub blobs: bool,
    /// Names one write of one peer, however often it is sent: 16 to 64 letters, digits, `-` or
    /// `_`; empty = none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub write: String,
}

/// A column as the schema operations name it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ColumnDef {
    /// The column's name.
    pub name: String,
    /// Raw SQL.
    #[serde(rename = "type")]
    pub type_: String,
    /// Whether it refuses NULL.
    #[serde(skip_serializing_if = "is_false")]
    pub not_null: bool,
    /// Raw SQL; empty = none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub default: String,
}

/// A line that is not a message of this protocol; the text goes back to the caller as it is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid json: {0}")]
pub struct Invalid(pub String);

impl Request {
    /// Whether the operation changes nothing, so that it may be asked twice.
    pub fn only_reads(&self) -> bool {
        matches!(self.op.as_str(), "query" | "tables" | "describe")
    }

    /// Whether the operation changes a row, so that a [write id](Extra::write) counts.
    pub fn writes_a_row(&self) -> bool {
        matches!(self.op.as_str(), "insert" | "update" | "delete")
    }

    /// Whether the sender reads marked BLOBs.
    pub fn marks_blobs(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| extra.blobs)
    }

    /// The id under which a write is remembered, if it has one.
    pub fn write_id(&self) -> Option<&str> {
        let id = &self.extra.as_ref()?.write;
        (self.writes_a_row() && !id.is_empty()).then_some(id)
    }

    /// Reads one line, its LF included or not.
    pub fn decode(line: &[u8]) -> Result<Self, Invalid> {
        bounded(line, MAX_REQUEST)?;
        if let Some(problem) = exact::problem(line) {
            return Err(Invalid(problem));
        }
        go_json::object(line)
            .and_then(Self::from_members)
            .map_err(Invalid)
    }

    /// Reads the members of an object already parsed, by the same rules.
    pub fn from_value(value: Value) -> Result<Self, Invalid> {
        let members = go_json::members(value).ok_or_else(|| Invalid("not an object".into()))?;
        Self::from_members(members).map_err(Invalid)
    }

    /// One line, LF included; empty fields left out.
    pub fn encode(&self) -> Vec<u8> {
        line(self)
    }

    fn from_members(members: Map<String, Value>) -> Result<Self, String> {
        let mut request = Self::default();
        for (key, value) in members {
            let r = &mut request;
            match fold(&key).as_str() {
                "op" => read(&mut r.op, "op", value, go_json::text),
                "table" => read(&mut r.table, "table", value, go_json::text),
                "name" => read(&mut r.name, "name", value, go_json::text),
                "data" => read(&mut r.data, "data", value, go_json::members),
                "id" => read(&mut r.id, "id", value, go_json::integer),
                "where" => read(&mut r.where_, "where", value, go_json::text),
                "args" => read(&mut r.args, "args", value, go_json::list),
                "columns" => read(&mut r.columns, "columns", value, go_json::texts),
                "column_defs" => ColumnDef::read_list(value).map(|defs| r.column_defs = defs),
                "column" => ColumnDef::read(value).map(|def| r.column = def),
                "limit" => read(&mut r.limit, "limit", value, go_json::integer),
                "offset" => read(&mut r.offset, "offset", value, go_json::integer),
                "old_name" => read(&mut r.old_name, "old_name", value, go_json::text),
                "new_name" => read(&mut r.new_name, "new_name", value, go_json::text),
                "function" => read(&mut r.function, "function", value, go_json::text),
                "params" => read(&mut r.params, "params", value, go_json::members),
                "goop2" => Extra::read(value).map(|extra| r.extra = extra),
                _ => Ok(()),
            }?;
        }
        Ok(request)
    }
}

impl Extra {
    fn read(value: Value) -> Result<Option<Self>, String> {
        if value.is_null() {
            return Ok(None);
        }
        let mut extra = Self::default();
        for (key, value) in go_json::members(value).ok_or("wrong type for goop2")? {
            match fold(&key).as_str() {
                "blobs" => read(&mut extra.blobs, "goop2's blobs", value, go_json::boolean)?,
                "write" => read(&mut extra.write, "goop2's write", value, go_json::text)?,
                _ => {}
            }
        }
        let plain = |c: u8| c.is_ascii_alphanumeric() || b"-_".contains(&c);
        let valid = WRITE_ID.contains(&extra.write.len()) && extra.write.bytes().all(plain);
        if extra.write.is_empty() || valid {
            Ok(Some(extra))
        } else {
            Err("goop2's write is not an id".into())
        }
    }
}

impl ColumnDef {
    fn read(value: Value) -> Result<Option<Self>, String> {
        if value.is_null() {
            return Ok(None);
        }
        let mut def = Self::default();
        for (key, value) in go_json::members(value).ok_or("wrong type for a column")? {
            match fold(&key).as_str() {
                "name" => read(&mut def.name, "a column's name", value, go_json::text),
                "type" => read(&mut def.type_, "a column's type", value, go_json::text),
                "not_null" => read(
                    &mut def.not_null,
                    "a column's not_null",
                    value,
                    go_json::boolean,
                ),
                "default" => read(&mut def.default, "a column's default", value, go_json::text),
                _ => Ok(()),
            }?;
        }
        Ok(Some(def))
    }

    fn read_list(value: Value) -> Result<Vec<Self>, String> {
        let mut list = Vec::new();
        read(&mut list, "column_defs", value, go_json::list)?;
        list.into_iter()
            .map(|value| Self::read(value).map(Option::unwrap_or_default))
            .collect()
    }
}

/// The answer: the value, or the error text of §5.4. `Ok(None)` leaves `data` out.
pub type Answer = Result<Option<Value>, String>;

/// `{"ok":true,"data":…}` or `{"ok":false,"error":…}` and LF, escaped as Go does. The value's keys
/// keep their order: rows and small results are maps in Go, so the builder sorts their
/// keys; `tables` and `describe` are structs.
pub fn encode_answer(answer: &Answer) -> Vec<u8> {
    encode_reply(answer, false)
}

/// As [`encode_answer`]. `understood`: the request had a member `goop2`, and the answer says that
/// it was understood.
pub fn encode_reply(answer: &Answer, understood: bool) -> Vec<u8> {
    #[derive(Serialize)]
    struct Wire<'a> {
        ok: bool,
        #[serde(skip_serializing_if = "is_false")]
        goop2: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<&'a Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
    }
    line(&match answer {
        Ok(data) => Wire {
            ok: true,
            goop2: understood,
            data: data.as_ref(),
            error: None,
        },
        Err(error) => Wire {
            ok: false,
            goop2: understood,
            data: None,
            error: Some(error),
        },
    })
}

/// Both generations' answers are understood; one that gives no reason for its error has an empty
/// one.
pub fn decode_answer(line: &[u8]) -> Result<Answer, Invalid> {
    decode_reply(line).map(|(answer, _)| answer)
}

/// As [`decode_answer`], with whether the peer understood the member `goop2` of the request.
pub fn decode_reply(line: &[u8]) -> Result<(Answer, bool), Invalid> {
    bounded(line, MAX_RESPONSE)?;
    let (mut ok, mut data, mut error) = (false, None, String::new());
    let mut understood = false;
    for (key, value) in go_json::object(line).map_err(Invalid)? {
        match fold(&key).as_str() {
            "ok" => read(&mut ok, "ok", value, go_json::boolean).map_err(Invalid)?,
            "error" => read(&mut error, "error", value, go_json::text).map_err(Invalid)?,
            "data" => data = Some(value),
            "goop2" => understood = value == Value::Bool(true),
            _ => {}
        }
    }
    Ok((if ok { Ok(data) } else { Err(error) }, understood))
}

/// The columns in an answer to `describe`: Feb's array as it is, HEAD's object by its `columns`
/// (§5.6).
pub fn describe_columns(data: &Value) -> Option<&Vec<Value>> {
    data.as_array().or_else(|| data.get("columns")?.as_array())
}

fn line(message: &impl Serialize) -> Vec<u8> {
    let mut line = go_json::to_vec(message);
    line.push(b'\n');
    line
}

fn bounded(line: &[u8], max: usize) -> Result<(), Invalid> {
    if line.len() > max {
        Err(Invalid(format!("longer than {max} bytes")))
    } else {
        Ok(())
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}
