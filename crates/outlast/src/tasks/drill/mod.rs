//! One drill: run it, judge it, leave evidence, whatever the verdict.

pub(crate) mod chain;
mod facts;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use drill::{Action, Actor, Deed, Facts, RecordedRun, Report, Scenario};
use model::{Event, Record, RunId, Timestamp, Verdict};
use proxy::{Ending, Exchange, Purpose, TeamServer};
use sandbox::Stdout;
use store::{Entry, Store};

use crate::command_line::Global;
use crate::failure::Failure;
use crate::home::Home;
use crate::speak::{self, duration, say};
use crate::tasks::record::RECORD_BYTES_MAX;
use crate::tasks::room::Order;
use crate::tasks::run::{self, Copies, Done, Fallback, Task};
use crate::tasks::space::{self, Space};

/// A drill that was asked for.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) scenario: Scenario,
    pub(crate) command: Vec<OsString>,
    pub(crate) run: Option<RunId>,
    /// Answer with what was held at this moment.
    pub(crate) at: Option<Timestamp>,
    /// Have nothing but what this server gives: a machine on which nothing was ever run.
    pub(crate) via: Option<TeamServer>,
    pub(crate) evidence: Evidence,
}

/// Where evidence goes.
#[derive(Debug)]
pub(crate) enum Evidence {
    /// Into the home folder.
    Home,
    /// And into this folder.
    Also(PathBuf),
}

/// A drill that was held.
#[derive(Debug)]
struct Held {
    done: Done,
    /// An attempt before that said nothing.
    before: Option<Attempt>,
}

/// An attempt at the same drill whose outcome does not count.
#[derive(Debug, Clone)]
struct Attempt {
    run_id: RunId,
    exit_code: i32,
}

/// Runs a drill and says what it found. Returns what that is worth: a pass whose report or evidence is not where it was
/// asked for is none.
pub(crate) async fn run(
    global: &Global,
    home: &Home,
    store: &Store,
    request: Request,
) -> Result<Verdict, Failure> {
    let mut order = Order::here(request.command.clone())?;
    if global.json {
        // Standard output is the report's then.
        order.stdout = Stdout::ToStderr;
    }
    store.check_writable()?;
    let (key, _) = home.signing_key()?;
    let record = recorded(store, &order, request.run.as_ref())?;
    let copies_bytes = space::expected_bytes(&record);
    let held = hold(global, home, store, &request, order, copies_bytes).await.map_err(no_verdict)?;
    let recorded = RecordedRun::from(&record);
    let newest_success = newest_success(store, &record)?;
    let judge = |previous_sha256| {
        let facts =
            facts::facts(&request.scenario, &held, recorded.clone(), previous_sha256, home.clock.now());
        let facts = Facts { newest_success: newest_success.clone(), ..facts };
        let report = drill::judge(&facts);
        let journal = journal(&request.scenario, &held, &report);
        (report, journal)
    };
    let (report, folder) = chain::append(home, store, &key, judge).map_err(unfinished)?;
    let told = tell(global, &report, &folder);
    let copied = match &request.evidence {
        Evidence::Home => Ok(()),
        Evidence::Also(other) => chain::copy(&folder, other),
    };
    let failures = [told, copied].map(|done| done.map_err(|failure| failure.report()));
    // What does not survive was found out all the same.
    let is_whole = report.verdict == Verdict::Fail || failures.iter().all(Result::is_ok);
    Ok(if is_whole { report.verdict } else { Verdict::Inconclusive })
}

