//! Hole punching past routers that take another port for each destination.

pub(crate) mod protocol;
