use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, future::poll_fn};
use libp2p::core::{muxing::StreamMuxerExt, upgrade::InboundConnectionUpgrade};
use tokio::{io::AsyncWriteExt as _, time::timeout};
use tokio_util::compat::TokioAsyncReadCompatExt;

use super::{
    super::{
        Config,
        tests::{Opened, Side, driving, open, pair, take},
    },
    frames::*,
    *,
};

/// Many times what anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stream of `near` that asked, and the same at the other side, where the question was read.
async fn asked(near: &mut Side, far: &mut Side, wide: bool) -> (Opened, Opened) {
    let mut stream = open(near).await;
    let ask = async {
        stream.write_all(b"propose").await.expect("it is taken");
        poll_fn(|cx| {
            let mut write = || Pin::new(&mut stream).poll_write(cx, b"ask");
            if wide { widening(write) } else { write() }
        })
        .await
        .expect("it is taken");
        stream.flush().await.expect("it is taken");
        futures::future::pending::<()>().await;
    };
    let answer = async {
        let mut theirs = take(far).await;
        let mut question = [0; 10];
        let read = theirs.read_exact(&mut question);
        driving(far, read).await.expect("it is asked");
        theirs
    };
    let theirs = tokio::select! {
        () = driving(near, ask) => unreachable!("it asks forever"),
        theirs = answer => theirs,
    };
    (stream, theirs)
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 7) as u8).collect()
}

/// Both sides live while this is done.
async fn done<T>(near: &mut Side, far: &mut Side, work: impl Future<Output = T>) -> T {
    let both = driving(near, driving(far, work));
    timeout(PATIENCE, both).await.expect("it ends")
}

#[tokio::test]
async fn all_of_a_large_answer_is_sent_before_any_is_read() {
    let (mut near, mut far) = pair().await;
    let (mut ours, mut theirs) = asked(&mut near, &mut far, true).await;
    let sent = bytes(WIDTH);
    done(&mut near, &mut far, async {
        theirs.write_all(&sent).await.expect("it is taken");
        theirs.flush().await.expect("it is taken");
    })
    .await;
    let mut received = vec![0; WIDTH];
    let read = async {
        ours.read_exact(&mut received)
            .await
            .expect("it comes whole")
    };
    done(&mut near, &mut far, read).await;
    assert!(received == sent);
}

#[tokio::test]
async fn only_a_window_is_sent_of_others() {
    let (mut near, mut far) = pair().await;
    let (_ours, mut theirs) = asked(&mut near, &mut far, false).await;
    let mut sent = 0;
    let write = async {
        while sent <= WINDOW {
            sent += theirs.write(&[7; 1024]).await.expect("it is taken");
        }
    };
    let both = driving(&mut near, driving(&mut far, write));
    assert!(timeout(Duration::from_millis(200), both).await.is_err());
    assert_eq!(sent, WINDOW);
}

#[tokio::test]
async fn streams_come_whole_next_to_each_other() {
    let (mut near, mut far) = pair().await;
    let mut streams = Vec::new();
    for (at, wide) in [true, false, true, true].into_iter().enumerate() {
        let pair = asked(&mut near, &mut far, wide).await;
        streams.push((pair, bytes(3_000_000 + at)));
    }
    let transfers = streams.iter_mut().map(|((ours, theirs), sent)| async {
        let write = async {
            theirs.write_all(sent).await.expect("it is taken");
            theirs.close().await.expect("it is taken");
        };
        let mut received = vec![0; sent.len()];
        let read = async {
            ours.read_exact(&mut received).await.expect("it comes");
            let after = ours.read(&mut [0]).await.expect("it ends");
            assert_eq!(after, 0);
        };
        futures::join!(write, read);
        assert!(received == *sent);
    });
    done(&mut near, &mut far, futures::future::join_all(transfers)).await;
}