/// Runs the command with its hosts cut, in memory where that is known to have the space.
async fn hold(
    global: &Global,
    home: &Home,
    store: &Store,
    request: &Request,
    order: Order,
    copies_bytes: u64,
) -> Result<Held, Failure> {
    let task = |space| Task {
        order: order.clone(),
        cuts: request.scenario.cut.clone(),
        purpose: Purpose::Drill,
        at: request.at,
        via: request.via.clone(),
        outputs: request.scenario.output.clone(),
        copies: Copies::Fresh(space),
        fallback: Fallback::Observe,
    };
    let done = run::run(home, store, task(Space::for_replay(&order, copies_bytes))).await?;
    if !done.was_short || done.record.exit_code == 0 {
        return Ok(Held { done, before: None });
    }
    let before = Some(Attempt { run_id: done.record.run_id.clone(), exit_code: done.record.exit_code });
    drop(done);
    say(global, &"outlast: it failed while memory ran short, which says nothing; again, on disk");
    Ok(Held { done: run::run(home, store, task(Space::Disk)).await?, before })
}

/// Says of a drill that could not be held, or whose run could not be recorded, what it is worth.
fn no_verdict(failure: Failure) -> Failure {
    failure.context("the drill came to no verdict and leaves no evidence")
}

/// Says of a drill that was judged and not written down what becomes of it.
fn unfinished(failure: Failure) -> Failure {
    failure.context(
        "the evidence of the drill could not be finished; if it is whole, the next command gives it its place",
    )
}

/// Finds the recorded run that a drill is compared with. Its absence ends the drill before it begins.
fn recorded(store: &Store, order: &Order, run: Option<&RunId>) -> Result<Record, Failure> {
    let words = order.words();
    let directory = order.place();
    let entry = match run {
        Some(run) => store.run(run)?,
        None => store.newest_recording(&words, &directory)?,
    };
    if let Some(Entry { event: Event::Ran { command, directory: other, is_drill, .. }, .. }) = &entry {
        let why = match () {
            () if *is_drill => Some("it is a drill's own run, not a recording"),
            () if *command != words => Some("it ran another command"),
            () if *other != directory => Some("it ran in another directory"),
            () => None,
        };
        if let Some(why) = why {
            return Err(Failure::inconclusive(anyhow!("that run cannot be compared with: {why}"))
                .hint("name a recording of this command in this directory, or leave out --run"));
        }
    }
    let Some(Entry { event: Event::Ran { record, .. }, .. }) = entry else {
        let what = match run {
            Some(run) => anyhow!("there is no run `{run}`"),
            None => {
                anyhow!("no run of this command in `{directory}` is recorded, so there is nothing to prove")
            }
        };
        let hint = format!("record one first: `outlast exec --fresh -- {}`", drill::quoted(&words));
        return Err(Failure::inconclusive(what).hint(hint));
    };
    let bytes = store
        .read_blob(&record, RECORD_BYTES_MAX)
        .context("the record of the recorded run cannot be read")
        .map_err(|error| Failure::no(error).hint("`outlast store verify` names what is damaged"))?;
    serde_json::from_slice(&bytes).map_err(Failure::no)
}

/// Returns what a drill could be compared with instead of a run that failed, or that somebody interrupted.
fn newest_success(store: &Store, record: &Record) -> Result<Option<RunId>, Failure> {
    if record.exit_code == 0 {
        return Ok(None);
    }
    let entry = store.newest_success(&record.command, &record.directory)?;
    Ok(entry.and_then(|entry| match entry.event {
        Event::Ran { run_id, .. } => Some(run_id),
        _ => None,
    }))
}

