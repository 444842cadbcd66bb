//! Reaching other peers: whom to dial and when, and what came of it.

pub(crate) mod dialer;
pub(crate) mod history;
pub(crate) mod superseded;
