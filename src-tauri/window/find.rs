//! Find in the current page. The webview searches every frame and marks the matches; the bar with
//! the text belongs to the window and not to the page, where the webview would find its text too.
//!
//! It starts in the frame with the focus, which is the site's, and goes on in the document around
//! it, as in a browser. The finder of WebView2 on Windows is not used yet.

use goop2_peer::api::Failure;
use serde::Deserialize;
use tauri::WebviewWindow;
use ts_rs::TS;

/// How the bar fits the page above it: the page's colors, as CSS writes them once computed, and how
/// much of its left belongs to the list of peers.
#[derive(Clone, Debug, Deserialize, TS)]
#[ts(export)]
pub(crate) struct FindLook {
    /// Share of the width that the list of peers takes; 0 while it is hidden.
    pub(crate) left: f64,
    /// Background below the list.
    pub(crate) side: String,
    pub(crate) ground: String,
    pub(crate) text: String,
    pub(crate) line: String,
}

/// Shows the bar, with the focus in it; or, unless `open`, only changes how one looks that is
/// there.
#[tauri::command]
pub(super) fn find(look: FindLook, open: bool, window: WebviewWindow) -> Result<(), Failure> {
    show(&window, look, open).map_err(|message| Failure {
        code: "find".into(),
        message,
    })
}

#[cfg(target_os = "linux")]
fn show(window: &WebviewWindow, look: FindLook, open: bool) -> Result<(), String> {
    window
        .with_webview(move |webview| bar::show(&webview.inner(), &look, open))
        .map_err(|error| error.to_string())
}

#[cfg(not(target_os = "linux"))]
fn show(_: &WebviewWindow, _: FindLook, open: bool) -> Result<(), String> {
    match open {
        true => Err(
            "This window cannot search in pages yet. Open the page in your browser instead.".into(),
        ),
        false => Ok(()),
    }
}

#[cfg(target_os = "linux")]
mod bar {
    use gtk::prelude::*;
    use webkit2gtk::{FindController, FindControllerExt, FindOptions, WebView, WebViewExt};

    use super::FindLook;

    /// Its name among what else is in the window.
    const NAME: &str = "find";
    /// That of its part below the list of peers.
    const SIDE: &str = "find-side";
    /// Between its parts, and around it, in pixels.
    const SPACE: i32 = 6;
    const FIELD_WIDTH: i32 = 32; // characters
    /// Matches marked at once: more than anybody looks at, and no page makes the webview mark
    /// without end.
    const MAX_MATCHES: u32 = 1000;
    /// The desktop's own look of a field that is wrong.
    const WRONG: &str = "error";

    thread_local! {
        /// GTK keeps a style until the program ends, so there is one, which changes.
        static STYLE: gtk::CssProvider = style();
    }

    pub(super) fn show(view: &WebView, look: &FindLook, open: bool) {
        let around = view.parent().and_then(|parent| parent.downcast().ok());
        let (Some(around), Some(finder)) = (around, view.find_controller()) else {
            return tracing::warn!("the find bar could not be shown");
        };
        let there = known(&around);
        if there.is_none() && !open {
            return;
        }
        let parts = there.unwrap_or_else(|| build(&around, view, &finder));
        fit(&parts, look, view.allocated_width());
        if open {
            if !parts.bar.is_visible() {
                parts.bar.show();
                self::look(&finder, &parts.field.text());
            }
            parts.field.grab_focus();
        }
    }

    struct Parts {
        bar: gtk::Box,
        side: gtk::Box,
        field: gtk::SearchEntry,
    }

    fn known(around: &gtk::Box) -> Option<Parts> {
        let mut children = around.children().into_iter();
        let bar: gtk::Box = children
            .find(|child| child.widget_name() == NAME)?
            .downcast()
            .ok()?;
        let mut within = bar.children().into_iter();
        let side = within.next()?.downcast().ok()?;
        let field = within.next()?.downcast().ok()?;
        Some(Parts { bar, side, field })
    }

    fn style() -> gtk::CssProvider {
        let style = gtk::CssProvider::new();
        if let Some(screen) = gtk::gdk::Screen::default() {
            let priority = gtk::STYLE_PROVIDER_PRIORITY_APPLICATION;
            gtk::StyleContext::add_provider_for_screen(&screen, &style, priority);
        }
        style
    }

