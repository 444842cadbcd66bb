//! How links and other starts reach the app.

use std::{env, path::Path};

use clap::Parser;
use tauri::{AppHandle, Manager, Url};
use tauri_plugin_deep_link::DeepLinkExt;

use super::{
    app::{App, Start},
    main_window::show,
    shell::Wish,
    wishes,
};
use crate::cli::{Cli, Command};

/// Links arrive with the start of the app, with a second start, or as an event of the system.
pub(super) fn listen(app: &AppHandle) {
    let wish = |app: &AppHandle, links: Vec<Url>| {
        for wish in links.iter().filter_map(wishes::of_link) {
            app.state::<App>().wishes.ask(wish);
        }
    };
    let links = app.deep_link();
    // On Linux the package does this; on Windows there may be no installer.
    #[cfg(windows)]
    if let Err(error) = links.register_all() {
        tracing::warn!(%error, "goop:// links could not be registered");
    }
    if let Ok(Some(first)) = links.get_current() {
        wish(app, first);
    }
    if let Some(wish) = Cli::try_parse_from(env::args_os())
        .ok()
        .and_then(unreadable)
    {
        app.state::<App>().wishes.ask(wish);
    }
    let app = app.clone();
    links.on_open_url(move |event| {
        wish(&app, event.urls());
        show(&app);
    });
}

/// Another start of the app: it shows this window. A link arrives as every link does.
pub(super) fn started_again(app: &AppHandle, args: &[String], from: &Path) {
    let start = || Start {
        args: args.iter().skip(1).cloned().collect(),
        dir: from.to_owned(),
    };
    if app.state::<App>().again.wait_for(start) {
        return;
    }
    let Ok(cli) = Cli::try_parse_from(args) else {
        return show(app);
    };
    if let Some(Command::Window { dir: Some(dir) }) = &cli.command {
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
    if let Some(wish) = unreadable(cli) {
        app.state::<App>().wishes.ask(wish);
    }
}

/// A link that is not even an address, so that the system does not pass it on as one.
fn unreadable(cli: Cli) -> Option<Wish> {
    let link = cli.link?;
    link.parse::<Url>().is_err().then(|| wishes::nowhere(&link))
}
