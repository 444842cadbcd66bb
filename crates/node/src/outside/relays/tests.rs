use super::*;

fn offer() -> RelayOffer {
    RelayOffer {
        peer: PeerId::random(),
        addrs: ["/ip4/11.0.0.9/udp/4002/quic-v1", "/ip4/11.0.0.9/tcp/4002"]
            .map(|addr| addr.parse().unwrap())
            .to_vec(),
        label: "meet.example".into(),
    }
}

/// From an offer to a reservation.
fn reserve(relays: &mut Relays, peer: PeerId, now: Instant) -> ListenerId {
    let Some(Action::Dial { .. }) = relays.poll(0.5, now) else {
        panic!("it is due");
    };
    relays.connected(&peer, now);
    let Some(Action::Reserve { addr, .. }) = relays.identified(&peer, now) else {
        panic!("it is asked");
    };
    assert!(addr.to_string().contains("/tcp/"));
    let listener = ListenerId::next();
    relays.asking(&peer, Ok(listener), now);
    assert!(relays.held(&peer, now));
    listener
}

#[test]
fn a_reservation_is_asked_for_once_the_relay_has_said_who_it_is() {
    let (now, offer) = (Instant::now(), offer());
    let mut relays = Relays::default();
    assert!(relays.offer(vec![offer.clone()], now).is_empty());
    assert_eq!(relays.status()[0].state, Reservation::Asking);
    reserve(&mut relays, offer.peer, now);
    assert_eq!(relays.status()[0].state, Reservation::Held(now));
    assert_eq!(
        relays.circuits().next().unwrap().to_string(),
        format!(
            "/ip4/11.0.0.9/udp/4002/quic-v1/p2p/{}/p2p-circuit",
            offer.peer
        )
    );
    // And once over the other transport.
    assert_eq!(
        relays.poll(0.5, now),
        Some(Action::Observe {
            peer: offer.peer,
            addrs: vec![offer.addrs[0].clone()]
        })
    );
    assert_eq!(relays.poll(0.5, now), None);
    assert!(!relays.held(&offer.peer, now), "a renewal is not news");
}

#[test]
fn a_relay_that_is_back_within_ten_minutes_is_found_within_seconds() {
    let (start, offer) = (Instant::now(), offer());
    let mut relays = Relays::default();
    relays.offer(vec![offer.clone()], start);
    let listener = reserve(&mut relays, offer.peer, start);
    let mut now = start;
    assert_eq!(
        relays.closed(listener, "gone".into(), 1.0, now),
        Some(offer.peer)
    );
    assert_eq!(relays.circuits().count(), 0);
    let mut transports = Vec::new();
    while now < start + Duration::from_secs(5 * 60) {
        let next = relays.poll_timeout().unwrap();
        assert!(next - now <= PAUSE, "{:?}", next - now);
        now = next;
        let Some(Action::Dial { addrs, .. }) = relays.poll(1.0, now) else {
            panic!("due");
        };
        transports.push(addresses::transport(&addrs[0]));
        relays.failed(&offer.peer, "refused".into(), 1.0, now);
    }
    assert!(transports.contains(&Some(Transport::Quic)));
    relays.hurry(now);
    reserve(&mut relays, offer.peer, now);
}

#[test]
fn a_silent_relay_is_given_up_at_every_step() {
    let (mut now, offer) = (Instant::now(), offer());
    let mut relays = Relays::default();
    relays.offer(vec![offer.clone()], now);
    for step in 0..3 {
        now = relays.poll_timeout().unwrap().max(now);
        assert!(matches!(relays.poll(0.0, now), Some(Action::Dial { .. })));
        if step > 0 {
            relays.connected(&offer.peer, now);
        }
        if step > 1 {
            relays.identified(&offer.peer, now);
        }
        if step > 0 {
            assert!(matches!(
                relays.poll(0.0, now),
                Some(Action::Observe { .. })
            ));
        }
        now = relays.poll_timeout().unwrap();
        assert_eq!(
            relays.poll(0.0, now),
            Some(Action::Disconnect(offer.peer)),
            "step {step}"
        );
        assert!(matches!(
            relays.status()[0].state,
            Reservation::Failed { .. }
        ));
    }
}

#[test]
fn a_reachable_peer_keeps_no_reservation_and_asks_again_when_it_is_no_longer() {
    let (now, offer) = (Instant::now(), offer());
    let mut relays = Relays::default();
    relays.offer(vec![offer.clone()], now);
    let listener = reserve(&mut relays, offer.peer, now);
    let peer = offer.peer;
    let released = [Action::Release { peer, listener }];
    assert_eq!(relays.set_reachable(true, now), released);
    assert!(!relays.wants(&peer));
    assert_eq!(relays.poll(0.5, now), None);
    assert_eq!(relays.poll_timeout(), Some(now + OBSERVE_RARELY));
    // Without a reservation it is dialed rarely, and when the user asks.
    relays.hurry(now);
    let addrs = vec![offer.addrs[1].clone()];
    assert_eq!(relays.poll(0.5, now), Some(Action::Observe { peer, addrs }));
    assert_eq!(relays.poll(0.5, now), None);
    assert_eq!(relays.status()[0].state, Reservation::NotNeeded);
    relays.connected(&offer.peer, now);
    assert_eq!(relays.identified(&offer.peer, now), None);
    assert!(relays.set_reachable(false, now).is_empty());
    reserve(&mut relays, offer.peer, now);
}

#[test]
fn a_relay_no_longer_offered_is_left_and_offers_are_bounded() {
    let (now, first) = (Instant::now(), offer());
    let mut relays = Relays::default();
    relays.offer(vec![first.clone()], now);
    let listener = reserve(&mut relays, first.peer, now);
    let others: Vec<_> = std::iter::repeat_with(offer).take(20).collect();
    let peer = first.peer;
    let released = [Action::Release { peer, listener }];
    assert_eq!(relays.offer(others, now), released);
    assert_eq!(relays.status().len(), MAX_RELAYS);
    let mut useless = offer();
    useless.addrs = vec!["/ip4/11.0.0.9/tcp/1/ws".parse().unwrap()];
    relays.offer(vec![useless], now);
    assert!(relays.status().is_empty());
}
