//! Headers on every answer of an origin: what browsers must forbid its pages.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, HeaderValue,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
            X_DNS_PREFETCH_CONTROL,
        },
    },
    middleware::Next,
    response::Response,
};

use crate::{
    app::App,
    door::origin::{Site, Visitor},
};

/// For a file of a site that is answered from the user's own origin: whatever it is, it has an
/// opaque origin and runs nothing.
pub(crate) const SANDBOX: HeaderValue = HeaderValue::from_static("sandbox");

/// Headers of a site's origin.
pub(crate) async fn site(
    State(app): State<Arc<App>>,
    Extension(Site(site)): Extension<Site>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
    next: Next,
) -> Response {
    let own = app.is_own(&site) && visitor == Visitor::User;
    let mut response = next.run(request).await;
    let sources = own.then(|| app.peer.config().viewer.site_sources);
    let content = site_content(app.port, &sources.unwrap_or_default());
    let headers = response.headers_mut();
    add(headers, CONTENT_SECURITY_POLICY, &content);
    add(
        headers,
        HeaderName::from_static("permissions-policy"),
        PERMISSIONS,
    );
    add(headers, REFERRER_POLICY, "same-origin");
    // DNS lookups escape every other rule, and a lookup is a message to the owner of the name.
    add(headers, X_DNS_PREFETCH_CONTROL, "off");
    // A site goes offline with its owner. Copies that a browser keeps are asked about each time
    // (`site::headers`); of all else there are none.
    add(headers, CACHE_CONTROL, "no-store");
    isolate(headers);
    response
}

/// Headers of the user's own origin.
pub(crate) async fn control(State(app): State<Arc<App>>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    add(
        headers,
        CONTENT_SECURITY_POLICY,
        &control_content(app.port, &[]),
    );
    add(headers, REFERRER_POLICY, "no-referrer");
    add(headers, CACHE_CONTROL, "no-store");
    isolate(headers);
    response
}

/// A site may use itself and the public https web. Inline scripts and `eval` are allowed: the
/// origin belongs to the site alone, so they put nobody else at risk. A policy cannot tell a
/// private address from a public one, but it can tell schemes and ports: `https://*` means port 443
/// only, so no request reaches anything on this computer or its network that uses plain http or
/// another port. `more` are the sources that the user also allows their own site.
fn site_content(port: u16, more: &[String]) -> String {
    let more: String = more.iter().map(|source| format!(" {source}")).collect();
    // A policy cannot contain an IPv6 address: the UI redirects from there (`ui::index`).
    let app = format!(
        "http://127.0.0.1:{port} http://localhost:{port} tauri://localhost http://tauri.localhost https://tauri.localhost"
    );
    format!(
        "default-src 'self' https://*{more} data: blob: 'unsafe-inline' 'unsafe-eval'; connect-src 'self' https://* wss://*{more} data: blob:; \
         frame-src 'self' https://*{more}; object-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'self' {app}; \
         report-uri /api/denied"
    )
}

/// The window frames sites by name and at exactly these ports, and the addresses people know, which
/// only redirect to them. Links to write an email or to call a number are the browser's: it asks.
pub(crate) fn control_content(port: u16, ports: &[u16]) -> String {
    let at_ports: String = ports
        .iter()
        .map(|port| format!(" http://localhost:{port}"))
        .collect();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
         frame-src http://*.localhost:{port} http://127.0.0.1:{port}/p/ http://localhost:{port}/p/{at_ports} mailto: tel:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// Features that a page may neither ask the visitor for nor pass on to its frames.
const PERMISSIONS: &str = "bluetooth=(), camera=(), clipboard-read=(), display-capture=(), geolocation=(), hid=(), idle-detection=(), \
     local-fonts=(), microphone=(), midi=(), payment=(), publickey-credentials-get=(), serial=(), usb=(), \
     window-management=()";

/// Other origins can neither embed the answer, nor hold a handle to its window, nor share a process
/// with it.
fn isolate(headers: &mut HeaderMap) {
    add(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
    add(
        headers,
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    );
    add(
        headers,
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    add(
        headers,
        HeaderName::from_static("origin-agent-cluster"),
        "?1",
    );
}

/// Unless the handler has set it already.
fn add(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("policies are visible ASCII");
    headers.entry(name).or_insert(value);
}
