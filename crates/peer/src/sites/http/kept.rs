//! Which of the files that a browser has kept are still the same, asked about together: one request for
//! what a page loads again, instead of one for each file. Each file is answered for as a request of
//! its own with `If-None-Match` would be.

use std::sync::Arc;

use bytes::Bytes;
use goop2_proto::{
    PeerId,
    http::{KEPT, KEPT_FILES, MAX_KEPT},
};
use goop2_store::Content;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode, Uri,
    header::{ACCEPT_ENCODING, CONTENT_TYPE, IF_NONE_MATCH},
    request::Parts,
};
use http_body_util::{BodyExt, Limited};

use super::{
    client::{Client, get},
    fetch,
};

/// The media type of an answer.
const MIME: HeaderValue = HeaderValue::from_static("application/vnd.goop.kept");
const SAME: u8 = b'=';
const CHANGED: u8 = b'!';

/// A file and the tag of the version that was kept.
pub(crate) type File = (String, HeaderValue);

/// Asks whether each of these is still the same; `None` if the owner does not say. `headers` are those
/// of the requests for the files.
pub(crate) async fn ask(
    client: &Arc<Client>,
    peer: PeerId,
    headers: &HeaderMap,
    files: &[File],
) -> Option<Vec<bool>> {
    let request = request(headers, files)?;
    let response = fetch::fetch(client, peer, &request).await.ok()?;
    let is_one =
        response.status() == StatusCode::OK && response.headers().get(CONTENT_TYPE) == Some(&MIME);
    if !is_one {
        return None;
    }
    let body = Limited::new(response.into_body(), MAX_KEPT);
    let said = body.collect().await.ok()?.to_bytes();
    (said.len() == files.len()).then(|| said.iter().map(|said| *said == SAME).collect())
}

fn request(headers: &HeaderMap, files: &[File]) -> Option<Parts> {
    let mut list = Vec::new();
    for (address, tag) in files {
        let words = [address.as_bytes(), tag.as_bytes()];
        if words.iter().any(|word| word.contains(&b' ')) {
            return None;
        }
        list.extend(words);
    }
    let mut asked = HeaderMap::new();
    asked.insert(KEPT_FILES, HeaderValue::from_bytes(&list.join(&b' ')).ok()?);
    if let Some(encodings) = headers.get(ACCEPT_ENCODING) {
        asked.insert(ACCEPT_ENCODING, encodings.clone());
    }
    Some(get(Uri::from_static(KEPT), asked))
}

/// The requests that a question stands for; those beyond [`MAX_KEPT`] are not answered.
pub(super) fn requests(question: &Parts) -> impl Iterator<Item = Option<Parts>> {
    let encodings = question.headers.get(ACCEPT_ENCODING).cloned();
    let list = question.headers.get(KEPT_FILES);
    let list = list.map(HeaderValue::as_bytes).unwrap_or_default();
    let words: Vec<_> = list.split(|byte| *byte == b' ').collect();
    let files: Vec<_> = words
        .chunks_exact(2)
        .take(MAX_KEPT)
        .map(|file| {
            let address = Uri::try_from(file[0]).ok()?;
            let is_of_site = address.authority().is_none() && address.path().starts_with('/');
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, HeaderValue::from_bytes(file[1]).ok()?);
            headers.extend(
                encodings
                    .clone()
                    .map(|encodings| (ACCEPT_ENCODING, encodings)),
            );
            is_of_site.then(|| get(address, headers))
        })
        .collect();
    files.into_iter()
}

/// The answer, from the status of each.
pub(super) fn answer(statuses: impl Iterator<Item = StatusCode>) -> Response<Content> {
    let said: Bytes = statuses
        .map(|status| match status {
            StatusCode::NOT_MODIFIED => SAME,
            _ => CHANGED,
        })
        .collect();
    let mut response = Response::new(Content::Bytes(said));
    response.headers_mut().insert(CONTENT_TYPE, MIME);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(files: &[(&str, &'static str)]) -> Vec<File> {
        let files = files.iter();
        files
            .map(|(address, tag)| ((*address).into(), HeaderValue::from_static(tag)))
            .collect()
    }

    #[test]
    fn a_question_is_that_many_requests() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("br"));
        let asked = files(&[("/a%20b.css?x", "\"1\""), ("/c,d.js", "\"2,3\"")]);
        let question = request(&headers, &asked).unwrap();
        let requests: Vec<_> = requests(&question).flatten().collect();
        assert_eq!(requests.len(), 2);
        for (request, (address, tag)) in requests.iter().zip(&asked) {
            assert_eq!(request.uri, address.as_str());
            assert_eq!(request.headers[IF_NONE_MATCH], tag);
            assert_eq!(request.headers[ACCEPT_ENCODING], "br");
            assert_eq!(request.headers.len(), 2);
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_not_asked() {
        let headers = HeaderMap::new();
        assert!(request(&headers, &files(&[("/a", "\"1 2\"")])).is_none());
        assert!(request(&headers, &files(&[("/a b", "\"1\"")])).is_none());
    }

    #[test]
    fn strange_questions_have_short_answers() {
        let table: [(&[u8], &[bool]); 6] = [
            (b"", &[]),
            (b"/a", &[]),
            (b"/a \"1\" /b", &[true]),
            (b"http://other/ \"1\" /b \"2\"", &[false, true]),
            (b"* \"1\"", &[false]),
            (b"  ", &[false]),
        ];
        for (list, expected) in table {
            let mut question = get(Uri::from_static(KEPT), HeaderMap::new());
            let list = HeaderValue::from_bytes(list).unwrap();
            question.headers.insert(KEPT_FILES, list.clone());
            let seen: Vec<_> = requests(&question).map(|one| one.is_some()).collect();
            assert_eq!(seen, expected, "{list:?}");
        }
        let mut question = get(Uri::from_static(KEPT), HeaderMap::new());
        let many = HeaderValue::from_str(&"/a \"1\" ".repeat(10 * MAX_KEPT)).unwrap();
        question.headers.insert(KEPT_FILES, many);
        assert_eq!(requests(&question).count(), MAX_KEPT);
    }
}
