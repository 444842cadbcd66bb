//! Reaching other peers.
//!
//! - `reaching` decides who is dialed how, with the addresses of `address_book`, at the pace of
//!   `dialer`; `attempt` is one of its attempts.
//! - `caution` says which addresses are dialed before the user wants to visit a peer.
//! - `upgrades` gets from relayed connections to direct ones.
//! - `history` remembers what was tried, and `superseded` refuses dials that were too slow.

pub(crate) mod address_book;
pub(crate) mod attempt;
pub(crate) mod caution;
pub(crate) mod dialer;
pub(crate) mod history;
pub(crate) mod reaching;
pub(crate) mod superseded;
pub(crate) mod upgrades;
