//! A folder as an HTTP server (RFC 9110): which answer a request gets, from its head and from what
//! is known about the files.
//!
//! `store` looks into the folder, asks here, and opens what the answer needs. A folder that works on a
//! static host of the usual kind works here: the conventions are theirs, and each module names
//! where it takes them from. Nothing here fails: a request that makes no sense gets an answer that
//! says so.

pub mod address;
pub mod charset;
pub mod condition;
pub mod encoding;
pub mod head;
pub mod listing;
pub mod navigation;
pub mod range;
pub mod rules;
pub mod target;

use http::HeaderName;

/// Set to [`AT_ROOT`] on an HTML page that was built for the root of an origin ([`address`]). Every
/// other page is shown under `/p/<peer id>/…`, as existing peers do.
pub const ADDRESS: HeaderName = HeaderName::from_static("goop-address");

/// Set to [`RELOADS`] on an HTML page that should reload when a file it uses changes. Its owner tells
/// at [`CHANGES`](crate::http::CHANGES).
pub const LIVE: HeaderName = HeaderName::from_static("goop-live");

/// The value of [`LIVE`].
pub const RELOADS: &str = "reload";

/// The value of [`ADDRESS`].
pub const AT_ROOT: &str = "root";
