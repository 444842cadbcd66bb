//! The keys of any browser, wherever the focus is. A site's frame has all keys while the focus is
//! in it, and the window's document hears of none; so the window takes those that are the user's
//! before any page does, and hands them to its document. A page can neither keep them nor pretend
//! them.
//!
//! On other systems than Linux they only work while the focus is outside the frame. More needs a
//! computer to try it on: WebView2 reports keys as `AcceleratorKeyPressed`, and macOS to its menu.

use serde::Serialize;
use tauri::WebviewWindow;
use ts_rs::TS;

/// What a document would have heard, in the words of its `KeyboardEvent`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub(crate) struct Key {
    pub(crate) key: String,
    pub(crate) ctrl_key: bool,
    pub(crate) alt_key: bool,
}

/// Which keys are held down together with another.
#[cfg(any(target_os = "linux", test))]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    pub(crate) ctrl: bool,
    pub(crate) alt: bool,
    pub(crate) shift: bool,
}

/// The key, if it is the user's and not the page's; what each does is the document's business
/// (`App.svelte`).
#[cfg(any(target_os = "linux", test))]
pub(crate) fn of_user(key: &str, held: Held) -> Option<Key> {
    let Held { ctrl, alt, shift } = held;
    let of_user = match key {
        "F5" => !ctrl && !alt && !shift,
        "ArrowLeft" | "ArrowRight" | "Home" => alt && !ctrl && !shift,
        // On many keyboards the plus is a shifted key.
        "+" | "=" => ctrl && !alt,
        "-" | "0" | "," | "d" | "f" | "h" | "l" | "q" | "r" | "w" => ctrl && !alt && !shift,
        _ => false,
    };
    of_user.then(|| Key {
        key: key.into(),
        ctrl_key: ctrl,
        alt_key: alt,
    })
}

/// Takes the user's keys from all pages in the window, and tells them to `heard`.
#[cfg(target_os = "linux")]
pub(super) fn take(
    window: &WebviewWindow,
    heard: impl Fn(Key) + Send + 'static,
) -> tauri::Result<()> {
    use gtk::{gdk::ModifierType, glib::Propagation, prelude::*};

    window.with_webview(move |webview| {
        let view = webview.inner();
        let Some(toplevel) = view.toplevel() else {
            return;
        };
        toplevel.connect_key_press_event(move |_, event| {
            let down = event.state();
            let held = Held {
                ctrl: down.contains(ModifierType::CONTROL_MASK),
                alt: down.contains(ModifierType::MOD1_MASK),
                shift: down.contains(ModifierType::SHIFT_MASK),
            };
            let Some(key) = name(event.keyval()).and_then(|name| of_user(&name, held)) else {
                return Propagation::Proceed;
            };
            // What comes of it is in the document: not where a text is looked for.
            view.grab_focus();
            heard(key);
            Propagation::Stop
        });
    })
}

/// As a document calls it.
#[cfg(target_os = "linux")]
fn name(key: gtk::gdk::keys::Key) -> Option<String> {
    use gtk::gdk::keys::constants as keys;

    Some(match key {
        keys::F5 => "F5".into(),
        keys::Home | keys::KP_Home => "Home".into(),
        keys::Left | keys::KP_Left => "ArrowLeft".into(),
        keys::Right | keys::KP_Right => "ArrowRight".into(),
        other => other.to_unicode()?.to_lowercase().to_string(),
    })
}

#[cfg(not(target_os = "linux"))]
pub(super) fn take(_: &WebviewWindow, _: impl Fn(Key) + Send + 'static) -> tauri::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CTRL: Held = Held {
        ctrl: true,
        alt: false,
        shift: false,
    };
    const ALT: Held = Held {
        ctrl: false,
        alt: true,
        shift: false,
    };

    #[test]
    fn a_page_keeps_all_but_the_keys_of_a_browser() {
        for key in ["l", "r", "f", "-", "0", "+"] {
            assert!(of_user(key, CTRL).is_some(), "{key}");
            assert_eq!(of_user(key, Held::default()), None, "{key}");
            assert_eq!(of_user(key, Held { alt: true, ..CTRL }), None, "{key}");
        }
        assert!(of_user("F5", Held::default()).is_some());
        assert!(of_user("ArrowLeft", ALT).is_some());
        assert!(
            of_user(
                "+",
                Held {
                    shift: true,
                    ..CTRL
                }
            )
            .is_some()
        );
        for key in ["c", "v", "x", "a", "z", "Enter", "ArrowLeft"] {
            assert_eq!(of_user(key, CTRL), None, "{key}");
        }
    }

    #[test]
    fn a_key_is_passed_on_as_a_document_sees_it() {
        let told = serde_json::to_value(of_user("ArrowLeft", ALT)).unwrap();
        let heard = serde_json::json!({ "key": "ArrowLeft", "ctrlKey": false, "altKey": true });
        assert_eq!(told, heard);
    }
}
