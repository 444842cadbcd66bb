//! The menu bar. macOS expects one, with the usual shortcuts; on other systems the window needs
//! none.

use tauri::{
    AppHandle,
    menu::{MenuBuilder, SubmenuBuilder},
};

pub(crate) fn set(app: &AppHandle) -> tauri::Result<()> {
    if !cfg!(target_os = "macos") {
        return Ok(());
    }
    let goop2 = SubmenuBuilder::new(app, "Goop2")
        .about(None)
        .separator()
        .services()
        .separator()
        .hide()
        .hide_others()
        .show_all()
        .separator()
        .quit()
        .build()?;
    let edit = SubmenuBuilder::new(app, "Edit")
        .undo()
        .redo()
        .separator()
        .cut()
        .copy()
        .paste()
        .select_all()
        .build()?;
    let window = SubmenuBuilder::new(app, "Window")
        .minimize()
        .fullscreen()
        .separator()
        .close_window()
        .build()?;
    let bar = MenuBuilder::new(app)
        .items(&[&goop2, &edit, &window])
        .build()?;
    app.set_menu(bar).map(drop)
}
