//! Any path: what may open a file stays in the site, on every platform, and is clean.
#![no_main]

use goop2_proto::{SitePath, path::Platform};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|request: &str| {
    for platform in Platform::ALL {
        let Ok(path) = SitePath::parse_for(request, platform) else {
            continue;
        };
        let text = path.as_str();
        assert!(!text.contains(['\0', '\n']));
        let windows = platform == Platform::Windows;
        assert!(!windows || !text.contains(['\\', ':']));
        for component in text.split('/') {
            assert!(
                !component.is_empty()
                    && (!component.starts_with('.') || text.starts_with(".well-known"))
                    && (!windows || !component.ends_with(['.', ' ']))
            );
        }
        assert!(
            text.split('/')
                .next()
                .is_some_and(|first| !first.eq_ignore_ascii_case("lua"))
        );
        assert_eq!(SitePath::absolute(text, platform), Ok(Some(path)));
    }
});
