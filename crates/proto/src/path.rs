//! Which file of a site a request names (§4.2): the only way to make a [`SitePath`], and only a [`SitePath`] opens a file.

/// A file inside a site: relative, `/`-separated, never empty, no `.`/`..`/dot-file/`lua` component, nothing a platform treats specially.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SitePath(String);

/// Why a path names no file that is served. The texts are parsed by existing peers (§4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("not found")]
    NotFound,
    #[error("forbidden")]
    Forbidden,
}

impl SitePath {
    /// The site's front page, `index.html`.
    pub fn index() -> Self {
        Self("index.html".into())
    }

    /// Applies the path rules of §4.2 steps 3–6 and §12.2 (no URL decoding, no query string) and the stricter ones of its weakness list.
    pub fn parse(request: &str) -> Result<Self, Refusal> {
        todo!()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}
