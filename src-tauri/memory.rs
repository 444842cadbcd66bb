//! What the program keeps of memory that it does not need now: what the C library does with freed
//! memory, and how much of the program itself stays mapped.

#![expect(unsafe_code, reason = "the library is called directly")]

use std::{
    fs,
    ops::Range,
    sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    thread::{self, JoinHandle},
    time::Duration,
};

/// How much of it each heap keeps at its end, in bytes. The default of 128 KiB is less than a file
/// transfer allocates and frees, so every piece would need system calls, and transfers would be a
/// tenth to a third slower.
const KEPT: usize = 4 * 1024 * 1024;

/// Free memory between what is in use, in bytes, that is worth giving back: one long-lived
/// allocation at the end of a heap keeps everything before it.
const SCATTERED: usize = 16 * 1024 * 1024;

/// What is in use may differ by so many bytes between two looks at a program that is idle.
const STIR: usize = 64 * 1024;

/// How often it is looked for. A crowd is gone for longer when others miss its memory.
const LOOK: Duration = Duration::from_secs(10);

/// Gives back what is free, until it is dropped.
pub(crate) struct Keeper {
    over: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Must be called before there are threads.
pub(crate) fn keep() -> Keeper {
    // SAFETY: no pointers, and nothing else calls it at the same time.
    let set = unsafe { libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT as libc::c_int) };
    debug_assert_eq!(set, 1, "it is a setting the library knows");
    let (over, ends) = sync_channel::<()>(0);
    let look = move || {
        let mut watch = Watch::new(figures());
        while let Err(RecvTimeoutError::Timeout) = ends.recv_timeout(LOOK) {
            let gives = watch.look(figures());
            match gives {
                Give::Nothing => {}
                Give::Scattered => give_back(KEPT),
                Give::All => {
                    give_back(0);
                    unmap_program();
                }
            }
            watch.given(&gives, figures());
        }
    };
    let thread = thread::Builder::new().name("memory".into()).spawn(look);
    Keeper {
        over: Some(over),
        // Without one, more stays in use than must.
        thread: thread.ok(),
    }
}

/// Bytes in the heaps.
#[derive(Clone, Copy)]
struct Figures {
    used: usize,
    /// Allocated from the system and in use by nothing. What was given back still counts, as it is
    /// still set aside.
    free: usize,
}

fn figures() -> Figures {
    // SAFETY: reads figures of the library, under its own locks.
    let all = unsafe { libc::mallinfo2() };
    Figures {
        used: all.uordblks,
        free: all.fordblks,
    }
}

#[derive(Debug, PartialEq)]
enum Give {
    Nothing,
    Scattered,
    /// What the next transfer would want, too, and what only the start needed.
    All,
}

/// Decides, each time it looks, what is given back.
struct Watch {
    used: usize,
    /// Something has happened since everything was given back.
    stirred: bool,
    given_back: usize,
}

impl Watch {
    fn new(now: Figures) -> Self {
        Self {
            used: now.used,
            stirred: true,
            given_back: now.free,
        }
    }

    fn look(&mut self, now: Figures) -> Give {
        let stirs = self.used.abs_diff(now.used) >= STIR;
        self.used = now.used;
        if self.stirred && !stirs {
            self.stirred = false;
            return Give::All;
        }
        self.stirred |= stirs;
        if now.free > self.given_back + SCATTERED {
            return Give::Scattered;
        }
        Give::Nothing
    }

    /// What is free afterwards.
    fn given(&mut self, gave: &Give, now: Figures) {
        self.given_back = match gave {
            Give::Nothing => self.given_back.min(now.free),
            Give::Scattered | Give::All => now.free,
        };
    }
}

fn give_back(kept: usize) {
    // SAFETY: only pages that nothing uses are given back, under the library's own locks.
    unsafe { libc::malloc_trim(kept) };
}

