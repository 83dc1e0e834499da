//! The verdict: from the facts of a drill to what they prove.
//!
//! Which reason wins, where several apply:
//! 1. Without a recorded run that succeeded there is nothing to compare with: *inconclusive*, whatever else happened.
//! 2. A command that asked none of the cut hosts for anything shows nothing about them: *inconclusive*, even if it
//!    exited with an error of its own.
//! 3. Then whatever makes a drill fail: a bypass of the room or of the comparison can only make a drill easier, so a
//!    failure in an observed room is a failure.
//! 4. Then an observed room, no object from a copy, lists that are cut off, or outputs that cannot be compared:
//!    *inconclusive*.
//! 5. Otherwise *pass*.

mod outputs;
mod scope;

use std::collections::BTreeSet;
use std::time::Duration;

use model::{Containment, Output, Record, RunId, Sha256, Source, Timestamp, Unlisted, Verdict};

use crate::control;
use crate::duration::format_duration;
use crate::measure::{HostTimeline, Measured, measure};
use crate::report::{Environment, Level, Missing, REPORT_SCHEMA, Reason, Report};
use crate::scenario::Scenario;

/// Everything a verdict rests on.
#[derive(Debug, Clone)]
pub struct Facts {
    /// What was to happen.
    pub scenario: Scenario,
    /// What the drill's run did.
    pub record: Record,
    /// The recorded run it is compared with: the newest of the same command and directory.
    pub recorded: Option<RecordedRun>,
    /// The newest recorded run that succeeded, for a hint.
    pub newest_success: Option<RunId>,
    /// What was seen of each host.
    pub timelines: Vec<HostTimeline>,
    /// What was asked for and could not be given.
    pub missing: Vec<Missing>,
    /// Names that were looked up and got no address.
    pub unanswered_names: Vec<String>,
    /// Folders that were hidden.
    pub masked: Vec<String>,
    /// What else the drill says nothing about, besides what can be read from the other facts.
    pub not_tested: Vec<String>,
    /// The machine.
    pub environment: Environment,
    /// Digest of the previous drill's attestation.
    pub previous_sha256: Option<Sha256>,
    /// The time of the verdict.
    pub now: Timestamp,
}

/// What a verdict needs of the recorded run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedRun {
    /// Its name.
    pub run_id: RunId,
    /// Its exit code.
    pub exit_code: i32,
    /// Whether anything could bypass Outlast.
    pub containment: Containment,
    /// Its outputs.
    pub outputs: Vec<Output>,
}

impl From<&Record> for RecordedRun {
    fn from(record: &Record) -> Self {
        Self {
            run_id: record.run_id.clone(),
            exit_code: record.exit_code,
            containment: record.containment,
            outputs: record.outputs.clone(),
        }
    }
}

/// Judges a drill.
pub fn judge(facts: &Facts) -> Report {
    let measured = measure(&facts.timelines);
    let outputs = outputs::compare(facts);
    let (verdict, reasons) = decide(facts, &measured, &outputs);
    let is_compared = !facts.scenario.output.is_empty() && outputs.incomparable.is_empty();
    let mut record = facts.record.clone();
    REPORT_SCHEMA.clone_into(&mut record.schema);
    Report {
        scenario: facts.scenario.name.clone(),
        verdict,
        reasons,
        level: if is_compared { Level::D3 } else { Level::D2 },
        not_tested: scope::not_tested(facts, &measured),
        cut: facts.scenario.cut.clone(),
        objective_ms: facts.scenario.objective.map(millis),
        detected_ms: measured.detected_ms,
        recovered_ms: measured.recovered_ms,
        data_age_s: data_age_s(&facts.record, facts.now),
        bytes_from_cut_hosts: bytes_from_cut_hosts(facts, &measured),
        unanswered_names: facts.unanswered_names.clone(),
        missing: missing(facts),
        recorded_run: facts.recorded.as_ref().map(|recorded| recorded.run_id.clone()),
        masked: facts.masked.clone(),
        previous_sha256: facts.previous_sha256,
        timelines: facts.timelines.clone(),
        finished_at: facts.now,
        environment: facts.environment.clone(),
        controls: control::ALL.iter().map(|control| control.id.to_owned()).collect(),
        record,
    }
}

fn decide(facts: &Facts, measured: &Measured, outputs: &outputs::Comparison) -> (Verdict, Vec<Reason>) {
    let no_ground = no_ground(facts);
    if !no_ground.is_empty() {
        return (Verdict::Inconclusive, no_ground);
    }
    if let Some(reason) = nothing_asked(facts, measured) {
        return (Verdict::Inconclusive, vec![reason]);
    }
    let mut failures = failures(facts, measured);
    failures.extend(outputs.differing.clone());
    let doubts = doubts(facts, outputs);
    if !failures.is_empty() {
        // The doubts stay visible behind the failures: they have to be cleared as well before a drill can pass.
        failures.extend(doubts);
        return (Verdict::Fail, failures);
    }
    if !doubts.is_empty() {
        return (Verdict::Inconclusive, doubts);
    }
    (Verdict::Pass, Vec::new())
}

