//! What the C library does with freed memory.

#![expect(unsafe_code, reason = "the library is called directly")]

use std::{
    sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel},
    thread::{self, JoinHandle},
    time::Duration,
};

/// How much of it each heap keeps at its end, in bytes. The default of 128 KiB is less than a file
/// transfer allocates and frees, so every piece would need system calls, and transfers would be a
/// tenth to a third slower.
const KEPT: libc::c_int = 4 * 1024 * 1024;

/// How many heaps there are at most. Each may keep that much after a crowd is gone, and the default
/// is eight for each core. Threads that share one hardly wait for each other: they keep small
/// allocations to themselves, and large ones are few.
const HEAPS: libc::c_int = 4;

/// Free memory between what is in use, in bytes, that is worth giving back: one long-lived
/// allocation at the end of a heap keeps everything before it.
const SCATTERED: usize = 16 * 1024 * 1024;

/// How often it is looked for. A crowd is gone for longer when others miss its memory.
const LOOK: Duration = Duration::from_secs(10);

/// After how many looks it is given back even if no more is free than after the last time: a crowd
/// may have used it again in between, and gone.
const ALL_AGAIN: usize = 6;

/// Gives back what is free, until it is dropped.
pub(crate) struct Keeper {
    over: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Must be called before there are threads.
pub(crate) fn keep() -> Keeper {
    for (setting, value) in [(libc::M_TRIM_THRESHOLD, KEPT), (libc::M_ARENA_MAX, HEAPS)] {
        // SAFETY: no pointers, and nothing else calls it at the same time.
        let set = unsafe { libc::mallopt(setting, value) };
        debug_assert_eq!(set, 1, "it is a setting the library knows");
    }
    let (over, ends) = sync_channel::<()>(0);
    let look = move || {
        let mut given_back = free();
        for look in 1.. {
            let Err(RecvTimeoutError::Timeout) = ends.recv_timeout(LOOK) else {
                return;
            };
            if look % ALL_AGAIN == 0 {
                given_back = 0;
            }
            let free = free();
            given_back = match free.checked_sub(given_back) {
                Some(more) if more > SCATTERED => give_back(),
                Some(_) => given_back,
                None => free,
            };
        }
    };
    let thread = thread::Builder::new().name("memory".into()).spawn(look);
    Keeper {
        over: Some(over),
        // Without one, more stays in use than must.
        thread: thread.ok(),
    }
}

/// Bytes that are allocated from the system and in use by nothing. What was given back still
/// counts, as it is still set aside.
fn free() -> usize {
    // SAFETY: reads figures of the library, under its own locks.
    unsafe { libc::mallinfo2() }.fordblks
}

/// How much is free afterwards.
fn give_back() -> usize {
    // SAFETY: only pages that nothing uses are given back, under the library's own locks.
    unsafe { libc::malloc_trim(KEPT as usize) };
    free()
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
