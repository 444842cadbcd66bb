//! Hole punching past routers that take another port for each destination: what two sides say and
//! do (`protocol`), and who does it when (`punching`).

pub(crate) mod protocol;
pub(crate) mod punching;
