//! A file of the site as an answer.

use goop2_proto::{
    SitePath,
    path::Platform,
    web::{
        ADDRESS, AT_ROOT, address, head,
        range::{self, Wanted},
        target::Target,
    },
};
use http::{HeaderValue, Response, StatusCode, Uri};

use super::{
    answer::Visit,
    content::Content,
    facts::Fact,
    tree::{Found, Opened},
    version,
};

impl Visit<'_> {
    /// Answers with a file that was found at `path`.
    pub(super) fn send(
        &self,
        path: &SitePath,
        mut opened: Opened,
        status: StatusCode,
    ) -> Response<Content> {
        let version = version::of(&opened.metadata);
        let fact = self.site.facts.of(path, &mut opened, &version);
        let len = opened.metadata.len();
        let (method, headers) = (&self.request.method, &self.request.headers);
        let wanted = if version.allows_range(method, headers) {
            range::wanted(headers, len)
        } else {
            Wanted::Whole
        };
        let facts = head::File {
            status,
            mime: fact.mime.clone(),
            len,
            version,
            encoding: None,
            encoded_while_sent: false,
            varies: false,
        };
        let (mut response, bytes) = head::file(self.request, &facts, wanted);
        if fact.names_root && !self.needs_peer_address(&fact) {
            let headers = response.headers_mut();
            headers.insert(ADDRESS, HeaderValue::from_static(AT_ROOT));
        }
        response.map(|()| match bytes {
            head::Bytes::None => Content::Empty,
            head::Bytes::Range { offset, len } => Content::File {
                file: opened.file,
                offset,
                len,
                encoding: None,
            },
        })
    }

    /// Whether a page, or one of the scripts of the site that it loads, names peers.
    fn needs_peer_address(&self, page: &Fact) -> bool {
        let names_peers = |script: &String| {
            let path = address::on_site(self.request.uri.path(), script)?;
            let target = Target::parse(&path.parse::<Uri>().ok()?, Platform::HERE).ok()?;
            let path = target.path.filter(|_| !target.folder)?;
            let Ok(Found::File(mut opened)) = self.tree.find(Some(&path)) else {
                return None;
            };
            let version = version::of(&opened.metadata);
            let fact = self.site.facts.of(&path, &mut opened, &version);
            Some(fact.names_peers)
        };
        page.names_peers
            || page
                .scripts
                .iter()
                .any(|script| names_peers(script) == Some(true))
    }
}
