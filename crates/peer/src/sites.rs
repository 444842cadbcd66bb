//! Sites: `serve` answers visitors from this peer's folder, `visit` asks others, and `http` is the
//! files of both.

pub(crate) mod absent;
pub(crate) mod http;
pub(crate) mod io;
pub(crate) mod owners;
mod rate;
pub(crate) mod room;
pub(crate) mod serve;
pub(crate) mod tables;
pub(crate) mod trouble;
pub(crate) mod visit;
