//! Transfers whose connection breaks.

use std::{
    fs,
    io::Write,
    time::{Duration, Instant},
};

use goop2_peer::Error;
use goop2_proto::Multiaddr;
use http_body_util::BodyExt;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::broadcast,
    time::timeout,
};

use crate::world::{PATIENCE, TestPeer, get};

/// Longer than everything that the two sides hold on the way.
const LEN: usize = 96 << 20;
/// When the connection breaks.
const CUT_AT: usize = 3 << 20;

/// A way to the owner that can be cut; new connections get through.
async fn line(owner: &TestPeer) -> (Multiaddr, broadcast::Sender<()>) {
    let owner = owner.loopback().to_string();
    let port = owner.rsplit('/').next().unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    let (cut, _) = broadcast::channel::<()>(1);
    let cuts = cut.clone();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let (mut cut, port) = (cuts.subscribe(), port.clone());
            tokio::spawn(async move {
                let mut far = TcpStream::connect(format!("127.0.0.1:{port}"))
                    .await
                    .unwrap();
                tokio::select! {
                    _ = cut.recv() => {}
                    _ = copy_bidirectional(&mut near, &mut far) => {}
                }
            });
        }
    });
    (format!("/ip4/127.0.0.1/tcp/{own}").parse().unwrap(), cut)
}

/// Reads a file of the owner, has its connection cut in the middle, and `meanwhile` done.
async fn cut_in_the_middle(
    meanwhile: impl FnOnce(&TestPeer),
) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let (owner, visitor) = (
        TestPeer::start("Owner").await,
        TestPeer::start("Visitor").await,
    );
    write(&owner, 0);
    let (address, cut) = line(&owner).await;
    let address = format!("{address}/p2p/{}", owner.peer.id());
    visitor.peer.add_address(&address).await.unwrap();
    let answer = visitor
        .peer
        .fetch(owner.peer.id(), get("/large.bin"))
        .await?;
    let mut body = answer.into_body();
    let mut bytes = Vec::new();
    while bytes.len() < CUT_AT {
        let frame = timeout(PATIENCE, body.frame()).await?.unwrap()?;
        bytes.extend(frame.into_data().unwrap());
    }
    meanwhile(&owner);
    cut.send(()).unwrap();
    let rest = timeout(3 * PATIENCE, body.collect()).await?;
    for peer in [visitor, owner] {
        peer.stop().await;
    }
    bytes.extend(rest?.to_bytes());
    Ok(bytes)
}

/// Every eight bytes say where they are.
fn numbers(from: usize) -> Vec<u8> {
    let numbers = (0..LEN / 8).map(|number| (number + from).to_le_bytes());
    numbers.flatten().collect()
}

fn write(owner: &TestPeer, from: usize) {
    let path = owner.dir.path().join("site/large.bin");
    let mut file = fs::File::create(path).unwrap();
    file.write_all(&numbers(from)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_whose_connection_breaks_goes_on_where_it_was() {
    let bytes = cut_in_the_middle(|_| {}).await.unwrap();
    assert!(bytes == numbers(0), "{} bytes", bytes.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_never_goes_on_with_another_file() {
    let outcome = cut_in_the_middle(|owner| write(owner, 1)).await;
    assert!(outcome.is_err());
}

#[tokio::test]
async fn a_peer_that_did_not_answer_is_not_waited_for_again_until_someone_wants_to_try() {
    let (owner, visitor) = (
        TestPeer::start("Owner").await,
        TestPeer::start("Visitor").await,
    );
    // Takes connections and never says a word, as a computer that sleeps seems to.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let id = owner.peer.id();
    let address = format!("/ip4/127.0.0.1/tcp/{port}/p2p/{id}");
    visitor.peer.add_address(&address).await.unwrap();
    let visit = || timeout(PATIENCE, visitor.peer.fetch(id, get("/")));
    let refused = |answer: Result<_, Error>| matches!(answer, Err(Error::Offline | Error::TooSlow));
    assert!(refused(visit().await.unwrap()));
    let asked = Instant::now();
    assert!(refused(visit().await.unwrap()));
    assert!(asked.elapsed() < Duration::from_secs(1), "waited for again");

    // It is online all the time; only nobody has said where.
    let address = format!("{}/p2p/{id}", owner.loopback());
    visitor.peer.try_again(&id);
    visitor.peer.add_address(&address).await.unwrap();
    assert!(visit().await.unwrap().is_ok());
    visitor.stop().await;
    owner.stop().await;
}
