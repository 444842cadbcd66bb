//! What the C library does with freed memory.

#![expect(unsafe_code, reason = "the library is called directly")]

/// How much of it each heap keeps, in bytes. The default of 128 KiB is less than a file transfer
/// allocates and frees, so every piece would need system calls, and transfers would be a tenth to a
/// third slower.
const KEPT: libc::c_int = 4 * 1024 * 1024;

/// Must be called before there are threads.
pub(crate) fn keep() {
    // SAFETY: no pointers, and nothing else calls it at the same time.
    let set = unsafe { libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT) };
    debug_assert_eq!(set, 1, "it is a setting the library knows");
}
