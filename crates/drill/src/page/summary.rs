//! The first page: what was proved, how fast, on what.

use std::time::Duration;

use maud::{Markup, html};
use model::{Containment, Verdict};

use super::text::{count, marked, millis, sentence, shown, size, time};
use crate::duration::format_duration;
use crate::judge::quoted;
use crate::report::{Level, Report};

/// The verdict in words, before anything else.
pub(super) fn heading(report: &Report) -> Markup {
    let command = shown(&quoted(&report.record.command));
    html! {
        header {
            p.kind { "Drill report" }
            h1 { (shown(&report.scenario)) }
            p.verdict {
                strong { (word(report.verdict)) }
                " "
                @match report.verdict {
                    Verdict::Pass => { code { (command) } " survives. With " (cut(report)) " it ran to its end, from copies alone for what was cut." }
                    Verdict::Fail => { code { (command) } " does not survive. With " (cut(report)) ", " (count(report.reasons.len(), "thing")) " went wrong." }
                    Verdict::Inconclusive => { "This drill does not show whether " code { (command) } " survives with " (cut(report)) "." }
                }
            }
            p.when { "Judged on " (time(report.finished_at)) ". Level " (report.level) "." }
        }
    }
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Inconclusive => "INCONCLUSIVE",
    }
}

fn cut(report: &Report) -> String {
    if report.cut.iter().any(|cut| cut.host == "all") {
        return "every host cut off".to_owned();
    }
    match report.cut.as_slice() {
        [one] => format!("{} cut off", shown(&one.host)),
        several => format!("{} cut off", count(several.len(), "host")),
    }
}

/// Why it is not a pass, or what the pass rests on.
pub(super) fn reasons(report: &Report) -> Markup {
    if report.verdict == Verdict::Pass {
        return proof(report);
    }
    html! {
        section.reasons {
            h2 { "Why" }
            ol {
                @for reason in &report.reasons {
                    li {
                        p { (sentence(&reason.what)) "." }
                        p.hint { span { "Next step" } " " (marked(&reason.hint)) }
                    }
                }
            }
        }
    }
}

fn proof(report: &Report) -> Markup {
    let record = &report.record;
    html! {
        section.reasons {
            h2 { "What this rests on" }
            ul {
                li { "The same command in the same directory had succeeded before (run "
                    code { (report.recorded_run.as_ref().map_or("", |run| run.as_str())) } ")." }
                li { "The room was sealed: nothing the command did could reach the network past Outlast." }
                li { (count(report.n_from_copies(), "object")) " of " (record.objects.len())
                    " came from copies, each checked against its digest before it was handed over; none was missing." }
                li { "Not one byte came from a host that was cut." }
                @if report.level == Level::D3 {
                    li { (count(record.outputs.len(), "output file")) " equal what the recorded run made, byte by byte." }
                }
                @if let Some(objective_ms) = report.objective_ms {
                    li { "Recovery took " (millis(report.recovered_ms)) "; the objective was " (millis(Some(objective_ms))) "." }
                }
            }
        }
    }
}

/// The figures.
pub(super) fn times(report: &Report) -> Markup {
    let age =
        report.data_age_s.map_or_else(|| "–".to_owned(), |age_s| format_duration(Duration::from_secs(age_s)));
    let tile = |figure: String, name: &str, meaning: &str| {
        html! {
            div.tile {
                p.figure { (figure) }
                p.name { (name) }
                p.meaning { (meaning) }
            }
        }
    };
    html! {
        section {
            h2 { "Measured" }
            div.tiles {
                (tile(millis(report.detected_ms), "detected", "longest time from the first request to a cut host until it was classed unavailable"))
                (tile(millis(report.recovered_ms), "recovered", "longest time from the first request to a cut host until a verified copy stood in"))
                (tile(report.objective_ms.map_or_else(|| "none".to_owned(), |objective_ms| millis(Some(objective_ms))), "objective", "the recovery time that was promised"))
                (tile(millis(Some(report.record.duration_ms)), "duration", "the whole command, from start to end"))
                (tile(age, "data age", "time since an upstream last confirmed the oldest object used"))
                (tile(size(report.bytes_from_cut_hosts), "leaked", "what came from hosts that were cut; must be nothing"))
            }
            p.note { "A dash means that there was nothing to measure: no cut host was asked, or one never recovered. "
                "Recovered may be sooner than detected: a copy that is fresh stands in before it is known that its host is away." }
        }
    }
}

/// What was drilled, where and when.
pub(super) fn subject(report: &Report) -> Markup {
    let (record, environment) = (&report.record, &report.environment);
    let machine = [&environment.system, &environment.kernel, &environment.architecture];
    let machine: Vec<&str> =
        machine.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    html! {
        section {
            h2 { "What was drilled" }
            table.facts {
                tr { th { "Command" } td { code { (shown(&quoted(&record.command))) } } }
                tr { th { "Directory" } td { code { (shown(&record.directory)) } } }
                tr { th { "Started" } td { (time(record.started_at)) } }
                tr { th { "Exit code" } td { (record.exit_code) } }
                tr { th { "Room" } td { (room(report)) } }
                tr { th { "Run" } td { code { (record.run_id) } } }
                tr { th { "Compared with" } td {
                    @match &report.recorded_run {
                        Some(run) => { "recorded run " code { (run) } }
                        None => { "no recorded run" }
                    }
                } }
                tr { th { "Machine" } td { (shown(&machine.join(", "))) } }
                tr { th { "Started by" } td { (shown(&environment.user)) } }
                tr { th { "Outlast" } td { (shown(&environment.version)) } }
            }
        }
    }
}

fn room(report: &Report) -> String {
    let reasons = report.record.containment_reasons.join("; ");
    match report.record.containment {
        Containment::Sealed => "sealed: nothing could bypass Outlast".to_owned(),
        Containment::Observed if reasons.is_empty() => "observed: something could bypass Outlast".to_owned(),
        Containment::Observed => format!("observed: something could bypass Outlast ({})", shown(&reasons)),
    }
}
