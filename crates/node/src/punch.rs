//! Hole punching past routers that take another port for each destination: what two sides say and
//! do (`protocol`), who does it when (`punching`), and where a relay sees them (`seen`).

pub(crate) mod protocol;
pub(crate) mod punching;
pub(crate) mod seen;
