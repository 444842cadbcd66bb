//! One connection's streams: negotiates what is asked for, delivers what arrives.

use std::{
    collections::{HashSet, VecDeque},
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready as ready_or_pending},
};

use libp2p::{
    InboundUpgrade, OutboundUpgrade, StreamProtocol,
    core::UpgradeInfo,
    swarm::{
        ConnectionHandler, ConnectionHandlerEvent, StreamUpgradeError, SubstreamProtocol,
        handler::{
            ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
            ProtocolsChange,
        },
    },
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
    time::{Instant, Sleep, sleep_until},
};
use tokio_util::sync::{PollSemaphore, PollSender};

use super::{
    control::{
        ATTEMPT, Failure, MAX_WAITING_PER_CONNECTION, PUNCH, Registration, Request, WAITING_FOR,
    },
    open::{InUse, InboundStream, Negotiated, Stream},
};

/// See the module.
pub(crate) struct Handler {
    registration: Registration,
    relayed: bool,
    accept: Accept,
    requests: mpsc::Receiver<Request>,
    /// What the other side says it speaks; nothing before identify has been heard.
    remote: HashSet<StreamProtocol>,
    /// Negotiated, not yet delivered, and until when that may last.
    waiting: VecDeque<(Negotiated, Instant)>,
    /// Until the first of them has waited too long.
    deadline: Option<Pin<Box<Sleep>>>,
    share: PollSemaphore,
    /// Taken from `share` while the channel is full.
    permit: Option<OwnedSemaphorePermit>,
    inbound: PollSender<InboundStream>,
    punches: mpsc::Sender<InboundStream>,
}

