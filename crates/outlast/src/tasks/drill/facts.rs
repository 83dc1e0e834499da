//! What a drill is judged by, from what its run left.

use std::collections::{BTreeMap, HashSet};

use drill::{Environment, Facts, HostTimeline, Missing, RecordedRun, Scenario};
use model::{Sha256, Timestamp};
use proxy::{CredentialUse, Ending, Exchange};

use super::{Attempt, Held};
use crate::tasks::run::Done;

/// Why a request has no answer that nobody refused.
pub(super) const WENT_AWAY: &str = "the client went away before it was answered";
/// Why an attempt does not count.
pub(super) const SHORT: &str = "memory ran short";

/// Returns what a held drill is judged by.
pub(super) fn facts(
    scenario: &Scenario,
    held: &Held,
    recorded: RecordedRun,
    previous_sha256: Option<Sha256>,
    now: Timestamp,
) -> Facts {
    let Held { done, before } = held;
    Facts {
        scenario: scenario.clone(),
        record: done.record.clone(),
        recorded: Some(recorded),
        newest_success: None,
        timelines: timelines(scenario, done),
        missing: missing(&done.findings.exchanges),
        unanswered_names: done.unanswered_names.clone(),
        masked: done.masked.iter().map(|mask| mask.path.display().to_string()).collect(),
        not_tested: before
            .iter()
            .map(set_aside)
            .chain(done.unhidden.iter().cloned())
            .chain(credentials(scenario, &done.findings.credentials))
            .collect(),
        environment: environment(),
        previous_sha256,
        now,
    }
}

fn timelines(scenario: &Scenario, done: &Done) -> Vec<HostTimeline> {
    done.findings
        .hosts
        .iter()
        .map(|(host, times)| HostTimeline {
            host: host.clone(),
            fault: scenario.fault_of(host),
            first_request_ms: times.first_request_ms,
            detected_ms: times.detected_ms,
            recovered_ms: times.recovered_ms,
            bytes_from_upstream: times.n_bytes_from_upstream,
        })
        .collect()
}

/// Says what copies do not prove about the credentials that were used at hosts that were cut.
fn credentials(scenario: &Scenario, uses: &BTreeMap<String, CredentialUse>) -> Vec<String> {
    let cut: Vec<_> = uses.iter().filter(|(host, _)| scenario.fault_of(host).is_some()).collect();
    let hosts = |is_meant: &dyn Fn(&CredentialUse) -> bool| -> Option<String> {
        let hosts: Vec<&str> =
            cut.iter().filter(|(_, used)| is_meant(used)).map(|(host, _)| host.as_str()).collect();
        (!hosts.is_empty()).then(|| hosts.join(", "))
    };
    let used = hosts(&|used| used.n_used > 0)
        .map(|hosts| format!("whether the credentials that were used are still good, or were: {hosts}"));
    let lent = hosts(&|used| used.n_lent > 0).map(|hosts| {
        format!(
            "what credentials get that were not used in a recording (another token, or one that was renewed): they got \
             what others had got, from {hosts}"
        )
    });
    used.into_iter().chain(lent).collect()
}

/// Says of an attempt that does not count that there was one.
fn set_aside(attempt: &Attempt) -> String {
    let Attempt { run_id, exit_code } = attempt;
    format!(
        "why an attempt before, run {run_id}, ended with exit code {exit_code}: {SHORT}, and it was held again on disk"
    )
}

/// Returns what was asked for and not given: refused, or never answered at all.
fn missing(exchanges: &[Exchange]) -> Vec<Missing> {
    // Whoever gives up may ask again, and be answered.
    let answered: HashSet<_> = exchanges
        .iter()
        .filter(|exchange| {
            matches!(exchange.ending, Ending::Object { .. } | Ending::NotKept { .. } | Ending::Settled { .. })
        })
        .map(|exchange| (&exchange.method, &exchange.url))
        .collect();
    let mut missing: Vec<Missing> = exchanges
        .iter()
        .filter_map(|exchange| {
            let (sha256, reason, never_kept) = match &exchange.ending {
                Ending::Missing { sha256, reason, never_kept } => (*sha256, reason.clone(), *never_kept),
                Ending::Open if !answered.contains(&(&exchange.method, &exchange.url)) => {
                    (None, WENT_AWAY.to_owned(), false)
                }
                _ => return None,
            };
            Some(Missing { url: exchange.url.clone(), sha256, reason, never_kept })
        })
        .collect();
    missing.sort();
    missing.dedup();
    missing
}

fn environment() -> Environment {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let release = read("/etc/os-release");
    let system = release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map_or_else(|| std::env::consts::OS.to_owned(), |name| name.trim_matches('"').to_owned());
    Environment {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        system,
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        architecture: std::env::consts::ARCH.to_owned(),
        user: user(),
    }
}

#[expect(clippy::disallowed_methods, reason = "the rim reads the environment")]
fn user() -> String {
    let named = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    named.unwrap_or_else(|| {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::metadata("/proc/self").map(|own| format!("uid {}", own.uid())).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use model::{Freshness, ObjectUrl, Proof, Source};

    use super::*;

    const URL: &str = "https://a.example/a";

    fn exchange(method: &str, url: &str, ending: Ending) -> Exchange {
        Exchange {
            method: method.to_owned(),
            url: ObjectUrl::parse(url).unwrap(),
            variant: String::new(),
            ecosystem: "generic",
            started_ms: 0,
            finished_ms: None,
            ending,
        }
    }

    fn object() -> Ending {
        Ending::Object {
            status: 200,
            sha256: Sha256::of(b""),
            size_bytes: 0,
            source: Source::Copy,
            proof: Proof::FirstSeen,
            freshness: Freshness::Stale,
            confirmed_at: Timestamp::UNIX_EPOCH,
            built_from: None,
        }
    }

    #[test]
    fn what_was_never_answered_is_missing() {
        let check = |exchanges: &[Exchange], expected: &[&str]| {
            let missing = missing(exchanges);
            let found: Vec<&str> = missing.iter().map(|missing| missing.url.as_str()).collect();
            assert_eq!(found, expected, "{exchanges:?}");
            assert!(missing.iter().all(|missing| !missing.reason.is_empty()));
        };
        let open = || exchange("GET", URL, Ending::Open);
        let cut = || Ending::Missing { sha256: None, reason: "cut".to_owned(), never_kept: false };
        let refused = || exchange("GET", URL, cut());
        check(&[exchange("GET", URL, object())], &[]);
        check(&[open()], &[URL]);
        check(&[open(), open()], &[URL]);
        check(&[open(), exchange("GET", URL, object())], &[]);
        check(&[exchange("GET", URL, object()), open()], &[]);
        // A refusal is no answer, and neither is that of another request.
        check(&[open(), refused()], &[URL, URL]);
        check(&[open(), exchange("HEAD", URL, object())], &[URL]);
        check(&[open(), exchange("GET", "https://a.example/b", object())], &[URL]);
        check(&[refused(), exchange("GET", URL, object())], &[URL]);
    }

    #[test]
    fn an_attempt_that_does_not_count_is_named() {
        let attempt = Attempt { run_id: "20261124T100000Z-0000000a".parse().unwrap(), exit_code: 7 };
        let line = set_aside(&attempt);
        assert!(line.contains("20261124T100000Z-0000000a, ended with exit code 7"), "{line}");
    }
}
