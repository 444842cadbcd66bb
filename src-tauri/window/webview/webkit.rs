//! What WebKitGTK does otherwise than the other two: it asks about the window's own document and
//! the frames in it alike, so the document is looked at once more when its answer is there. And it
//! takes the system's proxy for addresses on this computer, too, where the system does not exempt
//! them.

use tauri::{Url, WebviewWindow};
use webkit2gtk::{
    NetworkProxyMode, NetworkProxySettings, PolicyDecisionExt, PolicyDecisionType,
    ResponsePolicyDecision, ResponsePolicyDecisionExt, URIRequestExt, WebContextExt, WebView,
    WebViewExt, WebsiteDataManagerExt,
    gio::{self, prelude::ProxyResolverExt},
    glib::Cast,
};

/// What goes to no proxy: this computer, and the sites on it. WebKit takes a name for those below
/// it, too.
const DIRECT: [&str; 4] = ["localhost", "*.localhost", "127.0.0.0/8", "::1"];
/// Stands for every site: nothing is sent there to find its proxy.
const A_SITE: &str = "http://site.localhost:8080/";
/// Stands for the web.
const THE_WEB: &str = "https://example.org/";

/// Keeps the window's document where `admit` says, and connections to sites direct.
pub(super) fn confine(
    window: &WebviewWindow,
    admit: impl Fn(&Url) -> bool + Send + 'static,
) -> tauri::Result<()> {
    window.with_webview(move |webview| {
        let view = webview.inner();
        go_direct(&view);
        view.connect_decide_policy(move |_, decision, kind| {
            if kind != PolicyDecisionType::Response {
                return false;
            }
            let led_out = decision
                .dynamic_cast_ref::<ResponsePolicyDecision>()
                .is_some_and(|decision| {
                    decision.is_main_frame_main_resource()
                        && !of(decision).is_some_and(|url| admit(&url))
                });
            if led_out {
                decision.ignore();
            }
            led_out
        });
    })
}

fn of(decision: &ResponsePolicyDecision) -> Option<Url> {
    decision.request()?.uri()?.parse().ok()
}

/// Where the system's settings send sites to a proxy, the window has its own: the same proxy, but
/// for the web alone. They are those of its start.
fn go_direct(view: &WebView) {
    let system = gio::ProxyResolver::default();
    let proxy = |url| first(&system.lookup(url, gio::Cancellable::NONE).ok()?);
    let (Some(_), Some(web)) = (proxy(A_SITE), proxy(THE_WEB)) else {
        return;
    };
    let Some(data) = view
        .context()
        .and_then(|context| context.website_data_manager())
    else {
        return;
    };
    let mut settings = NetworkProxySettings::new(Some(&web), &DIRECT);
    data.set_network_proxy_settings(NetworkProxyMode::Custom, Some(&mut settings));
    tracing::debug!("sites go past the system's proxy");
}

/// The proxy that is asked first; none where the way is direct.
fn first(proxies: &[webkit2gtk::glib::GString]) -> Option<String> {
    let first = proxies.first()?;
    (first != "direct://").then(|| first.to_string())
}
