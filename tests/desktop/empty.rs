//! A window of Tauri with an empty page in it: what the one of Goop2 is compared with.

use tauri::{WebviewUrl, WebviewWindowBuilder, http::Response};

/// WebKit starts no process for `about:blank`.
const PAGE: &[u8] = b"<!doctype html><title>Empty</title>";

fn main() {
    let url = WebviewUrl::CustomProtocol("empty://localhost/".parse().expect("a URL"));
    tauri::Builder::default()
        .register_uri_scheme_protocol("empty", |_, _| {
            let page = Response::builder().header("content-type", "text/html");
            page.body(PAGE).expect("a response")
        })
        .setup(|app| {
            WebviewWindowBuilder::new(app, "empty", url)
                .title("Empty")
                .inner_size(1120.0, 720.0)
                .build()?;
            Ok(())
        })
        .run(tauri::generate_context!())
        .expect("a window");
}
