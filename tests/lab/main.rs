//! Two machines on one network, or on two with a rendezvous between them: how fast they meet, that
//! they always do, that strangers do not, and what survives when the network or a peer does not.
//! Each test prints its figures.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "../support/mod.rs"]
mod support;

mod change;
mod meet;
mod part;
mod proxy;
mod reach;
mod rendezvous;
mod visit;
mod windows;

use std::{
    sync::{PoisonError, RwLock},
    time::Duration,
};

/// Tests that measure do not share two processors with any other; those run side by side.
static MEASURING: RwLock<()> = RwLock::new(());

fn inside(test: &str, body: impl FnOnce()) {
    let _beside = MEASURING.read().unwrap_or_else(PoisonError::into_inner);
    support::lab::inside(test, body);
}

fn inside_alone(test: &str, body: impl FnOnce()) {
    let _alone = MEASURING.write().unwrap_or_else(PoisonError::into_inner);
    support::lab::inside(test, body);
}

/// Long enough for anything that works at all; what must be fast is measured.
const PATIENCE: Duration = Duration::from_secs(20);
