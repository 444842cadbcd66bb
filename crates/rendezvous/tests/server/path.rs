//! A rendezvous below a path of a web server, which takes the path away: `https://host/goop/`.

use goop2_rendezvous::{registration, server::Config};
use url::Url;

use crate::world::{BASIC, PASSWORD, addr, ask, config, start};

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const HTML: &str = "Accept: text/html";
const HOST: &str = "Host: meet.example";
const ROOT: &str = "https://meet.example/goop/";

#[tokio::test]
async fn every_link_form_and_asset_stays_below_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(Config {
        external_url: "https://meet.example/goop".into(),
        registration_required: true,
        registration: Some(registration::Config {
            path: folder.path().join("peers.db"),
            ..registration::Config::default()
        }),
        ..config()
    })
    .await;
    let addr = addr(&server);
    let mut links = 0;
    for (request, headers) in [
        // As the web server sees it, with and without the slash that it does not pass on.
        ("", vec![HOST]),
        ("GET /", vec![HOST]),
        ("GET /", vec!["Host: 192.168.1.20:8787"]),
        ("GET /register", vec![]),
        ("GET /verify?token=x", vec![HTML]),
        ("GET /docs/join", vec![]),
        ("GET /docs/host", vec![]),
        ("GET /docs/privacy", vec![]),
        ("GET /admin", vec![HTML]),
        ("GET /admin", vec![HTML, BASIC]),
        ("POST /admin", vec![FORM, HTML]),
    ] {
        let body: &[u8] = if request.starts_with("POST") {
            b"password=x"
        } else {
            b""
        };
        let seen = match request {
            "" => Url::parse(ROOT.trim_end_matches('/')),
            request => Url::parse(&format!("{ROOT}{}", request.split_once('/').unwrap().1)),
        };
        let request = if request.is_empty() { "GET /" } else { request };
        let answer = ask(addr, request, &headers, body).await;
        assert!(
            answer
                .header("content-type")
                .unwrap()
                .starts_with("text/html"),
            "{request}"
        );
        for link in linked(&answer.body) {
            let leads = seen.clone().unwrap().join(link).unwrap();
            let foreign = leads.scheme() == "goop" || leads.host_str() != Some("meet.example");
            assert!(
                foreign || leads.as_str().starts_with(ROOT),
                "{request}: {link} leads to {leads}"
            );
            links += 1;
        }
    }
    assert!(links > 50, "{links}");
    server.shutdown().await;
}

#[tokio::test]
async fn redirects_stay_below_the_path_and_a_slash_is_taken_for_none() {
    let server = start(config()).await;
    let addr = addr(&server);
    let login = format!("password={PASSWORD}");
    for (request, body, leads_to) in [
        ("GET /docs", "", "docs/join"),
        ("GET /docs/", "", "docs/join"),
        ("GET /admin/", "", "admin"),
        ("POST /admin", &*login, "admin"),
        ("POST /admin/login", &*login, "admin"),
    ] {
        let answer = ask(addr, request, &[FORM], body.as_bytes()).await;
        assert!(
            (300..400).contains(&answer.status),
            "{request}: {}",
            answer.status
        );
        let seen = Url::parse(&format!("{ROOT}{}", request.split_once('/').unwrap().1)).unwrap();
        let location = seen.join(answer.header("location").unwrap()).unwrap();
        assert_eq!(location.as_str(), format!("{ROOT}{leads_to}"), "{request}");
    }
    server.shutdown().await;
}

/// What the page links to.
fn linked(page: &str) -> impl Iterator<Item = &str> {
    ["href=\"", "src=\"", "action=\""]
        .into_iter()
        .flat_map(move |attribute| {
            let found = page.split(attribute).skip(1);
            found
                .filter_map(|rest| rest.split_once('"'))
                .map(|(link, _)| link)
        })
}
