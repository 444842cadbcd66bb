//! The site as an HTTP server: [`Site::answer`].

use bytes::Bytes;
use goop2_proto::{
    SitePath,
    path::Platform,
    web::{
        head,
        range::{self, Wanted},
        target::Target,
    },
};
use http::{Method, Response, StatusCode, request::Parts};

use super::{
    Site,
    content::Content,
    tree::{Found, Opened, Tree},
    version,
};
use crate::mime;

/// What a folder shows, the first that is there.
const INDEXES: [&str; 2] = ["index.html", "index.htm"];

/// The author's page about what is missing.
const NOT_FOUND: &str = "404.html";

/// Goop2's own pages about what went wrong.
const TEXT: &str = "text/plain; charset=utf-8";

impl Site {
    /// Answers one request for the site. Blocks (disk). Never fails: whatever is wrong becomes a
    /// response.
    pub fn answer(&self, request: &Parts) -> Response<Content> {
        let mut response = self.respond(request);
        if request.method == Method::HEAD {
            *response.body_mut() = Content::Empty;
        }
        response
    }

    fn respond(&self, request: &Parts) -> Response<Content> {
        if request.method != Method::GET && request.method != Method::HEAD {
            return head::only_reading().map(|()| Content::Empty);
        }
        let Ok(tree) = Tree::open(self) else {
            return text(StatusCode::NOT_FOUND, "Page not found\n");
        };
        match Target::parse(&request.uri, Platform::HERE) {
            Ok(target) => Self::target(&tree, request, &target),
            Err(StatusCode::BAD_REQUEST) => text(StatusCode::BAD_REQUEST, "Bad request\n"),
            Err(_) => Self::missing(&tree, request),
        }
    }

    fn target(tree: &Tree<'_>, request: &Parts, target: &Target) -> Response<Content> {
        match (tree.find(target.path.as_ref()), &target.path) {
            (Ok(Found::File(file)), Some(path)) if !target.folder => {
                send(request, path, file, StatusCode::OK)
            }
            (Ok(Found::Folder), folder) => match index(tree, folder.as_ref()) {
                Some((path, file)) if target.folder => send(request, &path, file, StatusCode::OK),
                Some(_) => head::redirect(StatusCode::PERMANENT_REDIRECT, &target.with_slash())
                    .map(|()| Content::Empty),
                None => Self::missing(tree, request),
            },
            _ => Self::missing(tree, request),
        }
    }

    fn missing(tree: &Tree<'_>, request: &Parts) -> Response<Content> {
        match tree.file_in(None, NOT_FOUND) {
            Some((path, file)) => send(request, &path, file, StatusCode::NOT_FOUND),
            None => text(StatusCode::NOT_FOUND, "Page not found\n"),
        }
    }
}

fn index(tree: &Tree<'_>, folder: Option<&SitePath>) -> Option<(SitePath, Opened)> {
    INDEXES.iter().find_map(|name| tree.file_in(folder, name))
}

fn send(request: &Parts, path: &SitePath, opened: Opened, status: StatusCode) -> Response<Content> {
    let Opened { mut file, metadata } = opened;
    let len = metadata.len();
    let version = version::of(&metadata);
    let wanted = if version.allows_range(&request.method, &request.headers) {
        range::wanted(&request.headers, len)
    } else {
        Wanted::Whole
    };
    let facts = head::File {
        status,
        mime: mime::of(path, &mut file),
        len,
        version,
        encoding: None,
        encoded_while_sent: false,
        varies: false,
    };
    let (response, bytes) = head::file(request, &facts, wanted);
    response.map(|()| match bytes {
        head::Bytes::None => Content::Empty,
        head::Bytes::Range { offset, len } => Content::File {
            file,
            offset,
            len,
            encoding: None,
        },
    })
}

fn text(status: StatusCode, text: &'static str) -> Response<Content> {
    head::text(status, TEXT, text.len())
        .map(|()| Content::Bytes(Bytes::from_static(text.as_bytes())))
}
