//! What is said about servers with faulty certificates, over real connections.

use std::{net::SocketAddr, sync::Arc};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use super::{super::address::Address, *};

const WELL: &str = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";

/// An authority that the client trusts, or does not.
struct Authority(Certificate, KeyPair);

impl Authority {
    fn new() -> Self {
        Self::named("trusted")
    }

    fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        Self(params.self_signed(&key).unwrap(), key)
    }

    /// A server with a certificate of this authority.
    async fn server(&self, params: CertificateParams) -> Server {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0, &self.1).unwrap();
        Server::with(&certificate, &key).await
    }

    fn client(&self) -> Http {
        Http::trusting(vec![self.0.der().clone()])
    }
}

/// Answers 204 to everything.
struct Server {
    addr: SocketAddr,
    _task: JoinSet<()>,
}

impl Server {
    async fn with(certificate: &Certificate, key: &KeyPair) -> Self {
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that refuses the certificate ends the handshake.
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = stream.read(&mut [0; 4096]).await;
                    let _ = stream.write_all(WELL.as_bytes()).await;
                    let _ = stream.shutdown().await;
                }
            }
        });
        Self { addr, _task: task }
    }
}

fn of(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    CertificateParams::new(names).unwrap()
}

async fn ask(http: &Http, url: &str) -> Result<u16, String> {
    let answer = http.get(url.parse().unwrap(), HeaderMap::new()).await;
    let answer = answer.map(|response| response.status().as_u16());
    answer.map_err(|fault| fault.reason)
}

/// Every way that a certificate can be wrong, of a server at an IP address.
#[tokio::test]
async fn every_faulty_certificate_has_its_own_words() {
    let authority = Authority::new();
    let http = authority.client();
    let mut old = of(&["127.0.0.1"]);
    old.not_after = date_time_ymd(2020, 2, 3);
    let mut early = of(&["127.0.0.1"]);
    early.not_before = date_time_ymd(2999, 2, 3);
    for (server, words) in [
        (
            Authority::named("other").server(of(&["127.0.0.1"])).await,
            vec!["from an authority that this computer doesn't trust"],
        ),
        (
            authority
                .server(of(&["goop.example.org", "192.0.2.1"]))
                .await,
            vec!["is for goop.example.org and 192.0.2.1. Use that name"],
        ),
        (
            authority.server(old).await,
            vec!["expired on 2020-02-03", "this computer's clock says 20"],
        ),
        (
            authority.server(early).await,
            vec!["valid from 2999-02-03", "Check the clock"],
        ),
    ] {
        let reason = ask(&http, &format!("https://{}/", server.addr))
            .await
            .unwrap_err();
        let named = format!("the certificate of {} ", server.addr);
        for words in [&[&*named], &words[..]].concat() {
            assert!(reason.contains(words), "{words} in {reason}");
        }
    }
    let well = authority.server(of(&["127.0.0.1", "localhost"])).await;
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("https://{host}:{}/", well.addr.port());
        assert_eq!(ask(&http, &url).await, Ok(204), "{host}");
    }
}

/// As tools make them: some mark the certificate as an authority, some do not.
#[tokio::test]
async fn a_self_signed_certificate_is_named_as_such() {
    for authority in [IsCa::NoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
        let mut params = of(&["127.0.0.1"]);
        params.is_ca = authority;
        let key = KeyPair::generate().unwrap();
        let server = Server::with(&params.self_signed(&key).unwrap(), &key).await;
        let url = format!("https://{}/", server.addr);
        let reason = ask(&Authority::new().client(), &url).await.unwrap_err();
        assert!(reason.contains("is self-signed"), "{reason}");
    }
}

#[tokio::test]
async fn tls_to_a_server_without_it_says_which_address_to_use() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut task = JoinSet::new();
    task.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let http = Authority::new().client();
    let reason = ask(&http, &format!("https://{addr}/")).await.unwrap_err();
    assert_eq!(
        reason,
        format!("{addr} doesn't use TLS. Start the address with http:// instead")
    );
}

#[tokio::test]
async fn without_tls_to_a_server_with_it_says_which_address_to_use() {
    let authority = Authority::new();
    let server = authority.server(of(&["127.0.0.1"])).await;
    let url = format!("http://{}/", server.addr);
    let reason = ask(&authority.client(), &url).await.unwrap_err();
    assert_eq!(
        reason,
        format!(
            "{} expects TLS. Start the address with https:// instead",
            server.addr
        )
    );
}

/// As web servers do that answer at both ports.
#[tokio::test]
async fn a_server_that_moves_to_tls_is_followed_with_the_whole_request() {
    let authority = Authority::new();
    let http = authority.client();
    let server = authority.server(of(&["127.0.0.1"])).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain = listener.local_addr().unwrap();
    let mut task = JoinSet::new();
    task.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let bytes = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..bytes]).into_owned();
            let path = request.split(' ').nth(1).unwrap();
            let answer = format!(
                "HTTP/1.1 301 Moved Permanently\r\nLocation: https://{}{path}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                server.addr
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let url = format!("http://{plain}/publish").parse().unwrap();
    let answer = http.post(url, b"{}".to_vec()).await.unwrap();
    assert_eq!(answer.status(), 204);
    let asked: Url = format!("http://{plain}/a?b=c").parse().unwrap();
    let answer = http.get(asked, HeaderMap::new()).await.unwrap();
    assert_eq!(
        answer.url().as_str(),
        format!("https://{}/a?b=c", server.addr)
    );
    let address = Address::parse(&format!("http://{plain}/")).unwrap();
    let secured = address.secured(answer.url()).unwrap();
    assert_eq!(secured.to_string(), format!("https://{}", server.addr));
}

#[tokio::test]
async fn a_name_without_an_address_was_not_found() {
    let reason = ask(&Http::new(), "https://no-such-name.invalid/")
        .await
        .unwrap_err();
    assert!(
        reason.starts_with("no-such-name.invalid was not found"),
        "{reason}"
    );
}
