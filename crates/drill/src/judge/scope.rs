//! What a drill says nothing about. An honest list is worth more than a green one.

use std::collections::BTreeSet;

use model::{Containment, Proof};

use super::{Facts, count, list};
use crate::matrix::label;
use crate::measure::Measured;

/// Returns what was not tested, the most telling first.
pub(super) fn not_tested(facts: &Facts, measured: &Measured) -> Vec<String> {
    let mut lines = Vec::new();
    hosts(facts, measured, &mut lines);
    answers(facts, &mut lines);
    lines.extend(facts.not_tested.iter().cloned());
    let label = label(&facts.record.command);
    if !matches!(label.as_str(), "deploy" | "publish") {
        lines.push("deploying or publishing what was made".to_owned());
    }
    if facts.scenario.output.is_empty() {
        lines.push("whether the result is the same as before: no output was named to compare".to_owned());
    }
    lines.push(
        "build tools, tool chains and packages already installed on this machine or for this user: they were used, \
         not fetched"
            .to_owned(),
    );
    lines.push("another machine, operating system or processor".to_owned());
    lines.push("whether accounts and credentials for the cut hosts can be recovered".to_owned());
    lines
}

fn hosts(facts: &Facts, measured: &Measured, lines: &mut Vec<String>) {
    let scenario = &facts.scenario;
    let used: BTreeSet<&str> = facts
        .record
        .hosts
        .iter()
        .map(|host| host.host.as_str())
        .chain(facts.record.objects.iter().map(|object| object.url.host()))
        .collect();
    let live: Vec<&str> = used.iter().copied().filter(|host| scenario.fault_of(host).is_none()).collect();
    if !live.is_empty() {
        lines.push(format!("the loss of hosts that stayed reachable: {}", list(&live)));
    }
    let is_asked = |host: &str| used.contains(host) || measured.asked.iter().any(|asked| asked == host);
    let silent: Vec<&str> = scenario
        .cut
        .iter()
        .map(|cut| cut.host.as_str())
        .filter(|host| *host != "all" && !is_asked(host))
        .collect();
    if !silent.is_empty() {
        lines.push(format!("hosts that were cut and never asked: {}", list(&silent)));
    }
    if !measured.unrecovered.is_empty() {
        let hosts = list(&measured.unrecovered);
        lines.push(format!("hosts that were asked and for which nothing stood in: {hosts}"));
    }
}

fn answers(facts: &Facts, lines: &mut Vec<String>) {
    let record = &facts.record;
    let not_kept: BTreeSet<&str> = record.not_kept.iter().map(|not_kept| not_kept.url.host()).collect();
    if !not_kept.is_empty() {
        let hosts: Vec<&str> = not_kept.into_iter().collect();
        lines.push(format!("what is asked of these hosts and not kept: {}", list(&hosts)));
    }
    let n_first_seen = record.objects.iter().filter(|object| object.proof == Proof::FirstSeen).count();
    if n_first_seen > 0 {
        lines.push(format!(
            "whether {} what the upstream meant to publish: nobody vouches for them, they are the first bytes seen",
            count(n_first_seen, "object is", "objects are")
        ));
    }
    if !record.refused.is_empty() {
        lines.push(format!(
            "what {} for: the room refused them, see `refused`",
            count(record.refused.len(), "other connection was", "other connections were")
        ));
    }
    if facts.recorded.as_ref().is_some_and(|recorded| recorded.containment == Containment::Observed) {
        lines.push("what the recorded run fetched past Outlast: its room was not sealed".to_owned());
    }
}
