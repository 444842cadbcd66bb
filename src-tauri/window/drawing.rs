//! What draws the window on Linux. WebKit draws with a GPU, and emulates one where there is none:
//! that takes 50 MB more, and several times the processor for all that moves. There it draws
//! itself. On X11 that is all. On Wayland it would show nothing, so what it drew is put together by
//! the emulated GPU.

#![expect(unsafe_code, reason = "WebKit reads this from the environment only")]

use std::{env, ffi::OsString, fs, path::Path};

/// What WebKit reads when it starts: nothing is drawn by a GPU, or only put together by it.
const WITHOUT: &str = "WEBKIT_DISABLE_COMPOSITING_MODE";
const DRAWS_ITSELF: &str = "WEBKIT_SKIA_ENABLE_CPU_RENDERING";
/// Where Linux has the GPUs that programs may use, what they are called there, and where the driver
/// of NVIDIA has one without.
const GPUS: &str = "/dev/dri";
const GPU: &str = "renderD";
const NVIDIA: &str = "/dev/nvidiactl";
/// Where a Wayland desktop listens that nothing in the environment names.
const USUAL: &str = "wayland-0";

/// Chooses it. To be called while the program has no other thread.
pub(super) fn choose() {
    let is_chosen = [WITHOUT, DRAWS_ITSELF]
        .iter()
        .any(|name| env::var_os(name).is_some());
    if has_gpu() || is_chosen {
        return;
    }
    let name = if is_x11(|name| env::var_os(name), Path::exists) {
        WITHOUT
    } else {
        DRAWS_ITSELF
    };
    // SAFETY: no other thread reads the environment, because there is none yet.
    unsafe { env::set_var(name, "1") };
}

fn has_gpu() -> bool {
    let is_one = |entry: fs::DirEntry| entry.file_name().to_string_lossy().starts_with(GPU);
    Path::new(NVIDIA).exists()
        || fs::read_dir(GPUS).is_ok_and(|mut all| all.any(|entry| entry.is_ok_and(is_one)))
}

/// Whether GTK will show the window on X11. Where it has the choice, it takes Wayland.
fn is_x11(variable: impl Fn(&str) -> Option<OsString>, exists: impl Fn(&Path) -> bool) -> bool {
    if let Some(wanted) = variable("GDK_BACKEND") {
        return wanted == "x11";
    }
    let usual = variable("XDG_RUNTIME_DIR").is_some_and(|dir| exists(&Path::new(&dir).join(USUAL)));
    variable("WAYLAND_DISPLAY").is_none() && !usual
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x11_is_where_nothing_says_wayland() {
        let x11 = |set: &[(&str, &str)], there: &str| {
            is_x11(
                |name| {
                    let found = set.iter().find(|(known, _)| *known == name);
                    found.map(|(_, value)| OsString::from(value))
                },
                |path| path == Path::new(there),
            )
        };
        let run = ("XDG_RUNTIME_DIR", "/run/user/1");
        assert!(x11(&[("DISPLAY", ":0")], ""));
        assert!(x11(&[("DISPLAY", ":0"), run], ""));
        assert!(x11(&[("GDK_BACKEND", "x11"), ("WAYLAND_DISPLAY", "w")], ""));
        for set in [
            &[("WAYLAND_DISPLAY", "w"), ("DISPLAY", ":0")][..],
            &[("GDK_BACKEND", "wayland"), ("DISPLAY", ":0")],
            &[("GDK_BACKEND", "wayland,x11"), ("DISPLAY", ":0")],
        ] {
            assert!(!x11(set, ""), "{set:?}");
        }
        assert!(!x11(&[("DISPLAY", ":0"), run], "/run/user/1/wayland-0"));
    }
}
