//! What the files of a peer's folder are called.

pub(crate) const CONFIG: &str = "goop.json";
pub(crate) const DATABASE: &str = "data.db";
pub(crate) const AVATAR: &str = "avatar.png";
