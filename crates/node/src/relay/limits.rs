//! What a relay may be used for, and how much of it.

use std::time::Duration;

/// How much the relay and each of its peers may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one circuit, both ways; 0 = no limit. A rate bounds what a relay carries; a limit
    /// in bytes only cuts off large downloads, in the middle.
    pub circuit_bytes: u64,
    /// Longest life of a circuit; after that the peer dials again.
    pub circuit: Duration,
    /// Circuits at a time; some 20 KB each, and at worst the windows of two streams.
    pub circuits: usize,
    /// Circuits that one peer may take part in when it opens another.
    pub circuits_per_peer: usize,
    /// Reservations at a time.
    pub reservations: usize,
    /// Those of one peer: two transports, and connections lost without a word.
    pub reservations_per_peer: usize,
    /// Bytes a second in all; 0 = no limit. The default is a line of 1 Gbit/s.
    pub bytes_per_second: u64,
    /// Bytes a second that one peer sends and receives; 0 = no limit. The default is a fifth of
    /// that line.
    pub bytes_per_second_per_peer: u64,
    /// How long a peer keeps its connections after it has left the rendezvous: its server or line
    /// may be back soon.
    pub grace: Duration,
}

/// Connections beyond one for each reservation and circuit: those who only ask, and the second
/// ones.
const MORE_CONNECTIONS: usize = 2048;

impl Limits {
    /// Connections at a time.
    pub(super) fn connections(&self) -> usize {
        self.reservations
            .saturating_add(self.circuits)
            .saturating_add(MORE_CONNECTIONS)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            circuit_bytes: 0,
            circuit: Duration::from_secs(6 * 60 * 60),
            circuits: 1024,
            circuits_per_peer: 64,
            reservations: 1024,
            reservations_per_peer: 4,
            bytes_per_second: 125_000_000,
            bytes_per_second_per_peer: 25_000_000,
            grace: Duration::from_secs(120),
        }
    }
}
