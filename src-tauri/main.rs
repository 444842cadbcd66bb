//! Goop2: a folder is a website, online while its owner is.
//!
//! `goop2` opens the window on the user's own folder; the subcommands run the same peer without
//! one.

#![cfg_attr(all(windows, feature = "desktop"), windows_subsystem = "windows")]

mod cli;
#[cfg(all(windows, feature = "desktop"))]
mod console;
mod doctor;
mod headless;
mod lifecycle;
mod logged;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod memory;
mod report;
#[cfg(feature = "desktop")]
mod window;

use std::{io::IsTerminal, process::ExitCode};

use clap::Parser;
use tracing_subscriber::{EnvFilter, Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{
    cli::{Cli, Command},
    report::{Report, words},
};

/// What is logged unless `RUST_LOG` says otherwise. The library warns about what strangers do, and
/// they could fill the log that way. What is wrong with a certificate is said by us, once.
const LOG: &str = "warn,libp2p=error,rustls_platform_verifier=off,goop2=info";

fn main() -> ExitCode {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    let _memory = memory::keep();
    #[cfg(all(windows, feature = "desktop"))]
    let has_console = console::attach();
    let cli = Cli::parse();
    let report = Report::new(cli.json());
    match run(cli, &report) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report.error(&words(&error));
            #[cfg(all(windows, feature = "desktop"))]
            if !has_console {
                console::tell(&words(&error));
            }
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli, report: &Report) -> anyhow::Result<()> {
    let terminal = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG));
    tracing_subscriber::registry()
        .with(logged::layer())
        .with(terminal.with_filter(filter))
        .init();
    match cli.command {
        Some(Command::Peer { dir, .. }) => headless::run(&dir, report),
        Some(Command::Rendezvous { dir, .. }) => headless::rendezvous(&dir, report),
        Some(Command::Doctor { dir, .. }) => doctor::run(&dir, report),
        Some(Command::Id { dir }) => {
            println!("{}", goop2_peer::identity(&dir)?);
            Ok(())
        }
        #[cfg(feature = "desktop")]
        Some(Command::Window { dir }) => window::run(dir, false),
        #[cfg(feature = "desktop")]
        None => window::run(None, cli.hidden),
        #[cfg(not(feature = "desktop"))]
        None => {
            anyhow::bail!("this build of goop2 has no window; try goop2 peer DIR or goop2 --help")
        }
    }
}
