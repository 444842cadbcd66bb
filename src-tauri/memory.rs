//! What the C library does with memory that is free again.

#![expect(unsafe_code, reason = "the library is called directly")]

/// How much of it each of its heaps keeps, in bytes. By default 128 KiB: less than a file under way
/// takes and gives, so the system would be asked for each piece anew, and transfers are a tenth to
/// a third slower.
const KEPT: libc::c_int = 4 * 1024 * 1024;

/// Before there are threads.
pub(crate) fn keep() {
    // SAFETY: no pointers, and nobody else calls it meanwhile.
    let set = unsafe { libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT) };
    debug_assert_eq!(set, 1, "it is a setting the library knows");
}
