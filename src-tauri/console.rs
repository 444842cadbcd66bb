//! On Windows, a program with a window has no console, not even the one it was started from. It is
//! attached here, so that the subcommands can print; and when a double click fails to open a
//! window, a message box says why.

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

/// Shows why there is no window, and waits until the box is closed.
pub(crate) fn tell(reason: &str) {
    // SAFETY: both texts outlive the call.
    unsafe {
        MessageBoxW(None, &HSTRING::from(reason), w!("Goop2"), MB_ICONERROR);
    }
}
