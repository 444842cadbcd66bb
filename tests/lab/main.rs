//! Two hosts on one network, or on two with a rendezvous between them: how fast peers find each
//! other, that they always do, that strangers do not, and what survives when the network or a peer
//! fails. Each test prints its figures.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "../support/strangers.rs"]
mod strangers;
#[path = "../support/mod.rs"]
mod support;

mod change;
mod discovery;
mod leaving;
mod proxy;
mod reach;
mod rendezvous;
mod siege;
mod transfer;
mod twin;
mod visit;
mod windows;

use std::{
    sync::{PoisonError, RwLock},
    time::Duration,
};

use support::promise::measuring;

/// A test that needs both processors shares them with no other; the rest run side by side.
static ALONE: RwLock<()> = RwLock::new(());

/// A test that promises nothing in time.
fn inside(test: &str, body: impl FnOnce()) {
    if measuring() {
        return;
    }
    let _beside = ALONE.read().unwrap_or_else(PoisonError::into_inner);
    support::lab::inside(test, body);
}

/// A test that promises something in time: alone where that counts.
fn measured(test: &str, body: impl FnOnce()) {
    if measuring() {
        return inside_alone(test, body);
    }
    inside(test, body);
}

/// A test that computes so much that others running at the same time would change its result.
fn inside_alone(test: &str, body: impl FnOnce()) {
    let _alone = ALONE.write().unwrap_or_else(PoisonError::into_inner);
    support::lab::inside(test, body);
}

/// Long enough for anything that works at all; what must be fast is measured.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at something, or two attempts.
const RETRY: Duration = Duration::from_millis(50);
