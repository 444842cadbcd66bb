//! What draws the window on Linux. WebKit draws with a GPU, and emulates one where there is none:
//! that takes more memory, and several times the processor for all that moves. There it draws
//! itself, and only what it drew is put together by the emulated one. Without that one, too, it
//! shows nothing on Wayland.

#![expect(unsafe_code, reason = "WebKit reads this from the environment only")]

use std::{env, fs, path::Path};

/// What WebKit reads when it starts.
const DRAWS_ITSELF: &str = "WEBKIT_SKIA_ENABLE_CPU_RENDERING";
/// Where Linux has the GPUs that programs may use, what they are called there, and where the driver
/// of NVIDIA has one without.
const GPUS: &str = "/dev/dri";
const GPU: &str = "renderD";
const NVIDIA: &str = "/dev/nvidiactl";

/// Chooses it. To be called while the program has no other thread.
pub(super) fn choose() {
    if has_gpu() || env::var_os(DRAWS_ITSELF).is_some() {
        return;
    }
    // SAFETY: no other thread reads the environment, because there is none yet.
    unsafe { env::set_var(DRAWS_ITSELF, "1") };
}

fn has_gpu() -> bool {
    let is_one = |entry: fs::DirEntry| entry.file_name().to_string_lossy().starts_with(GPU);
    Path::new(NVIDIA).exists()
        || fs::read_dir(GPUS).is_ok_and(|mut all| all.any(|entry| entry.is_ok_and(is_one)))
}
