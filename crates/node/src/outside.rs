//! How other networks reach this peer: what others see of it, AutoNAT, port mapping and reservations
//! at relays.

pub(crate) mod autonat;
pub(crate) mod mapping;
pub(crate) mod observed;
pub(crate) mod relays;
