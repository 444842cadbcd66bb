//! How other networks reach this peer.
//!
//! - `observed` judges the router by what others see, and `reachability` what follows from it and
//!   from the test dials of others.
//! - `autonat` has others dial this peer, to see whether they can.
//! - `mapping` asks the router for ports.
//! - `relays` keeps reservations, `relay_dials` the connections that they need.

pub(crate) mod autonat;
pub(crate) mod mapping;
pub(crate) mod observed;
pub(crate) mod reachability;
pub(crate) mod relay_dials;
pub(crate) mod relays;
