//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// A folder on your computer is a website, online while you are.
#[derive(Parser)]
#[command(name = "goop2", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    /// Without one, the window opens.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// A goop:// link to open in the window
    #[cfg(feature = "desktop")]
    #[arg(value_parser = link)]
    pub(crate) link: Option<String>,
    /// Start in the tray, without showing the window
    #[cfg(feature = "desktop")]
    #[arg(long)]
    pub(crate) hidden: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a peer without a window; use it in a browser
    Peer {
        /// Folder of the peer, with its goop.json
        dir: PathBuf,
        /// Print each event as one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Run a rendezvous server without a peer
    Rendezvous {
        /// Folder of the server; goop.json is created if missing
        dir: PathBuf,
        /// Print each event as one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Check how others can reach a peer, and suggest what to fix
    Doctor {
        /// Folder of the peer, with its goop.json
        dir: PathBuf,
        /// Print JSON instead of text
        #[arg(long)]
        json: bool,
    },
    /// Print the peer ID of a folder; an identity is created if it has none
    Id {
        /// Folder of the peer, with its goop.json
        dir: PathBuf,
    },
    /// Open the window with the peer of a folder
    #[cfg(feature = "desktop")]
    Window {
        /// Folder of the peer; the one used last if left out
        dir: Option<PathBuf>,
    },
}

impl Cli {
    /// Whether standard output is for scripts.
    pub(crate) fn json(&self) -> bool {
        matches!(
            self.command,
            Some(
                Command::Peer { json: true, .. }
                    | Command::Rendezvous { json: true, .. }
                    | Command::Doctor { json: true, .. }
            )
        )
    }
}

#[cfg(feature = "desktop")]
fn link(text: &str) -> Result<String, String> {
    if text.starts_with("goop:") {
        return Ok(text.into());
    }
    Err("not a command, and not a link that starts with goop://".into())
}
