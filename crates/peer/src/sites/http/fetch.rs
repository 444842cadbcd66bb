//! Asks another peer for a file of its site, in the best way it knows.

use std::sync::Arc;

use goop2_proto::PeerId;
use goop2_store::Content;
use http::{Response, request::Parts};
use http_body::Body as _;

use super::{
    body::{self, Body},
    client::{Asked, Client, Opened},
    existing, resume,
};
use crate::{
    error::Error,
    sites::visit::{FIRST_ANSWER, answer_within, retried},
};

/// Asks for one file: a GET or HEAD with an origin-form address, relative to the site's root. A body
/// that breaks off goes on where it was when its owner can do that.
pub(crate) async fn fetch(
    client: &Arc<Client>,
    peer: PeerId,
    request: &Parts,
) -> Result<Response<Body>, Error> {
    answer_within(FIRST_ANSWER, retried(|| ask(client, peer, request))).await
}

async fn ask(client: &Arc<Client>, peer: PeerId, request: &Parts) -> Result<Response<Body>, Error> {
    let width = client.width(peer, request);
    if width.is_none()
        && let Some(asked) = client.ask_idle(peer, request).await
    {
        return Ok(answer(client, peer, request, asked));
    }
    let mut opened = client.open(peer, width).await?;
    if matches!(&opened, Opened::Http(line) if line.kept)
        && let Opened::Http(line) = opened
    {
        match client.ask_on(line, peer, request).await {
            // That it speaks this was perhaps only taken for granted: then it is known now.
            Err(Error::Cut) => opened = client.open(peer, None).await?,
            asked => return Ok(answer(client, peer, request, asked?)),
        }
        if matches!(&opened, Opened::Http(line) if line.kept) {
            return Err(Error::Cut);
        }
    }
    let asked = match opened {
        Opened::Http(line) => client.ask_on(line, peer, request).await?,
        Opened::Existing(stream) => {
            return existing::fetch(&client.node, peer, stream, request).await;
        }
    };
    Ok(answer(client, peer, request, asked))
}

fn answer(client: &Arc<Client>, peer: PeerId, request: &Parts, asked: Asked) -> Response<Body> {
    let (response, line) = asked;
    let (head, body) = response.into_parts();
    let body = if body.is_end_stream() {
        // Nobody reads a body that is none.
        client.keep(peer, line);
        body::begin(Content::Empty)
    } else {
        resume::body(client, peer, request, &head, (body, line))
    };
    Response::from_parts(head, body)
}
