//! Which origin a request is for. `Host` alone decides: it is the one thing a page cannot choose
//! for the requests it sends, and it gives away a foreign name that was pointed at 127.0.0.1 (DNS
//! rebinding).

use axum::{
    extract::Request,
    http::{HeaderMap, StatusCode, Uri, header::HOST},
};
use goop2_proto::{PeerId, id};

use crate::door::refusal::Refusal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The user's own: UI and API.
    Control,
    /// One peer's site.
    Site(PeerId, Visitor),
    /// The same at its own port, for a window in which the names of sites don't resolve.
    Port(PeerId, Visitor),
}

/// The peer whose site an admitted request is for, as an extension of the request.
#[derive(Clone, Copy)]
pub(crate) struct Site(pub(crate) PeerId);

/// To whom a site is shown, as an extension of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visitor {
    /// The user, who owns their own site.
    User,
    /// A stranger, as whom the user looks at their own site. It is another origin, so what pages
    /// keep in a browser is the stranger's, too.
    Stranger,
}

/// Before the label of the user's own site in the name where a stranger sees it. No label begins
/// with it, and with it a label has the 63 characters that a name may have.
const STRANGER: char = 'v';

/// The origin, and its URL as a browser writes it in `Origin` (RFC 6454 §6.2). `own` is the user.
pub(crate) fn of(
    request: &Request,
    port: u16,
    own: &PeerId,
    site_at: impl Fn(u16) -> Option<(PeerId, Visitor)>,
) -> Result<(Origin, String), Refusal> {
    let mut hosts = request.headers().get_all(HOST).into_iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(NO_HOST);
    };
    let host = host.to_str().map_err(|_| UNKNOWN_HOST)?;
    if request
        .uri()
        .authority()
        .is_some_and(|authority| authority.as_str() != host)
    {
        return Err(UNKNOWN_HOST);
    }
    let origin = classify(host, port, own, site_at).ok_or(UNKNOWN_HOST)?;
    Ok((origin, format!("http://{host}")))
}

/// The URL of the origin of a peer's site.
pub(crate) fn of_site(peer: &PeerId, port: u16) -> String {
    format!("http://{}.localhost:{port}", id::to_label(peer))
}

/// The URL of the origin that an admitted request is for.
pub(crate) fn own(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    format!(
        "http://{}",
        host.expect("an admitted request has one host, in ASCII")
    )
}

/// Whether an admitted request is for a site at its own port.
pub(crate) fn is_port(headers: &HeaderMap) -> bool {
    own(headers).starts_with("http://localhost:")
}

/// The path and query of a URL of this origin, such as a `Referer`; `None` for any other URL.
pub(crate) fn path_within<'a>(url: &'a str, own: &str) -> Option<&'a str> {
    let path = url.strip_prefix(own)?;
    (path.starts_with('/') && path.parse::<Uri>().is_ok()).then_some(path)
}

const NO_HOST: Refusal = Refusal {
    status: StatusCode::BAD_REQUEST,
    message: "The request must have exactly one Host header.",
};
const UNKNOWN_HOST: Refusal = Refusal {
    status: StatusCode::MISDIRECTED_REQUEST,
    message: "This computer has no site at this address. Open 127.0.0.1 instead.",
};

fn classify(
    host: &str,
    port: u16,
    own: &PeerId,
    site_at: impl Fn(u16) -> Option<(PeerId, Visitor)>,
) -> Option<Origin> {
    let (name, given) = match host.rsplit_once(':') {
        Some((name, digits)) if !digits.ends_with(']') => (name, digits),
        _ => (host, "80"),
    };
    // As browsers write it: `+8080` and `08080` are numbers too, but no browser sends them.
    let given = given
        .parse()
        .ok()
        .filter(|port: &u16| port.to_string() == given)?;
    match name {
        "localhost" if given != port => {
            site_at(given).map(|(peer, visitor)| Origin::Port(peer, visitor))
        }
        _ if given != port => None,
        "127.0.0.1" | "localhost" | "[::1]" => Some(Origin::Control),
        _ => named(name.strip_suffix(".localhost")?, own),
    }
}

