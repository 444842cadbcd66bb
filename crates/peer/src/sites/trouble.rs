//! What keeps the database from working, as a notice for the owner.

use goop2_store::Trouble;

use crate::{api::notice::Notice, notices::Notices};

const CODE: &str = "database";

/// Shows the trouble, or that it is over.
pub(crate) fn show(notices: &Notices, trouble: Option<&Trouble>) {
    match trouble {
        Some(trouble) => notices.show(Notice {
            code: CODE.into(),
            message: message(trouble),
        }),
        None => notices.clear(CODE),
    }
}

fn message(trouble: &Trouble) -> String {
    const MIB: u64 = 1024 * 1024;
    match trouble {
        Trouble::DiskFull => {
            "The disk is full, so your site can’t save anything. Free some space; \
             then it works again."
                .into()
        }
        Trouble::Busy => "Another program is using your site’s database, so your site can’t save \
             anything. Close that program."
            .into(),
        Trouble::ReadOnly => "Your site’s database can’t be written, so your site can’t save \
             anything. Make data.db and its folder writable for you."
            .into(),
        Trouble::Damaged => "Your site’s database can’t be read. Look at the disk, and restore \
             data.db from a backup if it is damaged."
            .into(),
        Trouble::NearlyFull { used, limit } => format!(
            "Visitors have nearly filled your site’s database: {} of {} MiB are in use. Remove \
             what you don’t need, or visitors can’t save anything soon.",
            used / MIB,
            limit / MIB
        ),
    }
}