    /// The desktop's theme may be light where the page is dark, or the reverse.
    fn fit(parts: &Parts, look: &FindLook, width: i32) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a part of a width in pixels"
        )]
        let left = (f64::from(width) * look.left.clamp(0.0, 1.0)).round() as i32;
        parts.side.set_size_request(left, -1);
        let FindLook {
            side,
            ground,
            text,
            line,
            ..
        } = look;
        let css = format!(
            "#{NAME} {{ background: {ground}; color: {text}; }} \
             #{SIDE} {{ background: {side}; }} \
             #{NAME} entry {{ background: {ground}; color: {text}; caret-color: {text}; border: 1px solid {line}; box-shadow: none; }} \
             #{NAME} button {{ background: none; color: {text}; border-color: transparent; box-shadow: none; text-shadow: none; -gtk-icon-shadow: none; }} \
             #{NAME} button:hover {{ background: {line}; }} \
             #{NAME} entry.{WRONG} {{ border-color: #c0392b; }}"
        );
        STYLE.with(|style| {
            if let Err(error) = style.load_from_data(css.as_bytes()) {
                tracing::warn!(%error, "the find bar has the desktop's colors");
            }
        });
    }

    fn build(around: &gtk::Box, view: &WebView, finder: &FindController) -> Parts {
        let bar = gtk::Box::new(gtk::Orientation::Horizontal, SPACE);
        bar.set_widget_name(NAME);
        let side = gtk::Box::new(gtk::Orientation::Horizontal, 0);
        side.set_widget_name(SIDE);
        bar.pack_start(&side, false, false, 0);
        let field = gtk::SearchEntry::new();
        field.set_width_chars(FIELD_WIDTH);
        field.set_placeholder_text(Some("Find in page"));
        field.set_margin_top(SPACE);
        field.set_margin_bottom(SPACE);
        bar.pack_start(&field, false, false, 0);
        let back = button(&bar, "go-up-symbolic", "Previous match");
        let on = button(&bar, "go-down-symbolic", "Next match");
        let close = button(&bar, "window-close-symbolic", "Close");
        close.set_margin_end(SPACE);
        bar.set_child_packing(&close, false, false, 0, gtk::PackType::End);
        around.pack_end(&bar, false, false, 0);
        // A window that is shown again shows all that is in it, except what says otherwise.
        bar.foreach(WidgetExt::show_all);
        bar.set_no_show_all(true);

        let parts = Parts { bar, side, field };
        searches(&parts, finder);
        moves(&parts, [&back, &on], finder);
        ends(&parts, &close, view, finder);
        parts
    }

    /// What is typed is looked for, and the field shows when it is not there.
    fn searches(parts: &Parts, finder: &FindController) {
        let mark = parts.field.style_context();
        finder.connect_found_text({
            let mark = mark.clone();
            move |_, _| mark.remove_class(WRONG)
        });
        finder.connect_failed_to_find_text(move |_| mark.add_class(WRONG));
        let finder = finder.clone();
        parts.field.connect_search_changed(move |field| {
            change(&finder, field);
        });
    }

    /// The keys and the buttons that go from match to match.
    fn moves(parts: &Parts, [back, on]: [&gtk::Button; 2], finder: &FindController) {
        let next = {
            let finder = finder.clone();
            move || finder.search_next()
        };
        let previous = {
            let finder = finder.clone();
            move || finder.search_previous()
        };
        parts.field.connect_activate({
            let (finder, next) = (finder.clone(), next.clone());
            move |field| {
                if !change(&finder, field) {
                    next();
                }
            }
        });
        parts.field.connect_next_match({
            let next = next.clone();
            move |_| next()
        });
        parts.field.connect_previous_match({
            let previous = previous.clone();
            move |_| previous()
        });
        on.connect_clicked(move |_| next());
        back.connect_clicked(move |_| previous());
    }

    /// The key and the button that close the bar; the page has the focus again.
    fn ends(parts: &Parts, close: &gtk::Button, view: &WebView, finder: &FindController) {
        let (bar, view, finder) = (parts.bar.clone(), view.clone(), finder.clone());
        let end = move || {
            finder.search_finish();
            bar.hide();
            view.grab_focus();
        };
        parts.field.connect_stop_search({
            let end = end.clone();
            move |_| end()
        });
        close.connect_clicked(move |_| end());
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
