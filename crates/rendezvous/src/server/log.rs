//! The last things that happened, for the administrator (§6.5).

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

/// Lines kept, as existing servers keep them.
const MAX_LINES: usize = 500;
const DAY: i64 = 24 * 60 * 60;

#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<VecDeque<String>>);

impl Log {
    /// One line, with the time of day in UTC before it.
    pub(crate) fn add(&self, unix_millis: i64, text: impl AsRef<str>) {
        let second = unix_millis.div_euclid(1000).rem_euclid(DAY);
        let line = format!(
            "[{:02}:{:02}:{:02}] {}",
            second / 3600,
            second / 60 % 60,
            second % 60,
            text.as_ref()
        );
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == MAX_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// Oldest first.
    pub(crate) fn lines(&self) -> Vec<String> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_with_their_time() {
        let log = Log::default();
        log.add(1_770_465_600_123, "first");
        assert_eq!(log.lines(), ["[12:00:00] first"]);
        for _ in 0..MAX_LINES {
            log.add(0, "later");
        }
        assert_eq!(log.lines().len(), MAX_LINES);
        assert_eq!(log.lines()[0], "[00:00:00] later");
    }
}
