//! The notices for the user, from any part of the peer: one for each code.

use tokio::sync::watch;

use crate::api::notice::Notice;

#[derive(Clone)]
pub(crate) struct Notices(watch::Sender<Vec<Notice>>);

impl Notices {
    pub(crate) fn new() -> (Self, watch::Receiver<Vec<Notice>>) {
        let (sender, receiver) = watch::channel(Vec::new());
        (Self(sender), receiver)
    }

    /// Replaces a notice with the same code.
    pub(crate) fn show(&self, notice: Notice) {
        self.0.send_if_modified(|notices| {
            if notices.contains(&notice) {
                return false;
            }
            notices.retain(|known| known.code != notice.code);
            notices.push(notice);
            true
        });
    }

    pub(crate) fn clear(&self, code: &str) {
        self.0.send_if_modified(|notices| {
            let before = notices.len();
            notices.retain(|known| known.code != code);
            notices.len() != before
        });
    }
}
