//! How often the site was visited: numbers by day and, for the month, by page. Who it was is not
//! kept.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::{Database, fault};
use crate::error::Error;

/// Pages counted in a month; visits of further ones count for the site only. A visitor may make up
/// addresses.
const MAX_PAGES: i64 = 500;
/// Pages that are given back, the most visited.
const MAX_SHOWN: i64 = 20;
/// Bytes of a page's path; longer ones count for the site only.
const MAX_PATH: usize = 512;

/// Visits to be added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewVisits {
    /// To the site.
    pub site: u32,
    /// To its pages, by their paths.
    pub pages: BTreeMap<String, u32>,
}

impl NewVisits {
    /// Adds those that could not be written.
    pub fn add(&mut self, more: Self) {
        self.site = self.site.saturating_add(more.site);
        for (page, visits) in more.pages {
            let known = self.pages.entry(page).or_default();
            *known = known.saturating_add(visits);
        }
    }
}

/// Visits counted so far, in the time zone of this computer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visits {
    /// Today.
    pub today: u32,
    /// This month.
    pub month: u32,
    /// This month's most visited pages, the first first.
    pub pages: Vec<(String, u32)>,
}

impl Database {
    /// Adds visits, and says how many there are.
    pub fn count_visits(&self, new: &NewVisits) -> Result<Visits, Error> {
        let mut conn = self.writer();
        count(&mut conn, new).map_err(|why| Error::Database {
            path: self.path.clone(),
            why: fault::text(why),
        })
    }
}

/// A row without a page is a day of the site; one with a page is its month.
fn count(conn: &mut Connection, new: &NewVisits) -> rusqlite::Result<Visits> {
    const ADD: &str = "INSERT INTO _goop2_visits (period, page, visits) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET visits = min(visits + ?3, 4294967295)";
    let (day, month): (String, String) = conn.query_row(
        "SELECT date('now', 'localtime'), strftime('%Y-%m', 'now', 'localtime')",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    if *new != NewVisits::default() {
        let transaction = conn.transaction()?;
        transaction.execute(ADD, (&day, "", new.site))?;
        for (page, visits) in &new.pages {
            let known: i64 = transaction.query_row(
                "SELECT count(*) FROM _goop2_visits WHERE period = ? AND page <> '' AND page <> ?",
                (&month, page),
                |row| row.get(0),
            )?;
            if known < MAX_PAGES && !page.is_empty() && page.len() <= MAX_PATH {
                transaction.execute(ADD, (&month, page, visits))?;
            }
        }
        // Nobody is shown an earlier month.
        transaction.execute(
            "DELETE FROM _goop2_visits WHERE substr(period, 1, 7) <> ?",
            [&month],
        )?;
        transaction.commit()?;
    }
    let sum = |period: &str| {
        conn.query_row(
            "SELECT coalesce(sum(visits), 0) FROM _goop2_visits WHERE page = '' AND substr(period, 1, length(?1)) = ?1",
            [period],
            |row| row.get::<_, i64>(0),
        )
    };
    let number = |visits: i64| u32::try_from(visits).unwrap_or(u32::MAX);
    let (today, this_month) = (number(sum(&day)?), number(sum(&month)?));
    let mut pages = conn.prepare_cached(
        "SELECT page, visits FROM _goop2_visits WHERE period = ? AND page <> '' ORDER BY visits DESC, page LIMIT ?",
    )?;
    let pages = pages.query_map((&month, MAX_SHOWN), |row| {
        Ok((row.get(0)?, number(row.get(1)?)))
    })?;
    Ok(Visits {
        today,
        month: this_month,
        pages: pages.collect::<rusqlite::Result<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use goop2_proto::PeerId;

    use super::*;

    #[test]
    fn numbers_add_up_and_last_and_the_pages_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data.db");
        let owner = PeerId::random();
        let database = Database::open(&path, owner, "").unwrap();
        let new = NewVisits {
            site: 2,
            pages: [("/".to_owned(), 2), ("/photos/".to_owned(), 3)].into(),
        };
        database.count_visits(&new).unwrap();
        let earlier = "INSERT INTO _goop2_visits VALUES ('2001-01-01', '', 7), ('2001-01', '/', 7)";
        database.writer().execute_batch(earlier).unwrap();
        let flood = NewVisits {
            site: 1,
            pages: (0..1000).map(|page| (format!("/{page}"), 1)).collect(),
        };
        database.count_visits(&flood).unwrap();
        drop(database);

        let database = Database::open(&path, owner, "").unwrap();
        let counted = database.count_visits(&NewVisits::default()).unwrap();
        assert_eq!((counted.today, counted.month), (3, 3));
        assert_eq!(counted.pages[0], ("/photos/".into(), 3));
        assert_eq!(counted.pages[1], ("/".into(), 2));
        assert_eq!(counted.pages.len(), 20);
        let rows: i64 = database
            .writer()
            .query_row("SELECT count(*) FROM _goop2_visits", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 501);
    }
}
