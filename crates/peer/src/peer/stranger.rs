//! Your own site as a stranger gets it, so that you see what visitors may and may not do there: the
//! same files, and the tables under their policies, as a visitor of this run whom nobody knows. What
//! the stranger writes is written. Looking does not count as a visit.

use goop2_proto::{PeerId, data::Request};
use goop2_store::{Caller, Folder};
use serde_json::Value;

use crate::{disk::blocking, error::Error, live::stream, peer::Peer, sites::http::Body};

impl Peer {
    /// Who the stranger is, another one in each run.
    pub fn stranger(&self) -> PeerId {
        self.0.stranger
    }

    /// As [`Peer::data`], on your own database as the stranger.
    pub async fn data_as_stranger(&self, request: Request) -> Result<Option<Value>, Error> {
        let caller = Caller::Remote {
            peer: self.0.stranger,
            email: String::new(),
        };
        let execute = move |folder: &Folder| folder.database().execute(&caller, &request);
        let answer = blocking(&self.0.folder, execute).await?;
        answer.map_err(Error::Data)
    }

    /// As [`Peer::changes`], of your own site as the stranger learns them.
    pub fn changes_as_stranger(&self, query: &str) -> Result<Body, Error> {
        let since = stream::since(query);
        let subscriber = self.0.live.changes.subscribe(self.0.stranger, since);
        let subscriber = subscriber.ok_or(Error::Cut)?;
        Ok(stream::answer(subscriber, ()).into_body())
    }
}