/// Returns why there is nothing to compare the drill with.
fn no_ground(facts: &Facts) -> Vec<Reason> {
    let command = quoted(&facts.record.command);
    let Some(recorded) = &facts.recorded else {
        return vec![Reason::new(
            "there is no recorded run of this command in this directory to compare with",
            format!("record one while the network is up: outlast exec --fresh -- {command}"),
        )];
    };
    if recorded.exit_code != 0 {
        let again = format!("outlast exec --fresh -- {command}");
        let hint = match &facts.newest_success {
            Some(run) => {
                format!(
                    "add --run {run} to compare with the newest run that succeeded, or repeat it: {again}"
                )
            }
            None => format!("make it succeed first: {again}"),
        };
        return vec![Reason::new(
            format!("the recorded run {} exited with {}", recorded.run_id, recorded.exit_code),
            hint,
        )];
    }
    Vec::new()
}

/// Returns a reason if no host that was cut was asked for anything.
fn nothing_asked(facts: &Facts, measured: &Measured) -> Option<Reason> {
    let scenario = &facts.scenario;
    let asked_objects = facts.record.objects.iter().map(|object| object.url.host());
    let mut asked = asked_objects
        .chain(facts.missing.iter().map(|missing| missing.url.host()))
        .chain(facts.unanswered_names.iter().map(String::as_str));
    let is_asked = !measured.asked.is_empty() || asked.any(|host| scenario.fault_of(host).is_some());
    if is_asked {
        return None;
    }
    let exit_code = facts.record.exit_code;
    let ending = if exit_code == 0 { String::new() } else { format!(", and exited with {exit_code}") };
    let command = quoted(&facts.record.command);
    Some(if facts.record.objects.is_empty() {
        Reason::new(
            format!("the command fetched nothing{ending}, so the drill shows nothing about the hosts"),
            format!("check that it fetches when its caches are empty: outlast exec --fresh -- {command}"),
        )
    } else {
        let hosts: Vec<&str> = scenario.cut.iter().map(|cut| cut.host.as_str()).collect();
        Reason::new(
            format!("the command asked none of the hosts that were cut ({}){ending}", list(&hosts)),
            format!("cut a host that it uses, or all of them: outlast drill -- {command}"),
        )
    })
}

/// Returns everything that shows that the command does not survive.
fn failures(facts: &Facts, measured: &Measured) -> Vec<Reason> {
    let command = quoted(&facts.record.command);
    let mut reasons = Vec::new();
    let (never_kept, not_held): (Vec<_>, Vec<_>) =
        missing(facts).into_iter().partition(|missing| missing.never_kept);
    if !not_held.is_empty() {
        let named: Vec<String> = not_held.iter().map(name_missing).collect();
        reasons.push(Reason::new(
            format!(
                "{} asked for and not held: {}",
                count(not_held.len(), "object was", "objects were"),
                list(&named)
            ),
            format!(
                "fetch them while the network is up, outlast exec --fresh -- {command}, and look for damage: \
                 outlast store verify"
            ),
        ));
    }
    if !never_kept.is_empty() {
        let named: Vec<String> = never_kept.iter().map(name_missing).collect();
        reasons.push(Reason::new(
            format!(
                "{} made that no copy can answer: {}",
                count(never_kept.len(), "request was", "requests were"),
                list(&named)
            ),
            "recording them again does not help: take them out of the command, or fetch the same as files or \
             packages, which are kept",
        ));
    }
    if facts.record.exit_code != 0 {
        let hint = match (not_held.is_empty(), never_kept.is_empty()) {
            (true, true) => format!(
                "see whether it works with empty caches and a live network: outlast exec --fresh -- {command}"
            ),
            (false, _) => "the missing objects come first; repeat the drill when they are held".to_owned(),
            (true, false) => "the requests that no copy can answer come first".to_owned(),
        };
        let exit_code = facts.record.exit_code;
        reasons.push(Reason::new(
            format!("the command exited with {exit_code}, the recorded run exited with 0"),
            hint,
        ));
    }
    let leaked_bytes = bytes_from_cut_hosts(facts, measured);
    if leaked_bytes > 0 {
        reasons.push(Reason::new(
            format!("{leaked_bytes} bytes came from hosts that should have been cut"),
            "this is a fault of Outlast's room; please report it with journal.jsonl",
        ));
    }
    if let Some(objective) = facts.scenario.objective {
        reasons.extend(late(objective, measured));
    }
    reasons
}

