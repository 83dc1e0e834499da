//! Compares what the drill made with what the recorded run made.

use std::collections::BTreeMap;
use std::path::Path;

use model::{Output, Sha256};

use super::{Facts, count, list, quoted};
use crate::report::Reason;

/// What comparing the named outputs showed.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// Outputs that are not the same.
    pub(super) differing: Vec<Reason>,
    /// Outputs that one side does not have, so that nothing can be said.
    pub(super) incomparable: Vec<Reason>,
}

/// Compares each output that the scenario names; without a recorded run there is nothing to compare.
pub(super) fn compare(facts: &Facts) -> Comparison {
    let mut comparison = Comparison::default();
    let Some(recorded) = &facts.recorded else {
        return comparison;
    };
    for named in &facts.scenario.output {
        // An absolute path is one inside the project's directory; records have relative ones.
        let named = named.strip_prefix(&facts.record.directory).unwrap_or(named);
        let before = below(&recorded.outputs, named);
        let after = below(&facts.record.outputs, named);
        if before.is_empty() {
            comparison.incomparable.push(no_recorded_output(facts, named));
        } else {
            comparison.differing.extend(differing(named, &before, &after));
        }
    }
    comparison
}

fn no_recorded_output(facts: &Facts, named: &Path) -> Reason {
    let (path, command) = (named.display().to_string(), quoted(&facts.record.command));
    Reason::new(
        format!("the recorded run has no output `{path}` to compare with"),
        format!("record it: outlast exec --fresh --output {} -- {command}", quoted(&[path])),
    )
}

fn differing(
    named: &Path,
    before: &BTreeMap<&str, Sha256>,
    after: &BTreeMap<&str, Sha256>,
) -> Option<Reason> {
    let mut paths: Vec<String> = Vec::new();
    for (path, sha256) in before {
        match after.get(path) {
            None => paths.push(format!("{path} (not made)")),
            Some(made) if made != sha256 => paths.push((*path).to_owned()),
            Some(_) => {}
        }
    }
    let added = after.keys().filter(|path| !before.contains_key(*path));
    paths.extend(added.map(|path| format!("{path} (not there before)")));
    if paths.is_empty() {
        return None;
    }
    Some(Reason::new(
        format!(
            "output `{}` is not what the recorded run made: {} of {} ({})",
            named.display(),
            count(paths.len(), "file differs", "files differ"),
            before.len().max(after.len()),
            list(&paths)
        ),
        "run the build twice with a live network: if it differs there too, it is not reproducible, and naming only \
         reproducible outputs helps",
    ))
}

fn below<'a>(outputs: &'a [Output], named: &Path) -> BTreeMap<&'a str, Sha256> {
    outputs
        .iter()
        .filter(|output| {
            let is_whole_project = named.components().all(|part| part == std::path::Component::CurDir);
            is_whole_project || Path::new(&output.path).starts_with(named)
        })
        .map(|output| (output.path.as_str(), output.sha256))
        .collect()
}
