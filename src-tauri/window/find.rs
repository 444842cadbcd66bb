//! Find in the current page. The webview searches every frame and marks the matches; the bar with
//! the text belongs to the window and not to the page, where the webview would find its text too.
//!
//! It starts in the frame with the focus, which is the site's, and goes on in the document around
//! it, as in a browser. The finder of WebView2 on Windows is not used yet.

use goop2_peer::api::Failure;
use tauri::WebviewWindow;

/// Shows the bar, with the focus in it.
#[tauri::command]
pub(super) fn find(window: WebviewWindow) -> Result<(), Failure> {
    show(&window).map_err(|message| Failure {
        code: "find".into(),
        message,
    })
}

#[cfg(target_os = "linux")]
fn show(window: &WebviewWindow) -> Result<(), String> {
    window
        .with_webview(|webview| bar::show(&webview.inner()))
        .map_err(|error| error.to_string())
}

#[cfg(not(target_os = "linux"))]
fn show(_: &WebviewWindow) -> Result<(), String> {
    Err("This window cannot search in pages yet. Open the page in your browser instead.".into())
}

#[cfg(target_os = "linux")]
mod bar {
    use gtk::prelude::*;
    use webkit2gtk::{FindController, FindControllerExt, FindOptions, WebView, WebViewExt};

    /// Its name among what else is in the window.
    const NAME: &str = "find";
    /// Between its parts, and around it, in pixels.
    const SPACE: i32 = 6;
    const FIELD_WIDTH: i32 = 32; // characters
    /// Matches marked at once: more than anybody looks at, and no page makes the webview mark
    /// without end.
    const MAX_MATCHES: u32 = 1000;
    /// The desktop's own look of a field that is wrong.
    const WRONG: &str = "error";

    pub(super) fn show(view: &WebView) {
        let around = view.parent().and_then(|parent| parent.downcast().ok());
        let (Some(around), Some(finder)) = (around, view.find_controller()) else {
            return tracing::warn!("the find bar could not be shown");
        };
        let (bar, field) = known(&around).unwrap_or_else(|| build(&around, view, &finder));
        if !bar.is_visible() {
            bar.show_all();
            look(&finder, &field.text());
        }
        field.grab_focus();
    }

    fn known(around: &gtk::Box) -> Option<(gtk::Box, gtk::SearchEntry)> {
        let mut children = around.children().into_iter();
        let bar: gtk::Box = children
            .find(|child| child.widget_name() == NAME)?
            .downcast()
            .ok()?;
        let field = bar.children().into_iter().next()?.downcast().ok()?;
        Some((bar, field))
    }

    fn build(
        around: &gtk::Box,
        view: &WebView,
        finder: &FindController,
    ) -> (gtk::Box, gtk::SearchEntry) {
        let bar = gtk::Box::new(gtk::Orientation::Horizontal, SPACE);
        bar.set_widget_name(NAME);
        bar.set_border_width(SPACE.unsigned_abs());
        let field = gtk::SearchEntry::new();
        field.set_width_chars(FIELD_WIDTH);
        field.set_placeholder_text(Some("Find in page"));
        bar.pack_start(&field, false, false, 0);
        let back = button(&bar, "go-up-symbolic", "Previous match");
        let on = button(&bar, "go-down-symbolic", "Next match");
        let close = button(&bar, "window-close-symbolic", "Close");
        bar.set_child_packing(&close, false, false, 0, gtk::PackType::End);
        around.pack_end(&bar, false, false, 0);

        let mark = field.style_context();
        finder.connect_found_text({
            let mark = mark.clone();
            move |_, _| mark.remove_class(WRONG)
        });
        finder.connect_failed_to_find_text(move |_| mark.add_class(WRONG));
        field.connect_search_changed({
            let finder = finder.clone();
            move |field| {
                change(&finder, field);
            }
        });
        let next = {
            let finder = finder.clone();
            move || finder.search_next()
        };
        let previous = {
            let finder = finder.clone();
            move || finder.search_previous()
        };
        let end = {
            let (bar, view, finder) = (bar.clone(), view.clone(), finder.clone());
            move || {
                finder.search_finish();
                bar.hide();
                view.grab_focus();
            }
        };
        field.connect_activate({
            let (finder, next) = (finder.clone(), next.clone());
            move |field| {
                if !change(&finder, field) {
                    next();
                }
            }
        });
        field.connect_next_match({
            let next = next.clone();
            move |_| next()
        });
        field.connect_previous_match({
            let previous = previous.clone();
            move |_| previous()
        });
        field.connect_stop_search({
            let end = end.clone();
            move |_| end()
        });
        on.connect_clicked(move |_| next());
        back.connect_clicked(move |_| previous());
        close.connect_clicked(move |_| end());
        (bar, field)
    }

    fn button(bar: &gtk::Box, icon: &str, name: &str) -> gtk::Button {
        let button = gtk::Button::from_icon_name(Some(icon), gtk::IconSize::Button);
        button.set_relief(gtk::ReliefStyle::None);
        button.set_tooltip_text(Some(name));
        if let Some(accessible) = button.accessible() {
            accessible.set_name(name);
        }
        bar.pack_start(&button, false, false, 0);
        button
    }

    /// What is typed is looked for after a moment, or at once with Enter; whichever comes first, it
    /// is found once.
    fn change(finder: &FindController, field: &gtk::SearchEntry) -> bool {
        let text = field.text();
        let changed = finder.search_text().is_none_or(|known| known != text);
        if changed {
            field.style_context().remove_class(WRONG);
            look(finder, &text);
        }
        changed
    }

    /// From where the last match is, so that a text that is still being typed stays at its place.
    fn look(finder: &FindController, text: &str) {
        if text.is_empty() {
            return finder.search_finish();
        }
        let options = FindOptions::CASE_INSENSITIVE | FindOptions::WRAP_AROUND;
        finder.search(text, options.bits(), MAX_MATCHES);
    }
}