fn journal(scenario: &Scenario, held: &Held, report: &Report) -> Vec<Action> {
    let Held { done, before } = held;
    let record = &done.record;
    let at = |ms: u64| {
        let after = std::time::Duration::from_millis(ms);
        record.started_at.checked_add(after).unwrap_or(record.started_at)
    };
    let mut actions = Vec::new();
    let mut note = |time: Timestamp, actor: Actor, deed: Deed| actions.push(Action { time, actor, deed });
    if let Some(Attempt { run_id, exit_code }) = before.clone() {
        note(at(0), Actor::Outlast, Deed::SetAside { run_id, exit_code, reason: facts::SHORT.to_owned() });
    }
    let reasons = record.containment_reasons.clone();
    note(at(0), Actor::Outlast, Deed::RoomOpened { containment: record.containment, reasons });
    for mask in &done.masked {
        let deed = Deed::Masked { path: mask.path.display().to_string(), client: mask.client.to_owned() };
        note(at(0), Actor::Outlast, deed);
    }
    for cut in &scenario.cut {
        note(at(0), Actor::Outlast, Deed::Cut { host: cut.host.clone(), fault: cut.fault });
    }
    let (run_id, command, directory) =
        (record.run_id.clone(), record.command.clone(), record.directory.clone());
    note(at(0), Actor::Person, Deed::Started { run_id, command, directory });
    for exchange in &done.findings.exchanges {
        let time = at(exchange.finished_ms.unwrap_or(exchange.started_ms));
        note(time, Actor::Command, answered(exchange));
    }
    for refused in &record.refused {
        let model::Refused { host, address, port, protocol } = refused.clone();
        note(at(record.duration_ms), Actor::Command, Deed::Refused { host, address, port, protocol });
    }
    for (host, times) in &done.findings.hosts {
        if let Some(ms) = times.detected_ms {
            note(at(ms), Actor::Outlast, Deed::Detected { host: host.clone() });
        }
        if let Some(ms) = times.recovered_ms {
            note(at(ms), Actor::Outlast, Deed::Recovered { host: host.clone() });
        }
    }
    let ended = Deed::Ended { exit_code: record.exit_code, duration_ms: record.duration_ms };
    note(at(record.duration_ms), Actor::Command, ended);
    let judged = Deed::Judged { verdict: report.verdict, reasons: report.reasons.clone() };
    note(report.finished_at, Actor::Outlast, judged);
    actions.sort_by_key(|action| action.time);
    actions
}

fn answered(exchange: &Exchange) -> Deed {
    let (method, url) = (exchange.method.clone(), exchange.url.clone());
    let duration_ms = exchange.finished_ms.unwrap_or(exchange.started_ms) - exchange.started_ms;
    match &exchange.ending {
        Ending::Object { status, sha256, size_bytes, source, .. } => Deed::Answered {
            method,
            url,
            status: *status,
            source: *source,
            sha256: *sha256,
            size_bytes: *size_bytes,
            duration_ms,
        },
        Ending::Settled { status } => Deed::Settled { method, url, status: *status },
        Ending::Missing { sha256, reason, .. } => {
            Deed::Missing { url, sha256: *sha256, reason: reason.clone() }
        }
        Ending::NotKept { reason, .. } | Ending::Refused { reason } => {
            Deed::Missing { url, sha256: None, reason: reason.clone() }
        }
        Ending::Open => Deed::Missing { url, sha256: None, reason: facts::WENT_AWAY.to_owned() },
    }
}

/// Says what a drill found: the report on stdout with --json, and its verdict in any case.
fn tell(global: &Global, report: &Report, folder: &Path) -> Result<(), Failure> {
    let written = if global.json { speak::json(report) } else { Ok(()) };
    let words = match report.verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Inconclusive => "INCONCLUSIVE",
    };
    let after = |done: &str, ms: Option<u64>| {
        ms.map_or_else(|| format!("not {done}"), |ms| format!("{done} after {}", duration(ms)))
    };
    say(
        global,
        &format_args!("outlast: {words}: {}, {}", drill::quoted(&report.record.command), report.scenario),
    );
    say(
        global,
        &format_args!(
            "outlast: ran {}, {}, {}; {} from copies, {} missing",
            duration(report.record.duration_ms),
            after("detected", report.detected_ms),
            after("recovered", report.recovered_ms),
            speak::count(report.n_from_copies() as u64, "object"),
            report.missing.len()
        ),
    );
    for reason in &report.reasons {
        say(global, &format_args!("  {}", reason.what));
        say(global, &format_args!("  hint: {}", reason.hint));
    }
    say(global, &format_args!("evidence: {}", folder.display()));
    say(global, &format_args!("hint: verify it offline with `outlast evidence verify {}`", folder.display()));
    written
}