#[tokio::test]
async fn what_is_given_up_is_in_nobodys_way() {
    let (mut near, mut far) = pair().await;
    for _ in 0..2 * MAX_WIDE {
        let (ours, mut theirs) = asked(&mut near, &mut far, true).await;
        done(&mut near, &mut far, async {
            theirs
                .write_all(&[7; 2 * WINDOW])
                .await
                .expect("it is taken");
            theirs.flush().await.expect("it is taken");
        })
        .await;
        drop(ours);
        let refused = async { while theirs.write(&[7; 1024]).await.is_ok() {} };
        done(&mut near, &mut far, refused).await;
    }
}

/// A connection whose other side sends what it likes, on a wide stream.
async fn hostile() -> (Side, tokio::io::DuplexStream, Opened) {
    let (mut raw, near) = tokio::io::duplex(2 * WIDTH);
    let near = Config::new().upgrade_inbound(near.compat(), "").await;
    let mut near = near.expect("no handshake");
    let mut stream = open(&mut near).await;
    let ask = async {
        let ask = poll_fn(|cx| widening(|| Pin::new(&mut stream).poll_write(cx, b"ask")));
        ask.await.expect("it is taken");
        stream.flush().await.expect("it is taken");
        // A ping to measure the round trip, the question, and what the window grows by.
        let mut sent = [0; 3 * HEADER + 3];
        tokio::io::AsyncReadExt::read_exact(&mut raw, &mut sent)
            .await
            .expect("it is sent");
        let grant = sent.last_chunk().expect("it is longer");
        assert_eq!(Head::parse(grant), Head::grant(2, WIDTH));
    };
    driving(&mut near, ask).await;
    (near, raw, stream)
}

#[tokio::test]
async fn more_than_was_granted_ends_the_connection() {
    let (mut near, mut raw, _stream) = hostile().await;
    let send = async {
        for _ in 0..=(WIDTH + WINDOW) / FRAME + WINDOW / FRAME {
            let frame = [&Head::data(2, 0, FRAME).bytes()[..], &[7; FRAME]].concat();
            raw.write_all(&frame).await.expect("it is read");
        }
        futures::future::pending::<()>().await;
    };
    let ends = async {
        tokio::select! {
            () = send => unreachable!("it waits"),
            event = poll_fn(|cx| near.poll_unpin(cx)) => event,
        }
    };
    let ended = timeout(PATIENCE, ends).await.expect("it ends");
    assert!(ended.is_err());
}

#[test]
fn short_frames_take_no_more_room_than_their_bytes() {
    let mut held = Held::new();
    held.room = 0;
    for _ in 0..10 * FRAME {
        held.push(0, vec![7]);
    }
    held.push(FIN, Vec::new());
    held.push(0, vec![7]);
    assert_eq!(held.chunks.len(), 10);
    assert_eq!(held.len, 10 * FRAME);
    let all = held.chunks.iter().map(|chunk| chunk.bytes.capacity());
    assert!(all.sum::<usize>() <= 2 * 10 * FRAME.next_power_of_two());
}

#[test]
fn each_frame_is_seen_however_the_bytes_are_cut() {
    let heads = [
        Head::data(1, 1, 5),
        Head::grant(1, 7),
        Head::data(3, FIN, 0),
        Head::data(5, 0, 40),
    ];
    let sent: Vec<u8> = heads
        .iter()
        .flat_map(|head| {
            let body = if head.is_data() { head.len } else { 0 };
            [&head.bytes()[..], &vec![9; body]].concat()
        })
        .collect();
    for at_a_time in 1..sent.len() {
        let mut frames = Sent::default();
        let mut seen = Vec::new();
        for mut bytes in sent.chunks(at_a_time) {
            while !bytes.is_empty() {
                let (head, rest) = frames.frame(bytes);
                seen.extend(head);
                bytes = rest;
            }
        }
        assert_eq!(seen, heads, "{at_a_time} at a time");
        assert!(frames.is_between_frames());
    }
}
