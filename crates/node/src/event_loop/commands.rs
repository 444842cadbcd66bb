//! What the handle asks for.

use std::time::Instant;

use goop2_proto::PeerId;

use super::EventLoop;
use crate::command::Command;

impl EventLoop {
    pub(super) fn on_command(&mut self, command: Command) {
        let now = Instant::now();
        let net = &self.net;
        match command {
            Command::Connect {
                peer,
                purpose,
                reply,
            } => self.reaching.connect(peer, purpose, reply, net, now),
            Command::Visit(peer) => self.reaching.visit(peer, net, now),
            Command::Learn { peer, addrs } => self.reaching.learn(peer, addrs, net, now),
            Command::Add { peer, addr } => self.reaching.add(peer, addr, net, now),
            Command::KeepConnected(peers) => self.reaching.keep_connected(peers, net, now),
            Command::CheckConnections(peer) => {
                self.probe(|known| known.peer == peer);
                self.reaching.try_another(peer, &self.net, now);
            }
            Command::Relays(offers) => {
                let actions = self.relays.offer(offers, now);
                self.act_for_relays(actions);
                self.status_changed();
            }
            Command::MapPorts(on) => {
                self.map_ports
                    .send_if_modified(|wish| std::mem::replace(&mut wish.on, on) != on);
            }
            Command::TestAgain => {
                let host = &self.net.host;
                if self.reachability.test_again(&self.relays, host, now) {
                    self.relays.hurry(now);
                    self.status_changed();
                }
            }
            Command::History { peer, reply } => drop(reply.send(self.peer_reach(&peer))),
            Command::Publish(message) => self.publish(message),
            Command::Block { peer, blocked } => self.block(peer, blocked),
            Command::Shutdown => {}
        }
    }

    fn block(&mut self, peer: PeerId, blocked: bool) {
        let list = &mut self.swarm.behaviour_mut().blocked;
        let _changed = if blocked {
            list.block_peer(peer)
        } else {
            list.unblock_peer(peer)
        };
    }

    /// Errors mean that nobody listens, or not fast enough: the next announcement repeats it.
    fn publish(&mut self, message: Vec<u8>) {
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        if let Err(error) = gossip.publish(self.topic.clone(), message) {
            tracing::debug!(%error, "presence was not published");
        }
    }
}
