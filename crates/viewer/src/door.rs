//! The way in: the addresses that are listened at, whose origin a request is for, whether its
//! sender may ask, and the token of the user. Nothing here answers anything.

pub(crate) mod guard;
pub(crate) mod listen;
pub(crate) mod origin;
pub mod ports;
pub(crate) mod refusal;
pub(crate) mod token;
