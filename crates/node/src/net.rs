//! This host in its networks: its interfaces and addresses, its connections, and what an address
//! says.

pub(crate) mod addresses;
pub(crate) mod connections;
pub(crate) mod households;
pub(crate) mod interfaces;
pub(crate) mod ip;
pub(crate) mod network;
pub(crate) mod sleep;
pub(crate) mod twin;
