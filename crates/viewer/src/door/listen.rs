//! The address the viewer listens on (PROTOCOL §9.1, §10.2): always loopback, on both IPv4 and
//! IPv6, since a browser may resolve a name under `.localhost` to either (RFC 6761 §6.3).

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::net::TcpListener;

/// The port people know.
const DEFAULT_PORT: u16 = 8080;
/// Ports tried when nothing is configured and the usual one is in use: more peers than anyone runs
/// on one computer.
const TRIED_PORTS: u16 = 32;

/// Why the viewer could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configured text is not an address.
    #[error(
        "viewer.http_addr: “{0}” is not an address. Enter 127.0.0.1:8080, or :8080 for short, or leave it empty."
    )]
    Malformed(String),
    /// Other computers can reach the configured address, or the names of sites don't resolve to it.
    #[error(
        "viewer.http_addr: {0} is not allowed. Anyone who can reach the viewer can act as you, and its connections are not \
         encrypted, so it only listens on this computer. Enter 127.0.0.1:8080. To use it from another computer, open a tunnel: ssh -L 8080:127.0.0.1:8080 <host>"
    )]
    NotLoopback(String),
    /// Another program uses the configured port.
    #[error(
        "viewer.http_addr: port {0} is in use by another program. Choose another port, or leave it empty to use the next free one."
    )]
    Taken(u16),
    /// The operating system refused to bind the port.
    #[error("The viewer can’t listen on port {port}: {source}")]
    Io {
        /// The port to bind; 0 stands for any free port.
        port: u16,
        /// The error of the operating system.
        source: io::Error,
    },
}

pub(crate) struct Bound {
    pub(crate) port: u16,
    pub(crate) listeners: Vec<TcpListener>,
    /// No port was configured, and the default port is in use.
    pub(crate) default_taken: bool,
}

pub(crate) async fn bind(text: &str) -> Result<Bound, Error> {
    match parse(text)? {
        Some(port) => both(port).await,
        None => first_free().await,
    }
}

/// Any free port.
pub(crate) async fn any() -> Result<Bound, Error> {
    both(0).await
}

async fn first_free() -> Result<Bound, Error> {
    for port in DEFAULT_PORT..DEFAULT_PORT + TRIED_PORTS {
        match both(port).await {
            Err(Error::Taken(_)) => {}
            Ok(bound) => {
                return Ok(Bound {
                    default_taken: port != DEFAULT_PORT,
                    ..bound
                });
            }
            Err(error) => return Err(error),
        }
    }
    any().await.map(|bound| Bound {
        default_taken: true,
        ..bound
    })
}

/// Both loopback addresses or neither: a site's name must not lead to another program, whichever
/// address the browser tries first.
async fn both(wanted: u16) -> Result<Bound, Error> {
    let mut attempts = TRIED_PORTS;
    loop {
        attempts -= 1;
        let (v4, port) = one(Ipv4Addr::LOCALHOST.into(), wanted).await?;
        match one(Ipv6Addr::LOCALHOST.into(), port).await {
            Ok((v6, _)) => {
                return Ok(Bound {
                    port,
                    listeners: vec![v4, v6],
                    default_taken: false,
                });
            }
            Err(Error::Taken(_)) if wanted == 0 && attempts > 0 => {}
            Err(Error::Taken(port)) => return Err(Error::Taken(port)),
            // A computer without IPv6.
            Err(_) => {
                return Ok(Bound {
                    port,
                    listeners: vec![v4],
                    default_taken: false,
                });
            }
        }
    }
}

async fn one(ip: IpAddr, port: u16) -> Result<(TcpListener, u16), Error> {
    let bound = async {
        let listener = TcpListener::bind(SocketAddr::new(ip, port)).await?;
        let port = listener.local_addr()?.port();
        Ok((listener, port))
    };
    bound
        .await
        .map_err(|source: io::Error| match source.kind() {
            ErrorKind::AddrInUse => Error::Taken(port),
            _ => Error::Io { port, source },
        })
}

/// The port to bind; `None` when nothing is configured.
fn parse(text: &str) -> Result<Option<u16>, Error> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let malformed = || Error::Malformed(text.into());
    let (host, port) = text.rsplit_once(':').ok_or_else(malformed)?;
    let port = port.parse().map_err(|_| malformed())?;
    match host {
        // Existing configurations say "all interfaces" and mean this computer (§9.1).
        "" | "0.0.0.0" | "[::]" | "127.0.0.1" | "localhost" | "[::1]" => Ok(Some(port)),
        _ if format!("{host}:0").parse::<SocketAddr>().is_ok() => {
            Err(Error::NotLoopback(host.into()))
        }
        _ => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_this_computer_is_the_same_address() {
        for text in [
            ":81",
            "0.0.0.0:81",
            "127.0.0.1:81",
            "localhost:81",
            "[::1]:81",
            "[::]:81",
            " :81 ",
        ] {
            assert_eq!(parse(text).unwrap(), Some(81), "{text}");
        }
        assert_eq!(parse("").unwrap(), None);
        assert_eq!(parse(":0").unwrap(), Some(0));
    }

    #[test]
    fn other_addresses_are_refused_with_the_reason() {
        for text in ["192.168.1.20:80", "[2001:db8::1]:80", "127.0.0.2:80"] {
            let error = parse(text).unwrap_err();
            assert!(matches!(error, Error::NotLoopback(_)), "{text}");
            assert!(error.to_string().contains("only listens on this computer"));
        }
        for text in [
            "8080",
            "127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:99999",
            "example.org:80",
            ":x",
        ] {
            assert!(matches!(parse(text), Err(Error::Malformed(_))), "{text}");
        }
    }

    #[tokio::test]
    async fn a_port_in_use_is_reported_as_such() {
        let bound = bind(":0").await.unwrap();
        assert!(
            matches!(bind(&format!(":{}", bound.port)).await, Err(Error::Taken(port)) if port == bound.port)
        );
    }

    #[tokio::test]
    async fn without_a_configured_port_the_next_free_one_is_used() {
        let first = bind("").await.unwrap();
        let second = bind("").await.unwrap();
        assert_ne!(first.port, second.port);
        assert!(second.default_taken);
    }
}
