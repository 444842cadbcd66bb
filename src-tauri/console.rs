//! A program with a window has no console on Windows, not even the one it was called from. So that
//! the subcommands print there too, it is asked for; and who started Goop2 by a double click and
//! gets no window is told why in a box.

#![expect(unsafe_code, reason = "the system is called directly")]

use windows::{
    Win32::{
        System::Console::{ATTACH_PARENT_PROCESS, AttachConsole},
        UI::WindowsAndMessaging::{MB_ICONERROR, MessageBoxW},
    },
    core::{HSTRING, w},
};

/// Whether there is one to print to.
pub(crate) fn attach() -> bool {
    // SAFETY: no pointers, and nothing printed before.
    unsafe { AttachConsole(ATTACH_PARENT_PROCESS) }.is_ok()
}

/// Shows why there is no window, and waits until it was read.
pub(crate) fn tell(reason: &str) {
    // SAFETY: both texts outlive the call.
    unsafe {
        MessageBoxW(None, &HSTRING::from(reason), w!("Goop2"), MB_ICONERROR);
    }
}