/// A start uses most of the program once. What is used again is mapped again, from the system's copy
/// of the file; the rest no longer counts as in use when the system needs memory for something
/// else. Not in a build with debug assertions: breakpoints would be gone.
fn unmap_program() {
    let within = keep as *const () as usize;
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    if let Some(program) = program_in(&maps, within)
        && !cfg!(debug_assertions)
    {
        let start = std::ptr::without_provenance_mut(program.start);
        // SAFETY: nothing writes into these pages of the file, so one that is mapped again has the same.
        unsafe { libc::madvise(start, program.len(), libc::MADV_DONTNEED) };
    }
}

/// Where the code that is at this address is mapped, with the constants right before it. What comes
/// after it was written to when the program was loaded.
fn program_in(maps: &str, at: usize) -> Option<Range<usize>> {
    let mut constants = None;
    for line in maps.lines() {
        let mut fields = line.split_ascii_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let address = |text| usize::from_str_radix(text, 16).ok();
        let (start, end) = (address(start)?, address(end)?);
        match (fields.next()?, fields.next()?) {
            ("r-xp", _) if (start..end).contains(&at) => {
                let first = constants.filter(|before: &Range<usize>| before.end == start);
                return Some(first.map_or(start, |before| before.start)..end);
            }
            ("r--p", "00000000") => constants = Some(start..end),
            _ => {}
        }
    }
    None
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.over.take());
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, nothing is lost.
            let _ended = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: usize = 1024 * 1024;

    /// What a watch gives at these looks, by bytes used and free, in MB; nothing is free afterwards
    /// that was given back.
    fn gives(looks: &[(usize, usize)]) -> Vec<Give> {
        let mut watch = Watch::new(Figures { used: 0, free: 0 });
        let at = |&(used, free): &(usize, usize)| Figures {
            used: used * MB,
            free: free * MB,
        };
        looks
            .iter()
            .map(|look| {
                let gave = watch.look(at(look));
                watch.given(&gave, at(look));
                gave
            })
            .collect()
    }

    #[test]
    fn everything_is_given_back_once_after_each_time_that_something_happened() {
        let looks = [(9, 1), (9, 1), (9, 1), (12, 1), (14, 1), (14, 1), (14, 1)];
        let all = [1, 5];
        for (look, gave) in gives(&looks).into_iter().enumerate() {
            let wanted = if all.contains(&look) {
                Give::All
            } else {
                Give::Nothing
            };
            assert_eq!(gave, wanted, "look {look}");
        }
    }

    #[test]
    fn what_a_crowd_leaves_is_given_back_while_others_go_on() {
        let looks = [(90, 1), (20, 71), (30, 61), (40, 78), (50, 95)];
        let gave = gives(&looks);
        assert_eq!(gave[1], Give::Scattered);
        // Of what is free again after it was given back, the next so much.
        assert_eq!(gave[2..], [Give::Nothing, Give::Scattered, Give::Scattered]);
    }

    #[test]
    fn the_program_is_its_code_and_the_constants_before_it() {
        let maps = "\
            1000-2000 r--p 00000000 08:01 7 /lib/other\n\
            2000-3000 r-xp 00001000 08:01 7 /lib/other\n\
            5000-8000 r--p 00000000 08:01 9 /bin/goop2\n\
            8000-c000 r-xp 00003000 08:01 9 /bin/goop2\n\
            c000-d000 r--p 00007000 08:01 9 /bin/goop2\n\
            d000-e000 rw-p 00008000 08:01 9 /bin/goop2\n";
        assert_eq!(program_in(maps, 0x9000), Some(0x5000..0xc000));
        assert_eq!(program_in(maps, 0x2fff), Some(0x1000..0x3000));
        assert_eq!(program_in(maps, 0xd500), None);
        assert_eq!(program_in("not a line", 0x9000), None);
        let own = fs::read_to_string("/proc/self/maps").unwrap();
        let at = keep as *const () as usize;
        assert!(program_in(&own, at).unwrap().contains(&at));
    }
}
