//! What a skin sees: plain values, serialized the same way for the window and the browser. The
//! TypeScript types of the UI are generated from these.

pub(crate) mod connection;
pub(crate) mod live;
pub(crate) mod log;
pub(crate) mod network;
pub(crate) mod notice;
pub(crate) mod people;
pub(crate) mod publish;
pub(crate) mod rendezvous;
pub(crate) mod settings;
pub(crate) mod snapshot;
pub(crate) mod tables;
pub(crate) mod visit;

pub use connection::{Path, PathKind, Relay, Transport};
pub use live::{Live, LivePage};
pub use log::{LogLevel, LogLine};
pub use network::{Attempt, Fact, Link, Network, PeerReach, Verdict};
pub use notice::{Failure, Notice};
pub use people::{Details, Note};
pub use publish::{
    Added, Backup, BackupTable, BrokenLink, Clash, Plan, Progress, ReceivedBackup, Saved,
    SiteEntry, SiteFiles, SiteProblem, SiteRequest, SiteText, Starter, Template, Undo,
};
pub use rendezvous::{
    Host, Hosting, HostingState, Joined, JoinedState, Qr, Registration, RelayState, Rendezvous,
};
pub use settings::{BlockedPeer, Settings};
pub use snapshot::{Group, Me, PeerCard, Snapshot};
pub use tables::{
    ColumnKind, Format, NewColumn, Policy, Rows, RowsQuery, TableColumn, TableInfo, TablesRequest,
};
pub use visit::{Denied, Navigated, Place, Session};
