//! `outlast holds`: what upstreams destroyed and no copy followed, and what a person decides about it.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use git::Lost;
use mirror::{DecideError, Hold};
use model::{ObjectId, RefName, RepoId, Ruling, Target, Timestamp};
use serde::Serialize;

use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::Home;
use crate::speak::{self, count, in_line, say, size};
use crate::wiring;

/// How many authors a line names.
const N_AUTHORS_MAX: usize = 3;
const N_LETTERS_MAX: usize = 300;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Decide about one
    Decide {
        /// Its name, as `outlast holds` shows it
        id: String,
        #[command(subcommand)]
        ruling: Decision,
    },
}

#[derive(Debug, Subcommand)]
enum Decision {
    /// Follow the upstream this once; what is lost there stays reachable here
    Apply,
    /// Follow it from now on for every ref of a name, or of a beginning followed by `*`
    Always {
        /// Such as `refs/tags/nightly*`
        pattern: String,
    },
    /// Stay as it is
    Reject,
}

/// A hold as INTERFACE.md has it.
#[derive(Debug, Serialize)]
struct Shown {
    id: String,
    repo: RepoId,
    #[serde(rename = "ref")]
    name: RefName,
    class: &'static str,
    old: Option<Target>,
    new: Option<Target>,
    /// A hundred at most.
    lost_commits: Vec<ObjectId>,
    /// Nothing where git cannot say.
    n_lost_commits: Option<u64>,
    authors: Vec<String>,
    size_bytes: u64,
    seen_at: Timestamp,
}

impl Shown {
    fn new(hold: Hold, lost: Option<Lost>) -> Self {
        let Hold { id, repo, name, class, old, new, seen_at } = hold;
        let n_lost_commits = lost.as_ref().map(|lost| lost.n_commits);
        let Lost { commits, authors, size_bytes, .. } = lost.unwrap_or_default();
        let class = class.name();
        Self {
            id,
            repo,
            name,
            class,
            old,
            new,
            lost_commits: commits,
            n_lost_commits,
            authors,
            size_bytes,
            seen_at,
        }
    }

    fn line(&self) -> String {
        let authors = self.authors.iter().take(N_AUTHORS_MAX).map(|author| in_line(author, N_LETTERS_MAX));
        let mut authors = authors.collect::<Vec<_>>().join(", ");
        if self.authors.len() > N_AUTHORS_MAX {
            authors.push_str(" and others");
        }
        let lost = match self.n_lost_commits {
            None => "what would be lost is not known".to_owned(),
            Some(0) => "no commit would be lost".to_owned(),
            Some(n) => {
                format!("{} would be lost, {}, by {authors}", count(n, "commit"), size(self.size_bytes))
            }
        };
        let seen = self.seen_at.strftime("%Y-%m-%d %H:%M");
        format!("{}  {}  {} {}: {lost} (seen {seen})", self.id, self.repo, self.class, self.name)
    }
}

pub(crate) fn run(global: &Global, arguments: Arguments) -> Result<ExitCode, Failure> {
    let home = Home::find(global)?;
    let store = home.existing_store()?;
    let mirror = wiring::mirror(&home, &store)?;
    let Some(What::Decide { id, ruling }) = arguments.what else {
        let holds = mirror.holds().map_err(Failure::no)?;
        let shown = holds.into_iter().map(|hold| {
            let lost = mirror.lost(&hold).map_err(Failure::no)?;
            Ok(Shown::new(hold, lost))
        });
        let shown: Vec<Shown> = shown.collect::<Result<_, Failure>>()?;
        return show(global, &shown);
    };
    let (ruling, pattern) = match ruling {
        Decision::Apply => (Ruling::Apply, None),
        Decision::Always { pattern } => (Ruling::Always, Some(pattern)),
        Decision::Reject => (Ruling::Reject, None),
    };
    let hold = mirror.decide(&id, ruling, pattern).map_err(|error| match error {
        DecideError::Unknown { .. } => Failure::no(error).hint("`outlast holds` shows what waits"),
        DecideError::Pattern { .. } => Failure::usage(error),
        error => Failure::no(error),
    })?;
    let done = match ruling {
        Ruling::Apply | Ruling::Always => "follows its upstream; what it was before stays reachable",
        Ruling::Reject => "stays as it is",
    };
    say(global, &format_args!("outlast: `{}` of `{}` {done}", hold.name, hold.repo));
    Ok(ExitCode::SUCCESS)
}

fn show(global: &Global, shown: &[Shown]) -> Result<ExitCode, Failure> {
    if global.json {
        speak::json(&shown)?;
        return Ok(ExitCode::SUCCESS);
    }
    for hold in shown {
        speak::data(&hold.line())?;
    }
    match shown {
        [] => say(global, &"outlast: nothing is held"),
        _ => say(global, &"hint: `outlast holds decide ID apply`, `always PATTERN` or `reject`"),
    }
    Ok(ExitCode::SUCCESS)
}
