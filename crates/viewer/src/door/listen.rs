//! Which address the viewer binds (PROTOCOL §9.1, §10.2): always loopback, on IPv4 and IPv6 alike,
//! since a browser may look for a name under `.localhost` on either.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::net::TcpListener;

/// The port people know.
const DEFAULT_PORT: u16 = 8080;
/// Ports tried when nothing is configured and the usual one is taken: more peers than anyone runs
/// on one machine.
const TRIED_PORTS: u16 = 32;

/// Why the viewer could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configured text means no address.
    #[error(
        "viewer.http_addr: “{0}” is not an address. Write 127.0.0.1:8080, :8080 for the same, or leave it empty."
    )]
    Malformed(String),
    /// The configured address can be reached from other machines, or is not the one that sites'
    /// names lead to.
    #[error(
        "viewer.http_addr: {0} is refused. Whoever reaches the viewer acts as you, and it has no encryption of its own, so it \
         listens on this machine only. Write 127.0.0.1:8080; to use it from elsewhere, tunnel to it: ssh -L 8080:127.0.0.1:8080 <host>"
    )]
    NotLoopback(String),
    /// Another program has the port.
    #[error(
        "viewer.http_addr: port {0} is used by another program. Choose another, or leave it empty for the next free one."
    )]
    Taken(u16),
    /// The system refused.
    #[error("The viewer cannot listen on port {port}: {source}")]
    Io {
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
}

pub(crate) struct Bound {
    pub(crate) port: u16,
    pub(crate) listeners: Vec<TcpListener>,
    /// The default port was wanted but taken.
    pub(crate) default_taken: bool,
}

pub(crate) async fn bind(text: &str) -> Result<Bound, Error> {
    match parse(text)? {
        Some(port) => both(port).await,
        None => first_free().await,
    }
}

/// Whichever port is free.
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

/// Both loopback addresses or none: a site's name must not lead to another program, whichever
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
            // A machine without IPv6.
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

/// The port to bind; `None` for whichever is free.
fn parse(text: &str) -> Result<Option<u16>, Error> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let malformed = || Error::Malformed(text.into());
    let (host, port) = text.rsplit_once(':').ok_or_else(malformed)?;
    let port = port.parse().map_err(|_| malformed())?;
    match host {
        // "All interfaces" was never meant for a service without a password (§9.1).
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
    fn every_way_to_write_this_machine_is_the_same_address() {
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
            assert!(error.to_string().contains("this machine only"));
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
    async fn a_taken_port_is_said_to_be_taken() {
        let bound = bind(":0").await.unwrap();
        assert!(
            matches!(bind(&format!(":{}", bound.port)).await, Err(Error::Taken(port)) if port == bound.port)
        );
    }

    #[tokio::test]
    async fn without_a_configured_port_the_next_free_one_is_found() {
        let first = bind("").await.unwrap();
        let second = bind("").await.unwrap();
        assert_ne!(first.port, second.port);
        assert!(second.default_taken);
    }
}
