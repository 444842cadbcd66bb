//! The site as an HTTP server: [`Site::answer`].

use bytes::Bytes;
use goop2_proto::{
    SitePath,
    path::Platform,
    web::{self, head, navigation::wants_page, rules::redirects::Action, target::Target},
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
pub(crate) const INDEXES: [&str; 2] = ["index.html", "index.htm"];

/// The author's page about what is missing.
pub(super) const NOT_FOUND: &str = "404.html";

/// Goop2's own pages about what went wrong.
const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// The page of a single-page app, for every address that a person opens.
pub(super) const APP: &str = "200.html";

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
            Ok(target) => visit.target(&target),
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

/// What a target names that is there.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each request, and it goes nowhere"
)]
enum Located {
    File(SitePath, Opened),
    /// A folder that is written without its slash.
    Slash,
    /// A folder without a page.
    Listing,
}

impl Visit<'_> {
    fn target(&self, target: &Target) -> Response<Content> {
        let path = target.absolute();
        let uri = &self.request.uri;
        let redirects = self.site.rules.redirects(&self.tree);
        let exists = |path: &str| self.exists(path);
        let mut response = match redirects.0.action(&path, uri.path(), uri.query(), &exists) {
            Some(Action::Redirect(status, location)) => return redirect(status, &location),
            Some(Action::Rewrite(status, path)) => self.rewrite(status, &path),
            None => match self.locate(target.path.as_ref(), target.folder) {
                Some(Located::File(path, file)) => self.send(&path, file, StatusCode::OK),
                Some(Located::Slash) => {
                    return redirect(StatusCode::PERMANENT_REDIRECT, &target.with_slash());
                }
                Some(Located::Listing) => self.list(target.path.as_ref()),
                None => self.missing(target.path.as_ref()),
            },
        };
        let headers = self.site.rules.headers(&self.tree);
        headers.0.apply(&path, response.headers_mut());
        response
    }

    /// Shows what is at a path of the site, whatever form it is written in.
    fn rewrite(&self, status: StatusCode, path: &str) -> Response<Content> {
        let path = SitePath::absolute(path, Platform::HERE);
        let path = path.as_ref().map(Option::as_ref);
        let located = path.ok().and_then(|path| {
            let as_folder = self.locate(path, true);
            as_folder.or_else(|| self.locate(path, false))
        });
        match located {
            Some(Located::File(path, file)) => self.send(&path, file, status),
            _ => self.missing(None),
        }
    }

    fn exists(&self, path: &str) -> bool {
        SitePath::absolute(path, Platform::HERE)
            .is_ok_and(|path| self.locate(path.as_ref(), false).is_some())
    }

    /// What is at `path`; `folder` says whether it is written as a folder.
    fn locate(&self, path: Option<&SitePath>, folder: bool) -> Option<Located> {
        match self.tree.find(path) {
            Ok(Found::File(file)) => {
                let path = path.filter(|_| !folder)?;
                Some(Located::File(path.clone(), file))
            }
            Ok(Found::Folder) => self.locate_folder(path, folder),
            Err(_) => self.locate_page(path.filter(|_| !folder)?),
        }
    }

    fn locate_folder(&self, path: Option<&SitePath>, folder: bool) -> Option<Located> {
        match self.index(path) {
            Some((path, file)) if folder => Some(Located::File(path, file)),
            Some(_) => Some(Located::Slash),
            None if self.is_listed(path) && folder => Some(Located::Listing),
            None if self.is_listed(path) => Some(Located::Slash),
            None => self.locate_page(path.filter(|_| !folder)?),
        }
    }

    /// `about` is the page `about.html`, as on most static hosts, where no file has that name.
    fn locate_page(&self, path: &SitePath) -> Option<Located> {
        let name = format!("{}.html", path.name());
        let (path, file) = self.tree.file_in(path.folder().as_ref(), &name)?;
        Some(Located::File(path, file))
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

fn redirect(status: StatusCode, location: &str) -> Response<Content> {
    head::redirect(status, location).map(|()| Content::Empty)
}

fn text(status: StatusCode, text: &'static str) -> Response<Content> {
    head::text(status, TEXT, text.len())
        .map(|()| Content::Bytes(Bytes::from_static(text.as_bytes())))
}
