//! Who gets in: the addresses the viewer listens on, the origin a request is for, whether its
//! sender may make it, and the user's token. Nothing here answers a request.

pub(crate) mod guard;
pub(crate) mod listen;
pub(crate) mod origin;
pub mod ports;
pub(crate) mod refusal;
pub(crate) mod token;
