//! The icon in the desktop's tray: whether the peer is online, the window, and the way out.
//!
//! Not every desktop has a tray. Without one, closing the window quits, and a hidden start shows
//! the window, so that the app can always be reached.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tauri::{
    AppHandle, Manager, Wry,
    image::Image,
    include_image,
    menu::{MenuBuilder, MenuItem, MenuItemBuilder},
    tray::{MouseButton, MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent},
};

use super::{app::App, main_window::show, shell::Stage};

const ONLINE: Image<'_> = include_image!("icons/tray.png");
const OFFLINE: Image<'_> = include_image!("icons/tray-offline.png");

/// The parts that change.
pub(crate) struct Tray {
    icon: TrayIcon<Wry>,
    toggle: MenuItem<Wry>,
}

impl Tray {
    /// None where the system cannot show one.
    pub(crate) fn open(app: &AppHandle) -> Option<Self> {
        // This panics where the system library for trays is not installed.
        let opened = catch_unwind(AssertUnwindSafe(|| Self::build(app)));
        match opened {
            Ok(Ok(tray)) => Some(tray),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the tray icon could not be created");
                None
            }
            Err(_) => None,
        }
    }

    fn build(app: &AppHandle) -> tauri::Result<Self> {
        let open = MenuItemBuilder::with_id("show", "Open Goop2").build(app)?;
        let toggle = MenuItemBuilder::with_id("toggle", "Go offline").build(app)?;
        let quit = MenuItemBuilder::with_id("quit", "Quit Goop2").build(app)?;
        let menu = MenuBuilder::new(app)
            .items(&[&open, &toggle])
            .separator()
            .item(&quit)
            .build()?;
        let icon = TrayIconBuilder::with_id("goop2")
            .icon(OFFLINE)
            .tooltip("Goop2")
            .menu(&menu)
            .show_menu_on_left_click(cfg!(target_os = "macos"))
            .on_menu_event(|app, event| match event.id().as_ref() {
                "show" => show(app),
                "toggle" => app.state::<App>().toggle(),
                "quit" => app.exit(0),
                _ => {}
            })
            .on_tray_icon_event(|tray, event| {
                if let TrayIconEvent::Click {
                    button: MouseButton::Left,
                    button_state: MouseButtonState::Up,
                    ..
                } = event
                {
                    show(tray.app_handle());
                }
            })
            .build(app)?;
        Ok(Self { icon, toggle })
    }

    pub(crate) fn say(&self, stage: &Stage) {
        let (icon, words, toggle) = match stage {
            Stage::Online => (ONLINE, "Goop2: online", "Go offline"),
            Stage::Starting | Stage::Stopping => (OFFLINE, "Goop2", "Go online"),
            Stage::First { .. } | Stage::Choosing | Stage::Offline => {
                (OFFLINE, "Goop2: offline", "Go online")
            }
            Stage::Crashed { .. } => (OFFLINE, "Goop2: stopped unexpectedly", "Start again"),
        };
        let done = self
            .icon
            .set_icon(Some(icon))
            .and_then(|()| self.icon.set_tooltip(Some(words)))
            .and_then(|()| self.toggle.set_text(toggle))
            .and_then(|()| self.toggle.set_enabled(can_toggle(stage)));
        if let Err(error) = done {
            tracing::warn!(%error, "the tray icon could not be updated");
        }
    }
}

fn can_toggle(stage: &Stage) -> bool {
    matches!(
        stage,
        Stage::Online | Stage::Offline | Stage::Crashed { .. }
    )
}

/// Whether the desktop shows trays now. Windows and macOS always do; on Linux a program of the
/// desktop announces it on the bus.
pub(crate) fn is_shown() -> bool {
    #[cfg(target_os = "linux")]
    {
        const WATCHER: &str = "org.kde.StatusNotifierWatcher";
        let asked = zbus::blocking::Connection::session()
            .and_then(|bus| zbus::blocking::fdo::DBusProxy::new(&bus))
            .and_then(|bus| Ok(bus.name_has_owner(WATCHER.try_into()?)?));
        asked.unwrap_or(false)
    }
    #[cfg(not(target_os = "linux"))]
    true
}
