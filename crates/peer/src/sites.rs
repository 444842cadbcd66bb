//! Sites: `serve` answers visitors from this peer's folder, `visit` fetches from others.

pub(crate) mod io;
pub(crate) mod page;
mod rate;
pub(crate) mod serve;
pub(crate) mod tables;
pub(crate) mod visit;
