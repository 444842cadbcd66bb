//! Who is online here, and who is told.

pub(crate) mod feed;
pub(crate) mod hub;
pub(crate) mod members;
pub(crate) mod outbox;
pub(crate) mod persist;
pub(crate) mod subscriber;
pub(crate) mod table;
