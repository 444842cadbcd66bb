//! Transfers from far away, and those whose connection breaks.

use std::{
    fs,
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use goop2_peer::Error;
use goop2_proto::Multiaddr;
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{broadcast, mpsc},
    time::{sleep_until, timeout},
};

use crate::world::{PATIENCE, TestPeer, get};

/// Longer than everything that the two sides hold on the way.
const LEN: usize = 96 << 20;
/// When the connection breaks.
const CUT_AT: usize = 3 << 20;

/// Each way through a line to somebody far away.
const ONE_WAY: Duration = Duration::from_millis(100);
/// Pieces of at most 64 KiB that a line holds in each direction.
const ON_THE_WAY: usize = 1024;

/// A line to the owner, on which everything takes its time, and that can be cut; new connections get
/// through.
struct Line {
    address: Multiaddr,
    cut: broadcast::Sender<()>,
    /// Bytes that were on the way to the visitor at a time, at the most.
    most: Arc<AtomicUsize>,
}

impl Line {
    async fn to(owner: &TestPeer, one_way: Duration) -> Self {
        let owner = owner.loopback().to_string();
        let port = owner.rsplit('/').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (cut, _) = broadcast::channel::<()>(1);
        let (cuts, most) = (cut.clone(), Arc::<AtomicUsize>::default());
        let seen = Arc::clone(&most);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (mut cut, port, seen) = (cuts.subscribe(), port.clone(), Arc::clone(&seen));
                tokio::spawn(async move {
                    let address = format!("127.0.0.1:{port}");
                    let far = TcpStream::connect(address).await.unwrap();
                    for stream in [&near, &far] {
                        stream.set_nodelay(true).unwrap();
                    }
                    let ((near, to_near), (far, to_far)) = (near.into_split(), far.into_split());
                    tokio::select! {
                        _ = cut.recv() => {}
                        () = carry(near, to_far, one_way, Arc::default()) => {}
                        () = carry(far, to_near, one_way, seen) => {}
                    }
                });
            }
        });
        Self {
            address: format!("/ip4/127.0.0.1/tcp/{own}").parse().unwrap(),
            cut,
            most,
        }
    }
}

/// Passes on in order what comes, each byte when its time has come.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    one_way: Duration,
    most: Arc<AtomicUsize>,
) {
    let (sender, mut on_the_way) = mpsc::channel(ON_THE_WAY);
    let bytes = AtomicUsize::new(0);
    let take = async {
        let mut chunk = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from.read(&mut chunk).await {
            most.fetch_max(bytes.fetch_add(read, Relaxed) + read, Relaxed);
            let due = tokio::time::Instant::now() + one_way;
            if sender.send((due, chunk[..read].to_vec())).await.is_err() {
                return;
            }
        }
    };
    let give = async {
        while let Some((due, chunk)) = on_the_way.recv().await {
            sleep_until(due).await;
            bytes.fetch_sub(chunk.len(), Relaxed);
            if to.write_all(&chunk).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(take, give);
}

/// Reads a file of the owner, has its connection cut in the middle, and `meanwhile` done.
async fn cut_in_the_middle(
    one_way: Duration,
    meanwhile: impl FnOnce(&TestPeer),
) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let (owner, visitor) = (
        TestPeer::start("Owner").await,
        TestPeer::start("Visitor").await,
    );
    write(&owner, 0);
    let line = Line::to(&owner, one_way).await;
    let address = format!("{}/p2p/{}", line.address, owner.peer.id());
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
    line.cut.send(()).unwrap();
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
    for one_way in [Duration::ZERO, ONE_WAY] {
        let bytes = cut_in_the_middle(one_way, |_| {}).await.unwrap();
        assert!(bytes == numbers(0), "{} bytes", bytes.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_never_goes_on_with_another_file() {
    for one_way in [Duration::ZERO, ONE_WAY] {
        let outcome = cut_in_the_middle(one_way, |owner| write(owner, 1)).await;
        assert!(outcome.is_err());
    }
}

/// One stream may have 1 MiB on its way, if the other side reads all of it at once. The way is long,
/// so that a slow computer fills it too.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_from_far_away_fills_the_line() {
    let (owner, visitor) = (
        TestPeer::start("Owner").await,
        TestPeer::start("Visitor").await,
    );
    write(&owner, 0);
    let site = owner.dir.path().join("site");
    let file = fs::File::options().write(true).open(site.join("large.bin"));
    file.unwrap().set_len(LEN as u64 / 4).unwrap();
    fs::hard_link(site.join("large.bin"), site.join("large.txt")).unwrap();
    let line = Line::to(&owner, 5 * ONE_WAY).await;
    let address = format!("{}/p2p/{}", line.address, owner.peer.id());
    visitor.peer.add_address(&address).await.unwrap();
    // One comes through a wide window, and the other, whose name looks small, in pieces.
    for (name, kind) in [
        ("/large.bin", "application/octet-stream"),
        ("/large.txt", "text/plain"),
    ] {
        line.most.store(0, Relaxed);
        let (seen, bytes) = visitor.read(&owner, name).await.unwrap();
        assert!(seen.starts_with(kind), "{seen}");
        assert!(bytes == numbers(0)[..LEN / 4], "{} bytes", bytes.len());
        let most = line.most.load(Relaxed);
        assert!(
            most > 3 << 19,
            "{name}: at most {most} bytes were on their way"
        );
    }
    for peer in [visitor, owner] {
        peer.stop().await;
    }
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
