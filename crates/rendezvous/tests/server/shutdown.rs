//! Stopping, and starting again.

use std::time::{Duration, Instant};

use goop2_proto::presence::Kind;
use goop2_rendezvous::server::{Config, Server, system_clock};
use tokio::{io::AsyncReadExt, net::TcpStream};

use crate::{
    port, promise,
    world::{Events, addr, config, get, message, publish, start},
};

#[tokio::test]
async fn it_starts_and_stops_repeatedly_on_one_port() {
    let (port, mut took) = (port::unused(), Vec::new());
    for _ in 0..5 {
        let server = start(Config { port, ..config() }).await;
        let mut events = Events::open(addr(&server), "/events", &[]).await;
        publish(addr(&server), &message(1, Kind::Online, "a")).await;
        assert_eq!(events.next().await.unwrap().json()["content"], "a");
        let began = Instant::now();
        server.shutdown().await;
        took.push(began.elapsed());
        assert_eq!(events.block().await.unwrap(), ": bye");
        assert_eq!(events.block().await, None);
    }
    took.sort();
    let second = Duration::from_secs(1);
    promise::time("the end of a rendezvous, the median of 5", took[2], second);
}

#[tokio::test]
async fn hanging_clients_do_not_delay_the_shutdown() {
    let server = start(config()).await;
    let silent = TcpStream::connect(addr(&server)).await.unwrap();
    let mut half = TcpStream::connect(addr(&server)).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(
        &mut half,
        b"POST /publish HTTP/1.1\r\nContent-Length: 5\r\n\r\n{",
    )
    .await
    .unwrap();
    get(addr(&server), "/healthz").await;
    let began = Instant::now();
    server.shutdown().await;
    let (took, limit) = (began.elapsed(), Duration::from_secs(4));
    promise::time("the end of a rendezvous with hanging clients", took, limit);
    let mut rest = Vec::new();
    let mut silent = silent;
    assert_eq!(silent.read_to_end(&mut rest).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn silent_connections_are_closed() {
    let server = start(config()).await;
    let mut silent = TcpStream::connect(addr(&server)).await.unwrap();
    let began = Instant::now();
    assert_eq!(silent.read(&mut [0; 8]).await.unwrap_or(0), 0);
    let waited = began.elapsed();
    assert!((4..12).contains(&waited.as_secs()), "{waited:?}");
    server.shutdown().await;
}

#[tokio::test]
async fn a_port_in_use_is_reported() {
    let server = start(config()).await;
    let port = addr(&server).port();
    let error = Server::bind(Config { port, ..config() }, system_clock)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("port {port} is in use by another program")),
        "{error}"
    );
}
