//! Who may be seen here (§6.8): the place where registration joins. Without it everyone may.

use goop2_proto::rendezvous::Accepted;

/// Whether a message is stored and told; existing peers are answered 204 either way.
#[derive(Debug, Default)]
pub(crate) struct Gate;

impl Gate {
    pub(crate) fn admits(&self, _message: &Accepted) -> bool {
        true
    }

    /// The body of `/registrations.json`.
    pub(crate) fn list(&self) -> String {
        "[]".into()
    }
}
