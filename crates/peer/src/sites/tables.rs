//! Tables that come with a folder: `tables.json` next to `goop.json` lists those its site needs,
//! and missing ones are created. So a site can be shared as plain files, without a database.
//!
//! ```json
//! { "guestbook": { "policy": "public", "columns": [{ "name": "message", "type": "TEXT", "not_null": true }] } }
//! ```

use std::fs;

use goop2_proto::data::Request;
use goop2_store::{Caller, Folder};
use serde_json::{Map, Value, json};

use crate::error::Error;

const FILE: &str = "tables.json";

/// Creates the listed tables that do not exist yet; existing ones stay as they are.
pub(crate) fn create_missing(folder: &Folder) -> Result<(), Error> {
    let path = folder.dir().join(FILE);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refused(&path.display(), &error)),
    };
    let wanted: Map<String, Value> =
        serde_json::from_slice(&text).map_err(|error| refused(&path.display(), &error))?;
    let known =
        run(folder, json!({ "op": "tables" })).map_err(|error| refused(&path.display(), &error))?;
    let known: Vec<_> = known
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|table| table["name"].as_str())
        .collect();
    for (name, table) in wanted
        .iter()
        .filter(|(name, _)| !known.contains(&name.as_str()))
    {
        run(
            folder,
            json!({ "op": "create-table", "name": name, "column_defs": table["columns"] }),
        )
        .and_then(|_| {
            folder
                .database()
                .set_policy(name, table["policy"].as_str().unwrap_or("owner"))
        })
        .map_err(|error| refused(&path.display(), &format!("table {name}: {error}")))?;
    }
    Ok(())
}

fn run(folder: &Folder, request: Value) -> Result<Value, String> {
    let request = Request::from_value(request).map_err(|invalid| invalid.to_string())?;
    folder
        .database()
        .execute(&Caller::Local, &request)
        .map(Option::unwrap_or_default)
}

fn refused(path: &impl ToString, why: &impl ToString) -> Error {
    Error::Invalid(format!(
        "{}: {}. Correct the file, or remove it if the site needs no tables.",
        path.to_string(),
        why.to_string()
    ))
}
