//! How links and other starts reach the app.

use std::path::Path;

use clap::Parser;
use tauri::{AppHandle, Manager, Url};
use tauri_plugin_deep_link::DeepLinkExt;

use super::{app::App, main_window::show, shell::Wish, wishes};
use crate::cli::{Cli, Command};

/// Links reach the app as it is started with one, as a second start hands one over, or as an event
/// of the system.
pub(super) fn listen(app: &AppHandle) {
    let wish = |app: &AppHandle, links: Vec<Url>| {
        for wish in links.iter().filter_map(wishes::of_link) {
            app.state::<App>().wishes.ask(wish);
        }
    };
    let links = app.deep_link();
    // There is a package for Linux that does; on Windows there may be no more than a folder.
    #[cfg(windows)]
    if let Err(error) = links.register_all() {
        tracing::warn!(%error, "goop:// links do not lead here");
    }
    if let Ok(Some(first)) = links.get_current() {
        wish(app, first);
    }
    let app = app.clone();
    links.on_open_url(move |event| {
        wish(&app, event.urls());
        show(&app);
    });
}

/// Another start: its window is this one. A link in it comes by the way of all links.
pub(super) fn started_again(app: &AppHandle, args: &[String], from: &Path) {
    let Ok(cli) = Cli::try_parse_from(args) else {
        return show(app);
    };
    if let Some(Command::Window { dir: Some(dir) }) = cli.command {
        let state = app.state::<App>();
        let wish = wishes::of_folder(&from.join(dir));
        let Wish::Switch { folder } = &wish else {
            return;
        };
        if state.running.shell().borrow().folder != *folder {
            state.wishes.ask(wish);
        }
    }
    if !cli.hidden {
        show(app);
    }
}
