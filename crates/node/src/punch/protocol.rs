//! Hole punching past a router that takes another port for every destination.
//!
//! The library needs each side to know where the other will dial from; behind such a router nobody
//! does. So this makes luck probable. The *hidden* side dials the other's one known port from many
//! its own ports, and its router opens a port for each. The *open* side dials random ports of the
//! hidden side's address, from the port that those dials went to. As soon as one of them is one
//! that was opened, both routers let it through. With 512 open among 64 512, 255 guesses hit with
//! 87 in 100, and one of four such attempts with 99.97.
//!
//! Over a stream on the relayed connection, a line each:
//!
//! ```text
//! hidden ─▶ open   11.0.0.5            the address that others see
//! hidden ◀─ open   11.0.0.7:4001       the address and port that others see; `later` when another is being dialed; the end
//!                                      of the stream when it would be in vain
//! hidden ─▶ open   go                  the ports are open
//! hidden ─▶ open   hit                 one was dialed, and is listened on; the end of the stream without it: none was
//! ```
//!
//! That the hidden side is where it says, the open one asks the relay in between (`seen`): what the
//! hidden side signs only proves who says it. A relay may lie, too, so an attempt must not be worth
//! aiming at somebody else. It goes to public addresses only, ends with the first guesses, and is
//! made rarely: for each peer, to each address, and in all (`punching`).
//!
//! The open side dials over QUIC. The socket that its first packet reaches is closed, a listener
//! takes over the same port, and the dials are made again, for nobody knows which of them it was.
//! 512 sockets for two seconds, one such attempt at a time, and few of them: routers remember every
//! port.

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use futures::{
    AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, StreamExt, io::BufReader,
    stream::FuturesUnordered,
};
use goop2_proto::Multiaddr;
use libp2p::multiaddr::Protocol;
use tokio::{net::UdpSocket, time::timeout};

use crate::{net::ip::is_public, stream::open::Stream};

/// Ports that the hidden side opens: as many as a process may hold in addition to all else, with
/// the usual limit of 1 024.
const OPENED: usize = 512;

/// Where the system allows fewer sockets, so many are left for all else, and it is not tried with
/// less.
const SPARED: usize = 64;

/// Ports that the open side dials. The library dials no more at once.
pub(crate) const GUESSES: u8 = 255;

/// How long the hidden side waits to be hit: the slowest connection.
const HIT: Duration = Duration::from_secs(2);

/// The ports that routers give out.
const PORTS: std::ops::RangeInclusive<u16> = 1024..=65535;

/// Longest line: an IPv4 address and a port.
const MAX_LINE: u64 = 32;

/// How long the other side may take for a line.
const ANSWER: Duration = Duration::from_secs(5);

/// The stream of one attempt.
pub(crate) type Talk = BufReader<Stream>;

/// The hidden side. Returns the port of this host that was hit, to be listened on before
/// [`say_hit`]; the hole behind it stands for half a minute at least.
pub(crate) async fn from_many_ports(stream: Stream, own: Ipv4Addr) -> io::Result<(u16, Talk)> {
    let mut stream = BufReader::new(stream);
    send(&mut stream, &own.to_string()).await?;
    let answer: String = receive(&mut stream).await?;
    if answer == "later" {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    let other: SocketAddrV4 = answer.parse().map_err(|_| io::ErrorKind::InvalidData)?;
    if !is_public((*other.ip()).into()) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let sockets = open_ports().await?;
    for socket in &sockets {
        // Nothing that any program would answer.
        socket.send_to(&rand::random::<[u8; 16]>(), other).await?;
    }
    send(&mut stream, "go").await?;
    let hit = async |socket: &UdpSocket| {
        let mut packet = [0; 1];
        loop {
            // A longer packet is an error on some systems, and a hit nevertheless.
            match socket.recv_from(&mut packet).await {
                Ok((_, from)) if from != other.into() => {}
                // The answer to an earlier packet: nobody listens there.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset
                    ) => {}
                Ok(_) | Err(_) => return socket.local_addr(),
            }
        }
    };
    let mut hits: FuturesUnordered<_> = sockets.iter().map(hit).collect();
    match timeout(HIT, hits.next()).await {
        Ok(Some(addr)) => Ok((addr?.port(), stream)),
        Ok(None) | Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

async fn open_ports() -> io::Result<Vec<UdpSocket>> {
    let mut sockets = Vec::with_capacity(OPENED);
    while sockets.len() < OPENED {
        match UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await {
            Ok(socket) => sockets.push(socket),
            Err(error) if sockets.len() <= 2 * SPARED => return Err(error),
            Err(_too_many) => {
                sockets.truncate(sockets.len() - SPARED);
                break;
            }
        }
    }
    Ok(sockets)
}

/// What the open side answers.
pub(crate) enum Answer {
    /// It dials. This is where others see it.
    Yes(SocketAddrV4),
    /// It is dialing another.
    Later,
    /// It would be in vain.
    No,
}

/// The open side, up to the moment when it may dial. Returns the address to dial, at which `seen`
/// says that others see the hidden side.
pub(crate) async fn asked(
    stream: Stream,
    answer: Answer,
    seen: impl AsyncFnOnce(Ipv4Addr) -> bool,
) -> io::Result<(Ipv4Addr, Talk)> {
    let mut stream = BufReader::new(stream);
    let other: Ipv4Addr = receive(&mut stream).await?;
    let own = match answer {
        Answer::Yes(own) => own,
        Answer::Later => {
            send(&mut stream, "later").await?;
            stream.close().await?;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Answer::No => {
            stream.close().await?;
            return Err(io::ErrorKind::Unsupported.into());
        }
    };
    if !is_public(other.into()) || !seen(other).await {
        return Err(io::ErrorKind::InvalidData.into());
    }
    send(&mut stream, &own.to_string()).await?;
    match &*receive::<String>(&mut stream).await? {
        "go" => Ok((other, stream)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The hidden side listens at the port that was hit.
pub(crate) async fn say_hit(mut talk: Talk) -> io::Result<()> {
    send(&mut talk, "hit").await?;
    talk.close().await
}

/// Whether the hidden side was hit; it says so, or ends.
pub(crate) async fn was_hit(mut talk: Talk) -> bool {
    receive::<String>(&mut talk)
        .await
        .is_ok_and(|word| word == "hit")
}

/// The ports to dial.
pub(crate) fn guesses(ip: Ipv4Addr) -> Vec<Multiaddr> {
    let port = || rand::random_range(PORTS);
    let at = |port| {
        Multiaddr::from(ip)
            .with(Protocol::Udp(port))
            .with(Protocol::QuicV1)
    };
    std::iter::repeat_with(port)
        .take(GUESSES.into())
        .map(at)
        .collect()
}

async fn send(stream: &mut Talk, line: &str) -> io::Result<()> {
    let stream = stream.get_mut();
    stream.write_all(format!("{line}\n").as_bytes()).await?;
    stream.flush().await
}

async fn receive<T: std::str::FromStr>(stream: &mut Talk) -> io::Result<T> {
    let mut line = String::new();
    let mut limited = stream.take(MAX_LINE);
    let read = timeout(ANSWER, limited.read_line(&mut line)).await;
    read.map_err(|_| io::ErrorKind::TimedOut)??;
    let text = line
        .strip_suffix('\n')
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    text.parse().map_err(|_| io::ErrorKind::InvalidData.into())
}