fn late(objective: Duration, measured: &Measured) -> Option<Reason> {
    let promised = format_duration(objective);
    if !measured.unrecovered.is_empty() {
        return Some(Reason::new(
            format!("nothing stood in for {}, the objective was {promised}", list(&measured.unrecovered)),
            "see `not_kept` and `missing` for what is asked of these hosts",
        ));
    }
    let recovered_ms = measured.recovered_ms?;
    (recovered_ms > millis(objective)).then(|| {
        let took = format_duration(Duration::from_millis(recovered_ms));
        Reason::new(
            format!("recovery took {took}, the objective was {promised}"),
            "journal.jsonl shows which request waited; a later drill may be given another objective",
        )
    })
}

/// Returns why a drill that did not fail has not passed either.
fn doubts(facts: &Facts, outputs: &outputs::Comparison) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if facts.record.containment == Containment::Observed {
        let why = if facts.record.containment_reasons.is_empty() {
            String::new()
        } else {
            format!(" ({})", list(&facts.record.containment_reasons))
        };
        reasons.push(Reason::new(
            format!("the room was not sealed{why}, so the command may have bypassed Outlast"),
            "do away with what the reason names, and hold the drill again",
        ));
    }
    // What is missing says more.
    let has_copies = facts.record.objects.iter().any(|object| object.source == Source::Copy);
    if !has_copies && facts.missing.is_empty() {
        let command = quoted(&facts.record.command);
        reasons.push(Reason::new(
            "no object came from a copy, so no copy was put to the test",
            format!("cut the hosts that the command fetches from: outlast drill -- {command}"),
        ));
    }
    reasons.extend(cut_off(facts));
    reasons.extend(outputs.incomparable.clone());
    reasons
}

/// Returns a reason if not everything that the command did was written down.
fn cut_off(facts: &Facts) -> Option<Reason> {
    let Unlisted { n_requests, n_refused, n_names } = facts.record.unlisted;
    (!facts.record.unlisted.is_none()).then(|| {
        Reason::new(
            format!(
                "the lists are cut off: {n_requests} more requests, {n_refused} more refusals and {n_names} more \
                 names are counted and not judged"
            ),
            "hold a drill of a part of the command, with a recording of its own",
        )
    })
}

/// Adds what the timelines counted and what the objects say; they must agree, and the larger one is believed.
fn bytes_from_cut_hosts(facts: &Facts, measured: &Measured) -> u64 {
    let from_objects = facts
        .record
        .objects
        .iter()
        .filter(|object| object.source == Source::Upstream)
        .filter(|object| facts.scenario.fault_of(object.url.host()).is_some())
        // Even an empty answer of a host that was cut is a leak.
        .fold(0, |sum: u64, object| sum.saturating_add(object.size_bytes.max(1)));
    measured.bytes_from_cut_hosts.max(from_objects)
}

fn missing(facts: &Facts) -> Vec<Missing> {
    facts.missing.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

fn data_age_s(record: &Record, now: Timestamp) -> Option<u64> {
    let oldest = record.objects.iter().filter_map(|object| object.confirmed_at).min()?;
    // A clock that was set back since gives a negative age; the data is then as new as can be told.
    Some(u64::try_from(now.as_second() - oldest.as_second()).unwrap_or(0))
}

fn name_missing(missing: &Missing) -> String {
    let digest = missing.sha256.map_or_else(String::new, |sha256| format!(" sha256 {sha256}"));
    let reason = if missing.reason.is_empty() { String::new() } else { format!(" ({})", missing.reason) };
    format!("{}{digest}{reason}", missing.url)
}

/// The most names written out in a sentence; report.json has them all.
const NAMES_MAX: usize = 5;

fn list(names: &[impl AsRef<str>]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMES_MAX).map(AsRef::as_ref).collect();
    let shown = shown.join(", ");
    if names.len() > NAMES_MAX { format!("{shown} and {} more", names.len() - NAMES_MAX) } else { shown }
}

fn count(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Writes a command so that it can be pasted into a shell; where words have bytes that are no UTF-8, into bash or zsh.
pub fn quoted(command: &[String]) -> String {
    let quote = |word: &String| {
        let is_plain =
            !word.is_empty() && word.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_./=:@,+%".contains(&c));
        match () {
            () if is_plain => word.clone(),
            () if model::is_escaped(word) => quoted_bytes(&model::unescape(word)),
            () => format!("'{}'", word.replace('\'', r"'\''")),
        }
    };
    command.iter().map(quote).collect::<Vec<_>>().join(" ")
}

fn quoted_bytes(bytes: &[u8]) -> String {
    let letters = bytes.iter().map(|byte| match byte {
        b'\'' | b'\\' => format!("\\{}", char::from(*byte)),
        b' '..=b'~' => char::from(*byte).to_string(),
        // Three octal digits, which no digit that follows can lengthen.
        _ => format!("\\{byte:03o}"),
    });
    format!("$'{}'", letters.collect::<String>())
}
