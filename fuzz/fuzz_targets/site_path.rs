//! Any path: what may open a file stays in the site, on every platform, and is clean.
#![no_main]

use goop2_proto::SitePath;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|request: &str| {
    if let Ok(path) = SitePath::parse(request) {
        let text = path.as_str();
        assert!(!text.contains(['\\', ':', '\0', '\n']));
        for component in text.split('/') {
            assert!(
                !component.is_empty()
                    && !component.starts_with('.')
                    && !component.ends_with(['.', ' '])
            );
        }
        assert!(
            text.split('/')
                .next()
                .is_some_and(|first| !first.eq_ignore_ascii_case("lua"))
        );
        assert_eq!(SitePath::parse(&format!("/{text}")), Ok(path));
    }
});
