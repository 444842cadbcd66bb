//! Sites: files, data and pictures, of other peers and of your own folder.

use std::time::{Duration, Instant};

use ::http::{HeaderMap, HeaderValue, Response, StatusCode, request::Parts};
use bytes::Bytes;
use goop2_proto::{PeerId, data::Request};
use goop2_store::{Caller, Folder};
use serde_json::Value;

use crate::{
    api::visit::Place,
    disk::blocking,
    error::Error,
    link,
    live::stream,
    peer::Peer,
    sites::{
        http::{self, Body, fetch, kept},
        visit,
    },
};

/// A failure that comes sooner costs nobody anything: it is asked for again each time.
const SLOW: Duration = Duration::from_secs(2);

impl Peer {
    /// Fetches a file of a site: a GET or HEAD whose address is relative to the site's root. Your own
    /// id reads your own folder. An answer of any status is one; existing peers, which know no
    /// status, answer 200 or an error. A peer that did not answer within the last minute is not
    /// asked again before it is heard of, or [`Peer::try_again`].
    ///
    /// Errors: [`Error::Blocked`], and every way a visit can fail (PROTOCOL §4).
    pub async fn fetch(&self, peer: PeerId, request: Parts) -> Result<Response<Body>, Error> {
        if peer == self.id() {
            let live = self.0.live.clone();
            let answer = move |folder: &Folder| live.answer(folder, &request).map(http::begin);
            blocking(&self.0.folder, answer).await
        } else {
            self.begin_visit(peer)?;
            if self.is_absent(&peer) {
                return Err(Error::Offline);
            }
            let asked = Instant::now();
            let answer = fetch::fetch(&self.0.client, peer, &request).await;
            match answer {
                Err(Error::Offline | Error::TooSlow) if asked.elapsed() >= SLOW => {
                    let from = self.0.node.status().borrow().listen.clone();
                    self.0.absent.note(peer, from, Instant::now());
                }
                _ => self.0.absent.forget(&peer),
            }
            answer
        }
    }

    /// Whether each of these files of another peer's site, an address and the `ETag` of a copy, is
    /// still the same for requests with these headers; at most [`MAX_KEPT`](goop2_proto::http::MAX_KEPT). `None` if its owner
    /// does not say, and each is to be asked for.
    pub async fn kept(
        &self,
        peer: PeerId,
        headers: &HeaderMap,
        files: &[(String, HeaderValue)],
    ) -> Option<Vec<bool>> {
        self.refuse_blocked(&peer).ok()?;
        kept::ask(&self.0.client, peer, headers, files).await
    }

    /// What changes on a site, as server-sent events (`docs/protocol-v2.md`), from the moment
    /// that the query of the request names. [`Error::NotFound`] if its owner does not tell.
    pub async fn changes(&self, peer: PeerId, query: &str) -> Result<Body, Error> {
        let since = stream::since(query);
        if peer == self.id() {
            let subscriber = self.0.live.changes.subscribe_owner(since);
            return Ok(stream::answer(subscriber, ()).into_body());
        }
        self.refuse_blocked(&peer)?;
        let begun = Instant::now();
        let ask = async |since| {
            let request = stream::request(since);
            fetch::fetch(&self.0.client, peer, &request).await
        };
        let mut response = ask(since).await?;
        // To connect takes seconds at times, and the page got older.
        if begun.elapsed() > stream::SOON {
            response = ask(since.later(begun.elapsed())).await?;
        }
        match response.status() {
            StatusCode::OK if stream::is_one(&response) => Ok(response.into_body()),
            // It has no room, or is about to end.
            status if status.is_server_error() => Err(Error::Cut),
            _ => Err(Error::NotFound),
        }
    }

    /// The next visit really tries, also if the last one found nobody a moment ago.
    pub fn try_again(&self, peer: &PeerId) {
        self.0.absent.forget(peer);
    }

    /// Whether the peer did not answer a moment ago, and nothing was heard of it since.
    fn is_absent(&self, peer: &PeerId) -> bool {
        let heard = self
            .0
            .roster
            .lock()
            .get(peer)
            .map(|record| record.last_seen);
        let status = self.0.node.status();
        let status = status.borrow();
        !status.connections.contains_key(peer)
            && (self.0.absent).knows(peer, &status.listen, heard, Instant::now())
    }

    /// Runs a data operation (PROTOCOL §5) on the database of a site's owner; on your own, without
    /// restrictions. [`Error::Data`] has the owner's error text.
    pub async fn data(&self, peer: PeerId, request: Request) -> Result<Option<Value>, Error> {
        let answer = if peer == self.id() {
            let execute =
                move |folder: &Folder| folder.database().execute(&Caller::Local, &request);
            blocking(&self.0.folder, execute).await?
        } else {
            self.begin_visit(peer)?;
            visit::data(&self.0.node, &self.0.owners, peer, request).await?
        };
        answer.map_err(Error::Data)
    }

    /// Sets who may insert into a table of your own database: `owner`, `email`, `open` or `public`.
    pub async fn set_policy(&self, table: String, policy: String) -> Result<(), Error> {
        let set = move |folder: &Folder| folder.database().set_policy(&table, &policy);
        blocking(&self.0.folder, set).await?.map_err(Error::Data)
    }

    /// The picture a peer chose, in whatever format it has; `None` if it has none.
    pub async fn avatar(&self, peer: PeerId) -> Result<Option<Bytes>, Error> {
        if peer == self.id() {
            let avatar = blocking(&self.0.folder, Folder::avatar).await??;
            Ok(avatar.map(|avatar| avatar.bytes.into()))
        } else {
            self.refuse_blocked(&peer)?;
            visit::avatar(&self.0.node, peer).await
        }
    }

    /// Where a typed or pasted address leads. A multiaddr is also remembered, as
    /// [`Peer::add_address`] does.
    pub async fn place(&self, text: &str) -> Result<Place, Error> {
        if text.trim().starts_with('/') {
            return Ok(Place {
                peer: self.add_address(text).await?.to_base58(),
                path: "/".into(),
            });
        }
        link::parse(text)
    }

    fn begin_visit(&self, peer: PeerId) -> Result<(), Error> {
        self.refuse_blocked(&peer)?;
        let mut roster = self.0.roster.lock();
        roster.visit(peer);
        // The node may have been too busy for what thousands of others announced.
        let connected = self
            .0
            .node
            .status()
            .borrow()
            .connections
            .contains_key(&peer);
        if let Some(record) = roster.get(&peer).filter(|_| !connected) {
            self.0.node.learn(peer, record.presence.addrs.clone());
        }
        Ok(())
    }

    fn refuse_blocked(&self, peer: &PeerId) -> Result<(), Error> {
        if self.0.known.is_blocked(peer) {
            Err(Error::Blocked)
        } else {
            Ok(())
        }
    }
}