fn named(label: &str, own: &PeerId) -> Option<Origin> {
    if let Some(label) = label.strip_prefix(STRANGER) {
        let peer = id::from_label(label).filter(|peer| peer == own)?;
        return Some(Origin::Site(peer, Visitor::Stranger));
    }
    id::from_label(label).map(|peer| Origin::Site(peer, Visitor::User))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    const ID: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
    const LABEL: &str = "k51qzi5uqu5dhdmyb9bd18pypu2wp5lpv2xnskfmrqa4lb5knqryrotb05e7or";

    #[test]
    fn only_the_names_of_this_viewer_are_known() {
        let own = id::parse(ID).unwrap();
        let classify = |host: &str, port| classify(host, port, &own, nobody);
        for host in ["127.0.0.1:8080", "localhost:8080", "[::1]:8080"] {
            assert_eq!(classify(host, 8080), Some(Origin::Control), "{host}");
        }
        assert_eq!(classify("localhost", 80), Some(Origin::Control));
        assert_eq!(classify("[::1]", 80), Some(Origin::Control));
        assert_eq!(
            classify(&format!("{LABEL}.localhost:8080"), 8080),
            Some(Origin::Site(own, Visitor::User))
        );
        assert_eq!(
            classify(&format!("v{LABEL}.localhost:8080"), 8080),
            Some(Origin::Site(own, Visitor::Stranger))
        );
        let other = id::to_label(&PeerId::random());
        let others = format!("v{other}.localhost:8080");
        let upper = format!("{}.localhost:8080", LABEL.to_uppercase());
        let nested = format!("a.{LABEL}.localhost:8080");
        let by_id = format!("{ID}.localhost:8080");
        for host in [
            "",
            ":8080",
            "127.0.0.1",
            "127.0.0.1:8081",
            "127.0.0.2:8080",
            "localhost.:8080",
            "evil.example:8080",
            "127.0.0.1.evil.example:8080",
            "a.localhost:8080",
            ".localhost:8080",
            "localhost:8080:8080",
            "0.0.0.0:8080",
            "localhost:+8080",
            "localhost:08080",
            &upper,
            &others,
            &format!("vv{LABEL}.localhost:8080"),
            &nested,
            &by_id,
        ] {
            assert_eq!(classify(host, 8080), None, "{host}");
        }
    }

    #[test]
    fn a_port_is_one_site_under_one_name() {
        let peer = id::parse(ID).unwrap();
        let given = |port| (port == 9001).then_some((peer, Visitor::Stranger));
        let at = |host: &str| classify(host, 8080, &peer, given);
        let port = Origin::Port(peer, Visitor::Stranger);
        assert_eq!(at("localhost:9001"), Some(port));
        let label = format!("{LABEL}.localhost:9001");
        for host in [
            "127.0.0.1:9001",
            "[::1]:9001",
            "localhost:9002",
            "localhost:+9001",
            "localhost:99999",
            "localhost",
            &label,
        ] {
            assert_eq!(at(host), None, "{host}");
        }
        assert_eq!(at("localhost:8080"), Some(Origin::Control));
    }

    #[test]
    fn one_host_is_needed_and_the_request_line_cannot_name_another() {
        let request = |uri: &str, hosts: &[&str]| {
            let builder = hosts
                .iter()
                .fold(Request::builder().uri(uri), |builder, host| {
                    builder.header(HOST, *host)
                });
            let own = id::parse(ID).unwrap();
            of(&builder.body(Body::empty()).unwrap(), 8080, &own, nobody)
                .map_err(|refusal| refusal.status.as_u16())
        };
        assert_eq!(
            request("/", &["localhost:8080"]),
            Ok((Origin::Control, "http://localhost:8080".into()))
        );
        assert_eq!(request("/", &[]), Err(400));
        assert_eq!(
            request("/", &["localhost:8080", "localhost:8080"]),
            Err(400)
        );
        assert_eq!(
            request("http://localhost:8080/", &["127.0.0.1:8080"]),
            Err(421)
        );
        assert_eq!(request("/", &["evil.example"]), Err(421));
    }

    #[test]
    fn a_referer_counts_only_from_the_same_origin() {
        let peer = id::parse(ID).unwrap();
        let own = of_site(&peer, 8080);
        assert_eq!(path_within(&format!("{own}/a?b"), &own), Some("/a?b"));
        for url in [
            own.clone(),
            format!("{own}0/"),
            format!("{own}.evil.example/"),
            "http://evil.example/".into(),
            "/a".into(),
        ] {
            assert_eq!(path_within(&url, &own), None, "{url}");
        }
    }

    fn nobody(_: u16) -> Option<(PeerId, Visitor)> {
        None
    }
}
