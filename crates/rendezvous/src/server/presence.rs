//! Who is online, and how subscribers learn of it.

pub(crate) mod feed;
pub(crate) mod hub;
pub(crate) mod members;
mod memory;
pub(crate) mod outbox;
pub(crate) mod subscriber;
pub(crate) mod table;
mod twin;
