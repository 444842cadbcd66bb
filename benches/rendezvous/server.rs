//! The server under load, and what it costs the host.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    time::Duration,
};

use serde_json::json;
use tokio::net::{TcpSocket, TcpStream};

use crate::support::peer::{Folder, Peer};

pub(crate) struct Server {
    process: Peer,
    _folder: Folder,
}

impl Server {
    /// With the default limits. It trusts no proxy: clients here have their own addresses.
    pub(crate) fn start() -> Self {
        let folder = Folder::with(&json!({
            "presence": { "rendezvous_port": 0, "rendezvous_bind": "127.0.0.1", "trusted_proxies": [] }
        }));
        Self {
            process: Peer::rendezvous(&folder, None),
            _folder: folder,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        let listen = &self.process.ready().event["listen"][0];
        let text = listen.as_str().expect("it listens somewhere");
        text.parse().expect("an address")
    }

    /// Bytes; see [`Peer::memory`].
    pub(crate) fn memory(&self, figure: &str) -> f64 {
        self.process.memory(figure)
    }

    /// Processor time of all its threads so far, kernel work for them included; to the microsecond,
    /// unlike `/proc/PID/stat`.
    pub(crate) fn cpu(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.process.pid())).expect("it runs");
        let nanos = tasks.filter_map(|task| {
            let stat = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            stat.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(nanos.sum())
    }
}

/// A connection from the address of one of many clients: a server counts by address, and each has
/// its own ports.
pub(crate) async fn connect(server: SocketAddr, [net, host]: [u8; 2]) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("descriptors are left");
    let from = SocketAddrV4::new(Ipv4Addr::new(127, 0, net, host), 0);
    socket
        .bind(from.into())
        .expect("all of 127.0.0.0/8 is this machine");
    let stream = socket.connect(server).await.expect("it listens");
    stream.set_nodelay(true).expect("a TCP stream");
    stream
}
