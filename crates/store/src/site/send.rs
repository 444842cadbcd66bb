//! A file of the site as an answer.

use goop2_proto::{
    SitePath,
    path::Platform,
    web::{
        ADDRESS, AT_ROOT, address,
        condition::Version,
        encoding::{self, Encoding, MIN_COMPRESSED, is_compressible},
        head,
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

/// In which form a file is sent.
struct Form {
    opened: Opened,
    version: Version,
    /// What the head calls it.
    encoding: Option<Encoding>,
    /// What the sender does with it.
    encode: Option<Encoding>,
}

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
        // A part is always one of the plain file.
        let wanted = if status == StatusCode::OK && version.allows_range(method, headers) {
            range::wanted(headers, len)
        } else {
            Wanted::Whole
        };
        let varies =
            fact.encoding.is_none() && len >= MIN_COMPRESSED && is_compressible(&fact.mime);
        let form = if varies && wanted == Wanted::Whole {
            self.form(path, opened, version)
        } else {
            Form {
                opened,
                version,
                encoding: fact.encoding,
                encode: None,
            }
        };
        let facts = head::File {
            status,
            mime: fact.mime.clone(),
            len: form.opened.metadata.len(),
            version: form.version,
            encoding: form.encoding,
            encoded_while_sent: form.encode.is_some(),
            varies,
        };
        let (mut response, bytes) = head::file(self.request, &facts, wanted);
        if fact.names_root && !self.needs_peer_address(&fact) {
            let headers = response.headers_mut();
            headers.insert(ADDRESS, HeaderValue::from_static(AT_ROOT));
        }
        response.map(|()| match bytes {
            head::Bytes::None => Content::Empty,
            head::Bytes::Range { offset, len } => Content::File {
                file: form.opened.file,
                offset,
                len,
                encoding: form.encode,
            },
        })
    }

    /// The form of a file that the client likes best: compressed by the author, if it lies next to
    /// the file and is not older; compressed while it is sent; or as it is.
    fn form(&self, path: &SitePath, opened: Opened, version: Version) -> Form {
        let accepted = encoding::accepted(&self.request.headers);
        let neighbor = accepted.iter().find_map(|encoding| {
            let name = format!("{}.{}", path.name(), encoding.extension());
            let (_, file) = self.tree.file_in(path.folder().as_ref(), &name)?;
            let is_current = file.metadata.modified().ok()? >= opened.metadata.modified().ok()?;
            is_current.then_some((file, *encoding))
        });
        if let Some((neighbor, encoding)) = neighbor {
            return Form {
                version: version::of(&neighbor.metadata).encoded(encoding),
                opened: neighbor,
                encoding: Some(encoding),
                encode: None,
            };
        }
        let encoding = accepted.first().copied();
        Form {
            opened,
            version: match encoding {
                Some(encoding) => version.encoded(encoding),
                None => version,
            },
            encoding,
            encode: encoding,
        }
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
