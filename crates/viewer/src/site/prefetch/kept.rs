//! Files that a browser has kept are asked about together: whether each is still the same takes a few
//! bytes, and the requests for it would take as long as those for the files.

use std::{iter, sync::Arc};

use axum::{
    body::Body,
    http::{
        HeaderValue, Response, StatusCode,
        header::{ETAG, IF_NONE_MATCH},
    },
};
use goop2_proto::http::MAX_KEPT;
use tokio::time::sleep;

use super::{Answer, HOLD, Shared, Wanted, unconditional};

/// Fewer are asked for one by one.
const FEW: usize = 4;
/// Bytes of the addresses and tags in one question: half of what a head may have.
const MAX_BYTES: usize = 8 * 1024;

/// Divides what is wanted into what is asked about together, of one site each, and all else.
pub(super) fn together(wanted: Vec<Wanted>) -> (Vec<Vec<Wanted>>, Vec<Wanted>) {
    let (kept, mut others): (Vec<_>, Vec<_>) =
        wanted.into_iter().partition(|wanted| tag(wanted).is_some());
    if kept.len() < FEW {
        others.extend(kept);
        return (Vec::new(), others);
    }
    let mut questions: Vec<Vec<Wanted>> = Vec::new();
    let mut bytes = 0;
    for wanted in kept {
        let more = wanted.key.1.len() + tag(&wanted).map_or(0, HeaderValue::len);
        let fits = |question: &Vec<Wanted>| question.len() < MAX_KEPT && bytes + more <= MAX_BYTES;
        match questions.last_mut().filter(|question| fits(question)) {
            Some(question) => question.push(wanted),
            None => {
                bytes = 0;
                questions.push(vec![wanted]);
            }
        }
        bytes += more;
    }
    (questions, others)
}

fn tag(wanted: &Wanted) -> Option<&HeaderValue> {
    wanted.request.headers.get(IF_NONE_MATCH)
}

impl Shared {
    /// Answers for the files that are still the same, and asks for the others.
    pub(super) async fn serve_kept(self: Arc<Self>, wanted: Vec<Wanted>) {
        let Some(first) = wanted.first() else {
            return;
        };
        let (peer, headers) = (first.key.0, unconditional(&first.request.headers));
        let files = wanted
            .iter()
            .filter_map(|wanted| Some((wanted.key.1.clone(), tag(wanted)?.clone())));
        let files: Vec<_> = files.collect();
        let said = self
            .peer
            .kept(peer, &headers, &files)
            .await
            .unwrap_or_default();
        let mut waiting = Vec::new();
        for (wanted, same) in iter::zip(wanted, said.into_iter().chain(iter::repeat(false))) {
            if same {
                let answer = unchanged(tag(&wanted));
                let _browser_is_gone = wanted.sender.send(answer);
                waiting.push((wanted.key, wanted.number));
            } else {
                let shared = Arc::clone(&self);
                self.state().tasks.spawn(shared.serve(wanted));
            }
        }
        sleep(HOLD).await;
        let mut state = self.state();
        for (key, number) in waiting {
            state.forget(&key, number);
        }
    }
}

fn unchanged(tag: Option<&HeaderValue>) -> Answer {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response
        .headers_mut()
        .extend(tag.map(|tag| (ETAG, tag.clone())));
    Answer {
        response,
        _room: Vec::new(),
    }
}
