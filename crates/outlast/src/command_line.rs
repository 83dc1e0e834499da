//! The words of the command line; README.md and docs/OPERATING.md use them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands;

/// Keep a second copy of everything a build fetches, and prove that the build survives without its hosts.
#[derive(Debug, Parser)]
#[command(name = "outlast", version, max_term_width = 110, arg_required_else_help = true)]
pub(crate) struct CommandLine {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What every command understands.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Global {
    /// Folder with copies, journal, keys and evidence [default: $XDG_DATA_HOME/outlast]
    #[arg(long, global = true, env = "OUTLAST_HOME", value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Configuration [default: outlast.toml in the home folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Write what was read as JSON on stdout
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say more; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make the home folder: one file to configure, one key to sign with
    Init(commands::init::Arguments),
    /// Run a command in a room and keep what it fetches
    Exec(commands::exec::Arguments),
    /// Run a recorded command again with its hosts cut off, and leave signed evidence
    Drill(commands::drill::Arguments),
    /// Verify and list what drills left
    Evidence(commands::evidence::Arguments),
    /// Show what would survive, and what needs attention
    Status(commands::status::Arguments),
    /// Fetch and keep everything that a project's locks pin, or a git repository, before anybody asks for it
    Adopt(commands::adopt::Arguments),
    /// Bring the copies of git repositories up to date
    Sync(commands::sync::Arguments),
    /// Ask for a repository no more; what is kept of it stays, and is served
    Unfollow(commands::unfollow::Arguments),
    /// Show the refs of a repository, now or as they were
    Refs(commands::refs::Arguments),
    /// Give a repository back, as it is kept now or as it was
    Restore(commands::restore::Arguments),
    /// Show what upstreams destroyed and no copy followed, and decide about it
    Holds(commands::holds::Arguments),
    /// Serve the copies to a team: registry addresses for clients that know nothing of Outlast
    Serve(commands::serve::Arguments),
    /// Say who may ask the server
    Token(commands::token::Arguments),
    /// Say what would not survive, each with the command that mends it
    Doctor(commands::doctor::Arguments),
    /// Look after the copies
    Store(commands::store::Arguments),
    /// Make the index anew from journal and blobs alone
    RebuildIndex(commands::rebuild_index::Arguments),
    /// Print the completions of a shell
    Completions(commands::completions::Arguments),
    /// Write the manual pages into a folder
    Man(commands::man::Arguments),
}
