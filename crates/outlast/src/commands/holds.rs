//! `outlast holds`: what upstreams destroyed and no copy followed, and what a person decides about it.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use git::Lost;
use mirror::{DecideError, Decisions, Hold, Mirror, Rejected, Rule};
use model::{ObjectId, RefName, RepoId, Ruling, Target, Timestamp};
use serde::Serialize;

use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::Home;
use crate::speak::{self, count, in_line, minute, say, size};
use crate::tasks::repositories;
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
    /// Show what was decided and still decides: refs that stay as they are, and patterns that are always followed
    Decided,
    /// Take `always` back; what was followed because of it stays
    Revoke {
        /// The repository, by address or name
        repo: String,
        /// The pattern, as `outlast holds decided` shows it
        pattern: String,
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
    /// Stay as it is, until the upstream moves the ref again or you decide otherwise
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
    /// Why it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// A hundred at most.
    lost_commits: Vec<ObjectId>,
    /// Nothing where git cannot say.
    n_lost_commits: Option<u64>,
    authors: Vec<String>,
    size_bytes: u64,
    seen_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_at: Option<Timestamp>,
}

/// What `outlast holds decided --json` prints.
#[derive(Debug, Serialize)]
struct Decided {
    rejected: Vec<Shown>,
    rules: Vec<ShownRule>,
}

#[derive(Debug, Serialize)]
struct ShownRule {
    repo: RepoId,
    pattern: String,
    since: Timestamp,
}

impl Shown {
    fn new(hold: Hold, lost: Option<Lost>) -> Self {
        let Hold { id, repo, name, class, old, new, reason, seen_at } = hold;
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
            reason,
            lost_commits: commits,
            n_lost_commits,
            authors,
            size_bytes,
            seen_at,
            rejected_at: None,
        }
    }

    /// Looks at what would be lost, too.
    fn of(mirror: &Mirror, holds: Vec<Hold>) -> Result<Vec<Self>, Failure> {
        let lost = mirror.lost(&holds.iter().collect::<Vec<_>>()).map_err(Failure::no)?;
        Ok(holds.into_iter().zip(lost).map(|(hold, lost)| Self::new(hold, lost)).collect())
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
        let why = self.reason.as_ref().map(|reason| format!("{}; ", in_line(reason, N_LETTERS_MAX)));
        let (why, what) = (why.unwrap_or_default(), format!("{} {}", self.class, self.name));
        let since = match self.rejected_at {
            Some(at) => format!("rejected {}", minute(at)),
            None => format!("seen {}", minute(self.seen_at)),
        };
        format!("{}  {}  {what}: {why}{lost} ({since})", self.id, self.repo)
    }
}

