//! The last lines of the log, for the page that shows them.
//!
//! There is one log for the process, like the subscriber that fills it: it also has what happens
//! before a peer starts and what stops it.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use goop2_proto::time::unix_millis;

use crate::api::log::{LogLevel, LogLine};

/// Lines kept: a busy quarter of an hour. With [`MAX_TEXT`] bytes each, 4 MB in all.
pub const MAX_LINES: usize = 2000;
/// Bytes kept of one line; the rest is cut off.
pub const MAX_TEXT: usize = 2048;

static LINES: Mutex<Lines> = Mutex::new(Lines {
    next: 0,
    kept: VecDeque::new(),
});

struct Lines {
    next: u64,
    kept: VecDeque<LogLine>,
}

/// Adds a line, and drops the oldest beyond [`MAX_LINES`].
pub fn add(level: LogLevel, target: &str, mut text: String) {
    if text.len() > MAX_TEXT {
        text.truncate(text.floor_char_boundary(MAX_TEXT));
    }
    let at = unix_millis(SystemTime::now());
    let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    let seq = lines.next;
    lines.next += 1;
    if lines.kept.len() == MAX_LINES {
        lines.kept.pop_front();
    }
    lines.kept.push_back(LogLine {
        seq,
        at,
        level,
        target: target.into(),
        text,
    });
}

/// The lines from number `seq` on, oldest first.
pub fn since(seq: u64) -> Vec<LogLine> {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    let start = lines.kept.partition_point(|line| line.seq < seq);
    lines.kept.range(start..).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_kept_and_returned_from_a_number_on() {
        for at in 0..MAX_LINES + 10 {
            add(LogLevel::Info, "test", format!("line {at}"));
        }
        let all = since(0);
        assert_eq!(all.len(), MAX_LINES);
        let last = all.last().unwrap();
        assert_eq!(last.text, format!("line {}", MAX_LINES + 9));
        assert!(all.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq));
        assert_eq!(since(last.seq), std::slice::from_ref(last));
        assert!(since(last.seq + 1).is_empty());
        add(LogLevel::Warn, "test", "é".repeat(MAX_TEXT));
        assert!(since(last.seq + 1)[0].text.len() <= MAX_TEXT);
    }
}
