//! The three times of a drill, from what was seen of each cut host.

use model::Fault;
use serde::{Deserialize, Serialize};

/// What happened to one host during a drill; times count from the command's start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostTimeline {
    /// The host.
    pub host: String,
    /// How it was cut; none if it stayed reachable.
    pub fault: Option<Fault>,
    /// The first request to it (T0); none if it was not asked.
    pub first_request_ms: Option<u64>,
    /// When it was classed unavailable; none if every answer came from a copy without asking it.
    pub detected_ms: Option<u64>,
    /// The first complete verified answer in its place.
    pub recovered_ms: Option<u64>,
    /// Bytes that came from the host itself.
    pub bytes_from_upstream: u64,
}

/// What a drill measured over all cut hosts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Measured {
    /// The longest time from a host's first request until it was classed unavailable; none if none was.
    pub detected_ms: Option<u64>,
    /// The longest time from a host's first request until a copy stood in; none if a host that was asked never
    /// recovered, or none was asked.
    pub recovered_ms: Option<u64>,
    /// Bytes that came from hosts that were cut; anything but zero means that the cut leaked.
    pub bytes_from_cut_hosts: u64,
    /// The cut hosts that were asked.
    pub asked: Vec<String>,
    /// Those among them in whose place nothing answered.
    pub unrecovered: Vec<String>,
}

/// Measures detection and recovery, each relative to the host's own first request, and takes the maximum.
pub fn measure(timelines: &[HostTimeline]) -> Measured {
    let mut measured = Measured::default();
    for timeline in timelines.iter().filter(|timeline| timeline.fault.is_some()) {
        measured.bytes_from_cut_hosts =
            measured.bytes_from_cut_hosts.saturating_add(timeline.bytes_from_upstream);
        let Some(first_ms) = timeline.first_request_ms else {
            continue;
        };
        let after_first = |at_ms: Option<u64>| at_ms.map(|at_ms| at_ms.saturating_sub(first_ms));
        measured.asked.push(timeline.host.clone());
        measured.detected_ms = measured.detected_ms.max(after_first(timeline.detected_ms));
        measured.recovered_ms = measured.recovered_ms.max(after_first(timeline.recovered_ms));
        if timeline.recovered_ms.is_none() {
            measured.unrecovered.push(timeline.host.clone());
        }
    }
    if !measured.unrecovered.is_empty() {
        // One host that never came back: there is no time after which everything had recovered.
        measured.recovered_ms = None;
    }
    measured
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(host: &str, fault: Option<Fault>, times: [Option<u64>; 3], bytes: u64) -> HostTimeline {
        let [first_request_ms, detected_ms, recovered_ms] = times;
        let host = host.to_owned();
        HostTimeline { host, fault, first_request_ms, detected_ms, recovered_ms, bytes_from_upstream: bytes }
    }

    fn check(timelines: &[HostTimeline], detected_ms: Option<u64>, recovered_ms: Option<u64>, bytes: u64) {
        let measured = measure(timelines);
        assert_eq!(
            (measured.detected_ms, measured.recovered_ms, measured.bytes_from_cut_hosts),
            (detected_ms, recovered_ms, bytes),
            "{timelines:?}"
        );
    }

    const CUT: Option<Fault> = Some(Fault::Refuse);

    #[test]
    fn times_count_from_each_hosts_own_first_request() {
        let a = line("a", CUT, [Some(100), Some(110), Some(130)], 0);
        let b = line("b", CUT, [Some(5_000), Some(5_005), Some(5_900)], 0);
        check(&[a, b], Some(10), Some(900), 0);
    }

    #[test]
    fn nothing_asked_measures_nothing() {
        check(&[], None, None, 0);
        check(&[line("a", CUT, [None, None, None], 0)], None, None, 0);
        check(&[line("live", None, [Some(1), None, Some(2)], 77)], None, None, 0);
    }

    #[test]
    fn a_host_that_never_recovers_leaves_no_recovery_time() {
        let a = line("a", CUT, [Some(0), Some(3), Some(9)], 0);
        let b = line("b", CUT, [Some(0), Some(7), None], 0);
        check(&[a, b.clone()], Some(7), None, 0);
        assert_eq!(measure(&[b]).unrecovered, ["b"]);
    }

    #[test]
    fn bytes_of_cut_hosts_are_added_up() {
        let a = line("a", CUT, [Some(0), None, Some(0)], 3);
        let b = line("b", CUT, [None, None, None], 4);
        check(&[a, b, line("live", None, [Some(0), None, None], 100)], None, Some(0), 7);
    }
}
