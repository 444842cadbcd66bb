//! Who gets how many bytes when there are not enough for all.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use futures::future::join_all;
use goop2_node::relay::Limits;
use tokio::time::sleep;

use crate::{
    MIB, promise,
    world::{Client, Over, World},
};

const WATCHED: Duration = Duration::from_secs(4);

/// Visitors that fetch from hosts without an end, with so many streams each, while the time runs;
/// the bytes of each visitor.
async fn race(world: &World, visits: &[(&Client, Vec<&Client>, usize)]) -> Vec<u64> {
    for (visitor, hosts, _) in visits {
        for host in hosts {
            world.connect(visitor, host, Over::Tcp).await.unwrap();
        }
    }
    let came: Vec<_> = visits.iter().map(|_| AtomicU64::new(0)).collect();
    let fetches = visits
        .iter()
        .zip(&came)
        .flat_map(|((visitor, hosts, streams), came)| {
            hosts.iter().flat_map(move |host| {
                (0..*streams).map(move |_| {
                    let count = |bytes| {
                        came.fetch_add(bytes as u64, Relaxed);
                    };
                    visitor.pipes.fetch(host.id, u64::MAX, count)
                })
            })
        });
    tokio::select! {
        _ = join_all(fetches) => panic!("endless streams ended"),
        () = sleep(WATCHED) => {}
    }
    came.into_iter().map(AtomicU64::into_inner).collect()
}

async fn hosts(world: &World, count: usize) -> Vec<Client> {
    let mut hosts = Vec::new();
    for _ in 0..count {
        let host = world.guest().await;
        world.reserve(&host, Over::Tcp).await.unwrap();
        hosts.push(host);
    }
    hosts
}

#[tokio::test]
async fn one_who_takes_all_it_can_leaves_half_to_one_who_visits() {
    let limits = Limits {
        bytes_per_second: 2 * MIB,
        bytes_per_second_per_peer: 0,
        ..Limits::default()
    };
    let world = World::alone(limits).await;
    let many = hosts(&world, 6).await;
    let (greedy, modest) = (world.guest().await, world.guest().await);
    let (one, rest) = many.split_first().unwrap();
    let came = race(
        &world,
        &[(&greedy, rest.iter().collect(), 8), (&modest, vec![one], 1)],
    )
    .await;
    let all: u64 = came.iter().sum();
    let share = came[1] as f64 / all as f64;
    let rate = all as f64 / WATCHED.as_secs_f64() / (2 * MIB) as f64;
    println!(
        "one stream beside 40 to five hosts: {share:.2} of the bytes; all together {rate:.2} of the limit"
    );
    // Where streams are served in turns, it gets a forty-first.
    promise::at_least("what one stream gets beside forty", share, 0.4);
    assert!(rate < 1.3, "{rate:.2}: {came:?}");
    promise::at_least("what all get of the relay's limit", rate, 0.7);
}

#[tokio::test]
async fn each_has_its_own_limit() {
    let limits = Limits {
        bytes_per_second: 0,
        bytes_per_second_per_peer: MIB,
        ..Limits::default()
    };
    let world = World::alone(limits).await;
    let two = hosts(&world, 2).await;
    let (first, second) = (world.guest().await, world.guest().await);
    let came = race(
        &world,
        &[(&first, vec![&two[0]], 4), (&second, vec![&two[1]], 1)],
    )
    .await;
    for bytes in came {
        let rate = bytes as f64 / WATCHED.as_secs_f64() / MIB as f64;
        // A burst of a quarter of a second comes on top.
        assert!(rate < 1.3, "{rate:.2}");
        promise::at_least("what one gets of its limit", rate, 0.7);
    }
}
