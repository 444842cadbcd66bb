//! This host in its networks: its interfaces and addresses, and what an address says.

pub(crate) mod addresses;
pub(crate) mod interfaces;
pub(crate) mod ip;
