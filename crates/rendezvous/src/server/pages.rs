//! The pages for people.

pub(crate) mod admin;
pub(crate) mod assets;
pub(crate) mod docs;
pub(crate) mod public;
pub(crate) mod register;
