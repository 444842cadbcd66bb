//! Archives of templates: whatever comes out of one stays within a folder, and within the bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|archive: &[u8]| {
    let Ok(files) = goop2_store::archive::read(archive) else {
        return;
    };
    for file in files {
        assert!(!file.path.starts_with('/') && !file.path.contains('\\'));
        assert!(file.path.split('/').all(|name| !matches!(name, "" | "." | "..")));
    }
});
