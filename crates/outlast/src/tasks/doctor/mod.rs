//! What would not survive, on this machine and its server: each finding with the command that mends it.
//!
//! Nothing is taken from what was once said where it can be looked at now: second copies are opened, locks are read, bytes are
//! read back, certificates are looked at. What could not be looked at is unknown, which is not clean.

mod keeping;
mod machine;
mod network;
mod projects;
mod repositories;

use drill::State;
use proxy::TeamServer;
use serde::Serialize;
use store::Store;

use crate::failure::Failure;
use crate::home::Home;
use crate::tasks::damage;

/// Something that would not survive, or of which nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What kind of thing it is; the same word for the same trouble.
    pub(crate) kind: &'static str,
    /// `lost`: it would not survive; `claimed`: nobody has proved it; `unknown`: it could not be looked at.
    pub(crate) state: State,
    /// What it is about.
    pub(crate) subject: String,
    /// What was found, in words for a person.
    pub(crate) detail: String,
    /// The command that mends it, or what a person has to do.
    pub(crate) mend: String,
}

/// Takes findings, and what was looked at.
#[derive(Debug, Default)]
struct Chart {
    findings: Vec<Finding>,
    looked_at: Vec<String>,
}

impl Chart {
    fn find(
        &mut self,
        state: State,
        kind: &'static str,
        subject: impl Into<String>,
        detail: impl Into<String>,
        mend: impl Into<String>,
    ) {
        let (subject, detail, mend) = (subject.into(), detail.into(), mend.into());
        self.findings.push(Finding { kind, state, subject, detail, mend });
    }

    fn look_at(&mut self, what: impl Into<String>) {
        self.looked_at.push(what.into());
    }
}

/// Looks at everything; `things` are what a person named.
pub(crate) async fn examine(
    home: Home,
    store: Store,
    things: Vec<String>,
    server: Option<TeamServer>,
) -> Result<(Vec<Finding>, Vec<String>), Failure> {
    let mut chart = Chart::default();
    projects::locks(&mut chart, &home, &store, &things).await?;
    projects::drills(&mut chart, &home, &store, server.as_ref())?;
    // Blobs are read back for it: once.
    let damage = damage::known(&home, &store)?;
    repositories::repositories(&mut chart, &store, &damage)?;
    keeping::damage(&mut chart, &store, &damage)?;
    chart = keeping::second_copies(chart, home.clone(), store.clone()).await?;
    machine::disk(&mut chart, &home);
    machine::clock(&mut chart, &home, &store)?;
    machine::authority(&mut chart, &home);
    machine::room(&mut chart, &home, &store).await?;
    network::hosts(&mut chart, &home, &store, server.as_ref()).await?;
    Ok((chart.findings, chart.looked_at))
}

/// Returns a text as one word for a shell.
fn quoted(text: &str) -> String {
    drill::quoted(&[text.to_owned()])
}
