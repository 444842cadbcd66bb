//! `/goop/data/1.0.0` (§4.3, §5): one JSON request line, one JSON answer line.

use serde_json::{Map, Value};

pub const PROTOCOL: &str = "/goop/data/1.0.0";
/// Longest request line accepted (§4 weakness 1).
pub const MAX_REQUEST: usize = 1024 * 1024;
/// Longest answer line accepted (§4 weakness 6).
pub const MAX_RESPONSE: usize = 16 * 1024 * 1024;

/// The request object of §5.1, decoded as Go does: unknown keys ignored, keys case-insensitive, `null` = absent, a wrong type is an error.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    pub op: String,
    pub table: String,
    pub name: String,
    pub data: Map<String, Value>,
    pub id: i64,
    pub where_: String,
    pub args: Vec<Value>,
    pub columns: Vec<String>,
    pub column_defs: Vec<ColumnDef>,
    pub column: Option<ColumnDef>,
    pub limit: i64,
    pub offset: i64,
    pub old_name: String,
    pub new_name: String,
    pub function: String,
    pub params: Map<String, Value>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ColumnDef {
    pub name: String,
    pub type_: String,
    pub not_null: bool,
    /// Raw SQL; empty = none.
    pub default: String,
}

#[derive(Debug, thiserror::Error)]
#[error("invalid json: {0}")]
pub struct Invalid(pub String);

impl Request {
    pub fn decode(line: &[u8]) -> Result<Self, Invalid> {
        todo!()
    }
    /// One line, LF included; empty fields left out.
    pub fn encode(&self) -> Vec<u8> {
        todo!()
    }
}

/// The answer: the value, or the error text of §5.4. `Ok(None)` leaves `data` out.
pub type Answer = Result<Option<Value>, String>;

/// `{"ok":true,"data":…}` or `{"ok":false,"error":…}` and LF, escaped and ordered as Go does (objects' keys sorted by the caller's map).
pub fn encode_answer(answer: &Answer) -> Vec<u8> {
    todo!()
}

/// Both generations' answers are understood.
pub fn decode_answer(line: &[u8]) -> Result<Answer, Invalid> {
    todo!()
}

/// The columns in an answer to `describe`: Feb's array as it is, HEAD's object by its `columns` (§5.6).
pub fn describe_columns(data: &Value) -> Option<&Vec<Value>> {
    todo!()
}
