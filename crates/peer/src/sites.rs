//! Sites: what others get from this peer's folder, and what this peer gets from theirs.

pub(crate) mod io;
pub(crate) mod page;
mod rate;
pub(crate) mod serve;
pub(crate) mod tables;
pub(crate) mod visit;
