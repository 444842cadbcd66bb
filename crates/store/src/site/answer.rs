//! The site as an HTTP server: [`Site::answer`].

use bytes::Bytes;
use goop2_proto::{
    SitePath,
    path::Platform,
    web::{self, head, navigation::wants_page, target::Target},
};
use http::{Method, Response, StatusCode, request::Parts};

use super::{
    Site,
    content::Content,
    listing,
    tree::{Found, Opened, Tree},
};
use crate::mime;

/// What a folder shows, the first that is there.
const INDEXES: [&str; 2] = ["index.html", "index.htm"];

/// The author's page about what is missing.
const NOT_FOUND: &str = "404.html";

/// Goop2's own pages about what went wrong.
const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// The page of a single-page app, for every address that a person opens.
const APP: &str = "200.html";

/// How deep a missing file may be for a [`NOT_FOUND`] nearer than that of the root: each folder
/// above it is a look at the disk.
const MAX_DEPTH: usize = 16;

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
        let visit = Visit {
            site: self,
            tree,
            request,
        };
        match Target::parse(&request.uri, Platform::HERE) {
            Ok(target) => visit
                .existing(&target)
                .unwrap_or_else(|| visit.missing(target.path.as_ref())),
            Err(StatusCode::BAD_REQUEST) => text(StatusCode::BAD_REQUEST, "Bad request\n"),
            Err(StatusCode::FORBIDDEN) => text(StatusCode::FORBIDDEN, "Not shared\n"),
            Err(_) => visit.missing(None),
        }
    }
}

/// One request, and the folder as it is for it.
pub(super) struct Visit<'a> {
    pub(super) site: &'a Site,
    pub(super) tree: Tree<'a>,
    pub(super) request: &'a Parts,
}

impl Visit<'_> {
    /// The answer when the target names something that is there.
    fn existing(&self, target: &Target) -> Option<Response<Content>> {
        let path = target.path.as_ref();
        match self.tree.find(path) {
            Ok(Found::File(file)) => {
                let path = path.filter(|_| !target.folder)?;
                Some(self.send(path, file, StatusCode::OK))
            }
            Ok(Found::Folder) => self.folder(target),
            Err(_) => self.page(target),
        }
    }

    /// `about` is the page `about.html`, as on most static hosts, where no file has that name.
    fn page(&self, target: &Target) -> Option<Response<Content>> {
        let path = target.path.as_ref().filter(|_| !target.folder)?;
        let name = format!("{}.html", path.name());
        let (path, file) = self.tree.file_in(path.folder().as_ref(), &name)?;
        Some(self.send(&path, file, StatusCode::OK))
    }

    fn folder(&self, target: &Target) -> Option<Response<Content>> {
        let folder = target.path.as_ref();
        let index = self.index(folder);
        let is_listed = index.is_none() && self.is_listed(folder);
        if index.is_none() && !is_listed {
            return self.page(target);
        }
        if !target.folder {
            let redirect = head::redirect(StatusCode::PERMANENT_REDIRECT, &target.with_slash());
            return Some(redirect.map(|()| Content::Empty));
        }
        Some(match index {
            Some((path, file)) => self.send(&path, file, StatusCode::OK),
            None => self.list(folder),
        })
    }

    fn index(&self, folder: Option<&SitePath>) -> Option<(SitePath, Opened)> {
        INDEXES
            .iter()
            .find_map(|name| self.tree.file_in(folder, name))
    }

    /// Whether folders without a page are listed: in a folder of photos or papers that somebody
    /// shared, and not in a website, whose author decides what leads where.
    fn is_listed(&self, folder: Option<&SitePath>) -> bool {
        let is_hidden = folder.is_some_and(|folder| folder.as_str().starts_with('.'));
        !is_hidden && self.index(None).is_none() && self.tree.file_in(None, APP).is_none()
    }

    fn list(&self, folder: Option<&SitePath>) -> Response<Content> {
        let (entries, complete) = listing::entries(&self.tree, folder);
        let page = web::listing::page(folder, entries, complete);
        head::text(StatusCode::OK, HTML, page.len()).map(|()| Content::Bytes(page.into()))
    }

    /// The answer when nothing is at `path`, or when it could be nothing.
    fn missing(&self, path: Option<&SitePath>) -> Response<Content> {
        let headers = &self.request.headers;
        if wants_page(headers, self.request.uri.path(), mime::is_type)
            && let Some((path, file)) = self.tree.file_in(None, APP)
        {
            return self.send(&path, file, StatusCode::OK);
        }
        let mut folder = path.and_then(SitePath::folder);
        if folder
            .as_ref()
            .is_some_and(|folder| folder.as_str().matches('/').count() > MAX_DEPTH)
        {
            folder = None;
        }
        loop {
            if let Some((path, file)) = self.tree.file_in(folder.as_ref(), NOT_FOUND) {
                return self.send(&path, file, StatusCode::NOT_FOUND);
            }
            let Some(inner) = folder else { break };
            folder = inner.folder();
        }
        text(StatusCode::NOT_FOUND, "Page not found\n")
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Content> {
    head::text(status, TEXT, text.len())
        .map(|()| Content::Bytes(Bytes::from_static(text.as_bytes())))
}
