//! Ports for tests that must name a port before anything listens on it. Binding to port 0 and
//! giving that port back would leave it to whoever asks the system next, another test included.

use std::{
    net::{Ipv4Addr, TcpListener},
    process,
    sync::atomic::{AtomicU16, Ordering},
};

/// Below the ports that systems hand out on their own (32768 and up on Linux, 49152 elsewhere).
const FIRST: u16 = 10_000;
/// Test programs that run at the same time have process IDs that differ by less than this.
const PROCESSES: u16 = 200;
/// Ports for each of them.
const EACH: u16 = 100;

/// A port that nothing listens on, and that no other test is given.
pub(crate) fn unused() -> u16 {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    let process = u16::try_from(process::id() % u32::from(PROCESSES)).expect("it is below 200");
    let next = || FIRST + process * EACH + GIVEN.fetch_add(1, Ordering::Relaxed) % EACH;
    (0..EACH)
        .map(|_| next())
        .find(|port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok())
        .expect("one of a hundred ports is unused")
}
