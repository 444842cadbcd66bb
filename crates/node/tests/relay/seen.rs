//! Where the relay sees a peer, for those who are to send packets there.

use goop2_node::relay::Limits;

use crate::world::{Over, World};

#[tokio::test]
async fn two_who_have_met_learn_where_the_other_is_seen_and_nobody_else_does() {
    let world = World::new(Limits::default()).await;
    let (host, visitor, other) = (
        world.guest().await,
        world.guest().await,
        world.guest().await,
    );
    world.reserve(&host, Over::Tcp).await.unwrap();
    world.connect(&visitor, &host, Over::Quic).await.unwrap();
    other.dial(world.addr(Over::Tcp)).await.unwrap();
    world.told(|usage| usage.circuits.len() == 1).await;
    let relay = world.relay.peer_id();
    let seen = Some("127.0.0.1\n".to_owned());
    assert_eq!(visitor.pipes.seen(relay, host.id).await, seen);
    assert_eq!(host.pipes.seen(relay, visitor.id).await, seen);
    for (asker, peer) in [(&other, host.id), (&visitor, other.id)] {
        let nothing = Some(String::new());
        assert_eq!(asker.pipes.seen(relay, peer).await, nothing);
    }
}
