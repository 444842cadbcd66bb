//! The last lines of the log, kept for when the program has to say what went wrong.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use tracing_subscriber::fmt::MakeWriter;

/// Lines kept: what led to a failure, and what a person reads.
const LINES: usize = 60;
/// Longest line kept, in bytes.
const MAX_LINE: usize = 1000;

#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<VecDeque<String>>>);

impl Journal {
    /// Oldest first.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> MakeWriter<'a> for Journal {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// The subscriber writes each event at once.
impl io::Write for &Journal {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let mut lines = self.lock();
        if lines.len() == LINES {
            lines.pop_front();
        }
        let kept = &event[..event.len().min(MAX_LINE)];
        lines.push_back(String::from_utf8_lossy(kept).trim_end().to_owned());
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_last_lines_stay() {
        let journal = Journal::default();
        for line in 0..=LINES {
            let event = format!("line {line}\n");
            (&journal).write_all(event.as_bytes()).unwrap();
        }
        let lines = journal.lines();
        assert_eq!((lines.len(), &*lines[0]), (LINES, "line 1"));
    }
}
