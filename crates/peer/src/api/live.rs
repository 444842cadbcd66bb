//! Who reads the site now, and how often it was visited. Counted on this computer; nobody's identity
//! is kept.

use serde::Serialize;
use ts_rs::TS;

/// How the site is read, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct Live {
    /// Visitors who have a page of the site open now.
    pub readers: u32,
    /// Visits today, in this computer's time zone. Zero while nothing is counted.
    pub today: u32,
    /// Visits this month, today's included.
    pub month: u32,
    /// The pages that are read now or were visited this month, the most read first; at most 20.
    pub pages: Vec<LivePage>,
    /// Whether visits are counted (`site.count_visits`).
    pub counting: bool,
    /// Whether open pages reload when a file changes (`site.reload`).
    pub reloading: bool,
}

/// How one page of the site is read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, TS)]
#[ts(export)]
pub struct LivePage {
    /// Its path, as in an address: `/photos/`.
    pub path: String,
    /// Visitors who have it open now.
    pub readers: u32,
    /// Visits this month.
    pub visits: u32,
}
