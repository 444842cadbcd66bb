//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// The desktop app for the ephemeral web: a folder is a site, online exactly as long as you are.
#[derive(Parser)]
#[command(name = "goop2", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    /// Without a command, the window opens.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// A goop:// link for the window to open
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
    /// Run the peer of a folder without a window; its UI opens in a browser
    Peer {
        /// The peer's folder, with its goop.json
        dir: PathBuf,
        /// Print one JSON object per line for everything that happens
        #[arg(long)]
        json: bool,
    },
    /// Run a rendezvous server without a peer
    Rendezvous {
        /// The server's folder; its goop.json is written when it is missing
        dir: PathBuf,
        /// Print one JSON object per line for everything that happens
        #[arg(long)]
        json: bool,
    },
    /// Find out how a folder's peer can be reached, and say what is wrong and what to do
    Doctor {
        /// The peer's folder, with its goop.json
        dir: PathBuf,
        /// Print one JSON object instead of words
        #[arg(long)]
        json: bool,
    },
    /// Print the peer id of a folder; a folder without an identity gets one
    Id {
        /// The peer's folder, with its goop.json
        dir: PathBuf,
    },
    /// Open the window on a folder
    #[cfg(feature = "desktop")]
    Window {
        /// The peer's folder; the user's own one when left out
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
    Err("neither a command nor a link, which begins with goop://".into())
}