impl Handler {
    pub(super) fn new(
        registration: Registration,
        requests: mpsc::Receiver<Request>,
        relayed: bool,
        protocols: Arc<[&'static str]>,
        inbound: mpsc::Sender<InboundStream>,
        punches: mpsc::Sender<InboundStream>,
    ) -> Self {
        Self {
            share: PollSemaphore::new(registration.inbound.clone()),
            registration,
            relayed,
            accept: Accept(protocols),
            requests,
            remote: HashSet::new(),
            waiting: VecDeque::new(),
            deadline: None,
            permit: None,
            inbound: PollSender::new(inbound),
            punches,
        }
    }

    /// The one protocol that is the node's own. Nobody waits for it: what does not fit is reset.
    fn deliver_punch(&self, inner: libp2p::Stream) {
        let Ok(share) = self.registration.inbound.clone().try_acquire_owned() else {
            return;
        };
        let _full = self.punches.try_send(self.stream(inner, PUNCH, share));
    }

    fn stream(
        &self,
        inner: libp2p::Stream,
        protocol: &'static str,
        share: OwnedSemaphorePermit,
    ) -> InboundStream {
        InboundStream {
            peer: self.registration.peer,
            protocol,
            relayed: self.relayed,
            stream: Stream {
                inner,
                _share: share,
                connection: self.registration.id,
                carrier: InUse::new(self.registration.traffic.clone()),
                widens: false,
            },
        }
    }

    /// The first of these that the other side has named, or all when it has named none: then the
    /// negotiation finds out, at a round trip each.
    fn offer(&self, protocols: &[&'static str]) -> Offer {
        let named = protocols
            .iter()
            .find(|protocol| self.remote.contains(&StreamProtocol::new(protocol)));
        Offer(named.map_or_else(|| protocols.to_vec(), |protocol| vec![*protocol]))
    }

    /// Delivers as much as the peer's share and the channel allow; ready once nothing waits.
    fn poll_deliver(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.waiting.is_empty() {
            if self.permit.is_none() {
                self.permit = ready_or_pending!(self.share.poll_acquire(cx));
            }
            if ready_or_pending!(self.inbound.poll_reserve(cx)).is_err() {
                // Nothing serves now: the node is shutting down.
                self.waiting.clear();
            }
            if let (Some(share), Some(((inner, protocol), _))) =
                (self.permit.take(), self.waiting.pop_front())
            {
                let stream = self.stream(inner, protocol, share);
                let _ = self.inbound.send_item(stream);
            }
        }
        Poll::Ready(())
    }

    /// Resets those that have waited too long.
    fn poll_deadlines(&mut self, cx: &mut Context<'_>) {
        while let Some((_, until)) = self.waiting.front() {
            let deadline = self
                .deadline
                .get_or_insert_with(|| Box::pin(sleep_until(*until)));
            if deadline.deadline() != *until {
                deadline.as_mut().reset(*until);
            }
            if deadline.as_mut().poll(cx).is_pending() {
                return;
            }
            tracing::debug!(peer = %self.registration.peer, "a stream waited too long and was reset");
            self.waiting.pop_front();
        }
        self.deadline = None;
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Infallible;
    type InboundProtocol = Accept;
    type OutboundProtocol = Offer;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = oneshot::Sender<Result<Negotiated, Failure>>;

    fn listen_protocol(&self) -> SubstreamProtocol<Accept> {
        SubstreamProtocol::new(self.accept.clone(), ())
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Self::OutboundOpenInfo, Infallible>>
    {
        let _ = self.poll_deliver(cx);
        self.poll_deadlines(cx);
        loop {
            return match self.requests.poll_recv(cx) {
                Poll::Ready(Some(request)) if request.reply.is_closed() => continue,
                Poll::Ready(Some(Request { protocols, reply })) => {
                    let protocol =
                        SubstreamProtocol::new(self.offer(&protocols), reply).with_timeout(ATTEMPT);
                    Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol })
                }
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            };
        }
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Accept, Self::OutboundProtocol, (), Self::OutboundOpenInfo>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol, ..
            }) => {
                if protocol.1 == PUNCH {
                    self.deliver_punch(protocol.0);
                } else if self.waiting.len() < MAX_WAITING_PER_CONNECTION {
                    let until = Instant::now() + WAITING_FOR;
                    self.waiting.push_back((protocol, until));
                } else {
                    tracing::debug!(peer = %self.registration.peer, "too many streams at once: one was reset");
                }
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol,
                info,
            }) => {
                let _ = info.send(Ok(protocol));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                let _ = info.send(Err(match error {
                    StreamUpgradeError::NegotiationFailed => Failure::Unsupported,
                    StreamUpgradeError::Timeout => Failure::TimedOut,
                    StreamUpgradeError::Io(error) => Failure::Broken(error),
                    StreamUpgradeError::Apply(never) => match never {},
                }));
            }
            ConnectionEvent::RemoteProtocolsChange(ProtocolsChange::Added(added)) => {
                self.remote.extend(added.cloned());
            }
            ConnectionEvent::RemoteProtocolsChange(ProtocolsChange::Removed(removed)) => {
                for protocol in removed {
                    self.remote.remove(protocol);
                }
            }
            _ => {}
        }
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        match event {}
    }
}

/// Accepts any of the configured protocols and says which it was.
#[derive(Clone)]
pub(crate) struct Accept(Arc<[&'static str]>);

impl UpgradeInfo for Accept {
    type Info = &'static str;
    type InfoIter = std::vec::IntoIter<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.iter().copied().collect::<Vec<_>>().into_iter()
    }
}

impl InboundUpgrade<libp2p::Stream> for Accept {
    type Output = Negotiated;
    type Error = Infallible;
    type Future = Ready<Result<Negotiated, Infallible>>;

    fn upgrade_inbound(self, stream: libp2p::Stream, protocol: &'static str) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}

/// Offers these protocols in this order.
pub(crate) struct Offer(Vec<&'static str>);

impl UpgradeInfo for Offer {
    type Info = &'static str;
    type InfoIter = std::vec::IntoIter<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl OutboundUpgrade<libp2p::Stream> for Offer {
    type Output = Negotiated;
    type Error = Infallible;
    type Future = Ready<Result<Negotiated, Infallible>>;

    fn upgrade_outbound(self, stream: libp2p::Stream, protocol: &'static str) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}
