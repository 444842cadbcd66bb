//! Peers that nobody runs, invented at a rendezvous.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use goop2_proto::PeerId;
use serde_json::json;

/// Answers as a server that lists strangers, all of whom claim to be at `addr`; gives its URL. Ends
/// with the process.
pub(crate) fn listing(server: TcpListener, strangers: &[PeerId], addr: &str) -> String {
    let url = format!("http://{}", server.local_addr().unwrap());
    let events: String = strangers
        .iter()
        .map(|peer| {
            let message = json!({
                "type": "update", "peerId": peer.to_base58(), "content": "Stranger", "addrs": [addr], "ts": 1_795_423_273_770_i64,
            });
            format!("data: {message}\n\n")
        })
        .collect();
    thread::spawn(move || {
        let mut held = Vec::new();
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap_or_default();
            if request[..read].starts_with(b"GET /events") {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nGoop2-Events: changes\r\nConnection: close\r\n\r\n";
                let _gone = stream.write_all(format!("{head}{events}").as_bytes());
                held.push(stream);
            } else {
                let _gone = stream.write_all(
                    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                );
            }
        }
    });
    url
}

/// A peer ID, of a key that nobody has.
pub(crate) fn stranger(number: u32) -> PeerId {
    let mut id = [0; 38];
    id[..6].copy_from_slice(&[0, 36, 8, 1, 18, 32]);
    id[6..10].copy_from_slice(&number.to_be_bytes());
    PeerId::from_bytes(&id).unwrap()
}
