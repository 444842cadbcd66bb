//! What the tests that drive the built program share: a running peer, a visitor's HTTP, and a
//! laboratory of network namespaces.

#![allow(dead_code, reason = "each test program uses its part of this")]

pub(crate) mod http;
pub(crate) mod lab;
pub(crate) mod peer;
pub(crate) mod promise;

use std::time::Duration;

/// The middle one; the tests that ask never ask about nothing.
pub(crate) fn median<T: Ord + Copy>(figures: &[T]) -> T {
    let mut sorted = figures.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

pub(crate) fn millis(time: Duration) -> String {
    format!("{:.0} ms", time.as_secs_f64() * 1000.0)
}
