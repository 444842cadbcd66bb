//! How the window comes to the front of a Linux desktop, which lets a program take the focus only
//! on the word of its user.
//!
//! That word is a token that the program which was clicked in gives to the one it starts, in its
//! environment. A second start hands it to the first over the session bus, ahead of its arguments.
//! Where there is none, as from a terminal or the tray: on X11 this moment counts as the user's,
//! since only what the user did leads here. A Wayland desktop takes nobody's word for that, but
//! gives the focus to a window that is new, so the window is put up once more.

use std::{
    fs,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use gtk::{
    gdk::{self, WindowState},
    glib::{self, Cast},
    prelude::{GtkWindowExt, WidgetExt},
};
use tauri::{AppHandle, Manager, WebviewWindow};
use zbus::blocking::{Connection, connection::Builder};

/// Of the first start on the session bus, and of its interface there.
const NAME: &str = "org.goop2.app.Activation";
const PATH: &str = "/org/goop2/app/Activation";
/// Longest token accepted, in bytes: those of desktops have less than half of it.
const MAX_TOKEN: usize = 256;
/// Where desktops put the token, and where the older ones do.
const VARIABLES: [&str; 2] = ["XDG_ACTIVATION_TOKEN=", "DESKTOP_STARTUP_ID="];
/// A start waits this long to hand over its token: the answer takes milliseconds, and the window
/// comes without it, too.
const HAND_OVER: Duration = Duration::from_secs(1);
/// A desktop that honors the token has given the focus by now; a person does not wait yet.
const REFUSED: Duration = Duration::from_millis(300);

/// What the first start was handed by the last second one.
#[derive(Default)]
pub(super) struct Front {
    token: Arc<Mutex<Option<String>>>,
    /// Listens as long as it lives. None without a session bus.
    _bus: Option<Connection>,
}

/// The end of it that is on the bus.
struct Handed(Arc<Mutex<Option<String>>>);

#[zbus::interface(name = "org.goop2.app.Activation")]
impl Handed {
    fn token(&self, token: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = accepted(&token);
    }
}

impl Front {
    /// From here on, tokens of other starts are taken.
    pub(super) fn listen() -> Self {
        let token = Arc::default();
        let listening = Builder::session()
            .and_then(|bus| bus.serve_at(PATH, Handed(Arc::clone(&token)))?.name(NAME))
            .and_then(Builder::build);
        if let Err(error) = &listening {
            tracing::debug!(%error, "no tokens of other starts are taken");
        }
        let _bus = listening.ok();
        Self { token, _bus }
    }

    fn take(&self) -> Option<String> {
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        token.take()
    }
}

/// In every start: hands its token to the first one, if that is another.
pub(super) fn hand_over() {
    let Some(token) = fs::read("/proc/self/environ").ok().and_then(|all| of(&all)) else {
        return;
    };
    let handed = Builder::session()
        .and_then(|bus| bus.method_timeout(HAND_OVER).build())
        .and_then(|bus| bus.call_method(Some(NAME), PATH, Some(NAME), "Token", &(token,)));
    if let Err(error) = handed {
        tracing::debug!(%error, "nobody takes the token of this start");
    }
}

/// The token in the environment that the process was started with. GTK takes it out of the one that
/// it has now, before anything of ours runs.
fn of(environment: &[u8]) -> Option<String> {
    let values = |name: &'static str| {
        let all = environment.split(|byte| *byte == 0);
        all.filter_map(move |one| accepted(str::from_utf8(one).ok()?.strip_prefix(name)?))
    };
    VARIABLES.into_iter().flat_map(values).next()
}

fn accepted(token: &str) -> Option<String> {
    let whole = (1..=MAX_TOKEN).contains(&token.len());
    (whole && token.chars().all(|char| char.is_ascii_graphic())).then(|| token.into())
}

/// Shows the window in front of all others, on the thread of the windows.
pub(super) fn bring(window: &WebviewWindow) -> tauri::Result<()> {
    let (app, window) = (window.app_handle().clone(), window.clone());
    app.clone()
        .run_on_main_thread(move || match window.gtk_window() {
            Ok(window) => present(&app, &window.upcast()),
            Err(error) => tracing::warn!(%error, "the window could not be shown"),
        })
}

fn present(app: &AppHandle, window: &gtk::Window) {
    let token = app.state::<Front>().take();
    // With what is in it, which a start at login has never shown.
    window.show_all();
    window.deiconify();
    let x11 = window
        .window()
        .and_then(|it| it.downcast::<gdkx11::X11Window>().ok());
    let Some(x11) = x11 else {
        if let Some(token) = token {
            wayland::set_token(&window.display(), &token);
        }
        window.present();
        return insist(window);
    };
    let now = gdkx11::functions::x11_get_server_time(&x11);
    x11.set_user_time(now);
    window.present_with_time(now);
    // So that the desktop no longer shows that something is being started.
    if let Some(token) = token {
        gdk::notify_startup_complete_with_id(&token);
    }
}

/// Puts a window up once more that did not get the focus on Wayland.
fn insist(window: &gtk::Window) {
    /// A link shows the window twice, and it is put up once.
    static WAITS: AtomicBool = AtomicBool::new(false);
    if WAITS.swap(true, Ordering::Relaxed) {
        return;
    }
    let window = window.clone();
    glib::timeout_add_local_once(REFUSED, move || {
        WAITS.store(false, Ordering::Relaxed);
        let in_front = |window: gdk::Window| window.state().contains(WindowState::FOCUSED);
        if !window.window().is_some_and(in_front) {
            window.hide();
            window.show();
            window.present();
        }
    });
}

mod wayland {
    #![expect(unsafe_code, reason = "gdk is called directly: its bindings lack this")]

    use std::ffi::CString;

    use gtk::{
        gdk::Display,
        prelude::{ObjectExt, ObjectType},
    };

    /// The next window that is presented comes with this token.
    pub(super) fn set_token(display: &Display, token: &str) {
        let is_wayland = display.type_().name() == "GdkWaylandDisplay";
        let Some(token) = CString::new(token).ok().filter(|_| is_wayland) else {
            return;
        };
        // SAFETY: the display is one of Wayland and lives until the call returns, and gdk copies
        // the text. This is the thread of the windows.
        unsafe {
            gdk_wayland_sys::gdk_wayland_display_set_startup_notification_id(
                display.as_ptr().cast(),
                token.as_ptr(),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_that_of_the_desktop() {
        let both =
            b"HOME=/home/ann\0DESKTOP_STARTUP_ID=old_TIME5\0XDG_ACTIVATION_TOKEN=new_TIME7\0";
        assert_eq!(of(both).as_deref(), Some("new_TIME7"));
        let old = b"XDG_ACTIVATION_TOKEN=\0DESKTOP_STARTUP_ID=old_TIME5\0";
        assert_eq!(of(old).as_deref(), Some("old_TIME5"));
        assert_eq!(of(b"NO_XDG_ACTIVATION_TOKEN=x\0"), None);
        assert_eq!(of(b""), None);
    }

    #[test]
    fn what_cannot_be_a_token_is_none() {
        assert!(accepted(&"x".repeat(MAX_TOKEN)).is_some());
        for token in ["", "a b", "a\nb", "ä", &"x".repeat(MAX_TOKEN + 1)] {
            assert_eq!(accepted(token), None, "{token:?}");
        }
    }
}
