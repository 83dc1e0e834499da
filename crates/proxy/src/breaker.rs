//! Remembers which hosts are down, so that only the first request waits for them.

use std::collections::HashMap;
use std::time::Duration;

/// Failures and hangs are forgotten after this long.
const WINDOW: Duration = Duration::from_secs(30);
/// How long nobody waits before one request may try again.
const OPEN_FOR: Duration = Duration::from_secs(30);
const N_FAILURES_MAX: usize = 3;
/// One hang costs a second; a second one would break the fifth promise.
const N_HANGS_MAX: usize = 1;

/// How a request to an upstream went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered,
    Failed,
    Hung,
}

/// The state of every host of one session. Times are those of `Clock::elapsed`.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    hosts: HashMap<String, Host>,
}

#[derive(Debug, Default)]
struct Host {
    failures: Vec<Duration>,
    hangs: Vec<Duration>,
    open_until: Option<Duration>,
}

impl Breaker {
    /// Returns whether a request that a copy can stand in for may wait for `host`; while a host is down, one in each
    /// half minute may.
    pub(crate) fn may_wait(&mut self, host: &str, now: Duration) -> bool {
        let Some(state) = self.hosts.get_mut(host) else {
            return true;
        };
        match state.open_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                // The probe: everybody else goes on as before until it has an answer.
                state.open_until = Some(now + OPEN_FOR);
                true
            }
        }
    }

    /// Notes how a request went.
    pub(crate) fn note(&mut self, host: &str, outcome: Outcome, now: Duration) {
        let state = self.hosts.entry(host.to_owned()).or_default();
        let is_recent = |at: &Duration| now.saturating_sub(*at) < WINDOW;
        state.failures.retain(is_recent);
        state.hangs.retain(is_recent);
        match outcome {
            Outcome::Answered => *state = Host::default(),
            Outcome::Failed => state.failures.push(now),
            Outcome::Hung => state.hangs.push(now),
        }
        if state.failures.len() >= N_FAILURES_MAX || state.hangs.len() >= N_HANGS_MAX {
            state.open_until = Some(now + OPEN_FOR);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn three_failures_in_half_a_minute_open_it() {
        let mut breaker = Breaker::default();
        for at in [0, 1] {
            breaker.note("a", Outcome::Failed, seconds(at));
        }
        assert!(breaker.may_wait("a", seconds(2)));
        breaker.note("a", Outcome::Failed, seconds(2));
        assert!(!breaker.may_wait("a", seconds(3)));
        assert!(breaker.may_wait("b", seconds(3)), "another host is another matter");
    }

    #[test]
    fn failures_far_apart_do_not() {
        let mut breaker = Breaker::default();
        for at in [0, 40, 80, 120] {
            breaker.note("a", Outcome::Failed, seconds(at));
        }
        assert!(breaker.may_wait("a", seconds(121)));
    }

    #[test]
    fn one_hang_opens_it_and_one_probe_passes_later() {
        let mut breaker = Breaker::default();
        breaker.note("a", Outcome::Hung, seconds(0));
        assert!(!breaker.may_wait("a", seconds(29)));
        assert!(breaker.may_wait("a", seconds(30)), "the probe");
        assert!(!breaker.may_wait("a", seconds(31)), "only one");
        breaker.note("a", Outcome::Answered, seconds(32));
        assert!(breaker.may_wait("a", seconds(33)));
    }
}