pub(crate) fn run(global: &Global, arguments: Arguments) -> Result<ExitCode, Failure> {
    let home = Home::find(global)?;
    let store = home.existing_store()?;
    let mirror = wiring::mirror(&home, &store)?;
    match arguments.what {
        None => waiting(global, &mirror)?,
        Some(What::Decided) => decided(global, &mirror)?,
        Some(What::Decide { id, ruling }) => decide(global, &mirror, &id, ruling)?,
        Some(What::Revoke { repo, pattern }) => {
            let repo = repositories::find(&store, &repo)?.repo().clone();
            mirror.revoke(&repo, &pattern).map_err(failed)?;
            say(
                global,
                &format_args!(
                    "outlast: what the upstream does to `{pattern}` of `{repo}` is looked at again"
                ),
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn decide(global: &Global, mirror: &Mirror, id: &str, ruling: Decision) -> Result<(), Failure> {
    let (ruling, pattern) = match ruling {
        Decision::Apply => (Ruling::Apply, None),
        Decision::Always { pattern } => (Ruling::Always, Some(pattern)),
        Decision::Reject => (Ruling::Reject, None),
    };
    let hold = mirror.decide(id, ruling, pattern.clone()).map_err(failed)?;
    let done = match ruling {
        Ruling::Apply | Ruling::Always => "follows its upstream; what it was before stays reachable",
        Ruling::Reject | Ruling::Revoke => "stays as it is; `outlast holds decided` shows it from now on",
    };
    say(global, &format_args!("outlast: `{}` of `{}` {done}", hold.name, hold.repo));
    let Some(pattern) = pattern else { return Ok(()) };
    let reach = mirror.reach(&hold.repo, &pattern).map_err(failed)?;
    let n_refs = count(reach.n_refs, "ref");
    if let Some(protected) = reach.protected.first() {
        let n_more = reach.protected.len() - 1;
        let more = if n_more > 0 { format!(" and {n_more} more that are protected") } else { String::new() };
        say(
            global,
            &format_args!(
                "warning: `{pattern}` takes in {n_refs}, `{protected}`{more} among them: nobody is asked when they are deleted or replaced"
            ),
        );
    }
    say(global, &format_args!("hint: `outlast holds revoke {} '{pattern}'` takes it back", hold.repo));
    Ok(())
}

fn failed(error: DecideError) -> Failure {
    match error {
        DecideError::Unknown { .. } => Failure::no(error)
            .hint("`outlast holds` shows what waits, `outlast holds decided` what was rejected"),
        DecideError::NoRule { .. } => Failure::no(error).hint("`outlast holds decided` shows what is"),
        DecideError::InTheWay { .. } => Failure::no(error).hint("decide about that one first"),
        DecideError::Pattern { .. } => Failure::usage(error),
        error => Failure::no(error),
    }
}

fn waiting(global: &Global, mirror: &Mirror) -> Result<(), Failure> {
    let Decisions { holds, rejected, rules } = mirror.decisions().map_err(Failure::no)?;
    let shown = Shown::of(mirror, holds)?;
    if global.json {
        return speak::json(&shown);
    }
    for hold in &shown {
        speak::data(&hold.line())?;
    }
    match &shown[..] {
        [] => say(global, &"outlast: nothing is held"),
        _ => say(global, &"hint: `outlast holds decide ID apply`, `always PATTERN` or `reject`"),
    }
    if !rejected.is_empty() || !rules.is_empty() {
        let (n_rejected, n_rules) =
            (count(rejected.len() as u64, "ref"), count(rules.len() as u64, "pattern"));
        say(
            global,
            &format_args!(
                "outlast: {n_rejected} rejected, {n_rules} followed always: `outlast holds decided`"
            ),
        );
    }
    Ok(())
}

fn decided(global: &Global, mirror: &Mirror) -> Result<(), Failure> {
    let Decisions { rejected, rules, .. } = mirror.decisions().map_err(Failure::no)?;
    let (holds, rejected_at): (Vec<_>, Vec<_>) =
        rejected.into_iter().map(|Rejected { hold, at }| (hold, at)).unzip();
    let rejected = Shown::of(mirror, holds)?.into_iter().zip(rejected_at);
    let rejected = rejected.map(|(shown, at)| Shown { rejected_at: Some(at), ..shown });
    let rule = |Rule { repo, pattern, since }| ShownRule { repo, pattern, since };
    let decided = Decided { rejected: rejected.collect(), rules: rules.into_iter().map(rule).collect() };
    if global.json {
        return speak::json(&decided);
    }
    for shown in &decided.rejected {
        speak::data(&shown.line())?;
    }
    for ShownRule { repo, pattern, since } in &decided.rules {
        let pattern = in_line(pattern, N_LETTERS_MAX);
        speak::data(&format_args!("always        {repo}  {pattern} (since {})", minute(*since)))?;
    }
    match (&decided.rejected[..], &decided.rules[..]) {
        ([], []) => say(global, &"outlast: nothing is rejected, and nothing is followed always"),
        ([], _) => say(global, &"hint: `outlast holds revoke REPO PATTERN` takes `always` back"),
        _ => say(global, &"hint: `outlast holds decide ID apply` follows what was rejected after all"),
    }
    Ok(())
}
