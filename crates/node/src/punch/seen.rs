//! Where a relay sees a peer: what the peer itself says of that is worth nothing to somebody who
//! is to send many packets there.
//!
//! ```text
//! asker ─▶ relay   12D3KooW…     a peer with which the asker has a circuit there
//! asker ◀─ relay   11.0.0.5      an address that the peer is connected from, a line each
//! ```

use std::{io, net::IpAddr, time::Duration};

use futures::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, io::BufReader};
use goop2_proto::{PeerId, id};
use tokio::time::timeout;

use crate::stream::{
    control::{Control, Failure},
    open::Stream,
};

/// A protocol of our relays.
pub(crate) const SEEN: &str = "/goop/seen/1.0.0";

/// Longest question: a peer id.
const MAX_QUESTION: u64 = 128;

/// Longest answer: an IPv6 address for each connection that a peer may have.
const MAX_ANSWER: u64 = 8 * 40;

/// How long the other side may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the relay. Nothing, if it does not know, or is one that cannot be asked.
pub(crate) async fn ask(control: &Control, relay: PeerId, peer: PeerId) -> Vec<IpAddr> {
    let asked = async {
        let share = control.share(relay).await?;
        let (mut stream, _) = control.open(relay, &[SEEN], share, 0).await?;
        let question = format!("{}\n", peer.to_base58());
        let answer = async {
            stream.write_all(question.as_bytes()).await?;
            stream.flush().await?;
            let mut answer = String::new();
            stream.take(MAX_ANSWER).read_to_string(&mut answer).await?;
            Ok::<_, io::Error>(answer)
        };
        answer.await.map_err(Failure::Broken)
    };
    let answer = timeout(PATIENCE, asked).await;
    let answer = answer.unwrap_or(Err(Failure::TimedOut));
    if let Err(error) = &answer {
        tracing::debug!(%relay, %error, "the relay was asked in vain where it sees a peer");
    }
    let answer = answer.unwrap_or_default();
    // What is cut would be another address.
    let lines = answer.split_inclusive('\n');
    let whole = lines.filter_map(|line| line.strip_suffix('\n'));
    whole.filter_map(|ip| ip.parse().ok()).collect()
}

/// The relay's side.
pub(crate) async fn answer(
    stream: Stream,
    seen: impl FnOnce(&PeerId) -> Vec<IpAddr>,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut question = String::new();
    let mut limited = (&mut stream).take(MAX_QUESTION);
    let read = timeout(PATIENCE, limited.read_line(&mut question)).await;
    read.map_err(|_| io::ErrorKind::TimedOut)??;
    let peer = id::parse(question.trim_end()).ok_or(io::ErrorKind::InvalidData)?;
    let lines = seen(&peer).into_iter().map(|ip| format!("{ip}\n"));
    let answer = async {
        let stream = stream.get_mut();
        stream
            .write_all(lines.collect::<String>().as_bytes())
            .await?;
        stream.close().await
    };
    let written = timeout(PATIENCE, answer).await;
    written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
