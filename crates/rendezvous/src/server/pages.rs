//! The pages for people.

pub(crate) mod admin;
pub(crate) mod public;
pub(crate) mod register;
