//! Remembers which upstreams are down, so that only the first request waits for them: a circuit breaker for each host and
//! each thing that is asked of it. Pure: times come in, decisions go out.

use std::collections::HashMap;
use std::time::Duration;

/// Failures and hangs are forgotten after this long.
const WINDOW: Duration = Duration::from_secs(30);
/// How long nobody waits before one request may try again.
const OPEN_FOR: Duration = Duration::from_secs(30);
/// How long an upstream may ask to be left alone with `Retry-After`; a mistaken one must not silence it for a day.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);
const N_FAILURES_MAX: usize = 3;
/// The most things of hosts that are remembered: anybody may name hosts to a server.
const N_STATES_MAX: usize = 4096;
/// One hang costs a second; a second one would break the fifth promise.
const N_HANGS_MAX: usize = 1;

/// What is asked of a host. A server whose files fail may still give good indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    Files,
    Indexes,
    Documents,
    Questions,
}

impl Lane {
    pub(crate) const ALL: [Self; 4] = [Self::Files, Self::Indexes, Self::Documents, Self::Questions];

    /// Returns the word of the journal.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Indexes => "indexes",
            Self::Documents => "documents",
            Self::Questions => "questions",
        }
    }

    /// Reads a word of the journal.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.name() == name)
    }
}

/// One request to an upstream, as the breaker needs it. Times are those of `Clock::elapsed`.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) host: String,
    pub(crate) lane: Lane,
    pub(crate) began: Duration,
}

/// What a request may do that a copy can stand in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Ask, and wait a little.
    Open,
    /// Take the copy, and ask beside it whether the upstream is back: one in each half minute.
    Probe,
    /// Take the copy.
    Shut,
}

/// How a request to an upstream went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered,
    Failed,
    Hung,
    /// It asked not to be asked again for so long.
    Deferred(Duration),
}

/// What an outcome changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    None,
    /// It was found down; nobody waits for so long.
    Opened(Duration),
    /// It answers again.
    Closed,
}

/// The state of every upstream.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    states: HashMap<(String, Lane), State>,
}

#[derive(Debug, Default)]
struct State {
    failures: Vec<Duration>,
    hangs: Vec<Duration>,
    /// Since when and until when nobody waits.
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    since: Duration,
    until: Duration,
    is_asked_for: bool,
    /// Whether one may ask now; only what becomes of that says anything about how long it lasts.
    is_probed: bool,
}

impl Breaker {
    /// Takes over what an earlier process found.
    pub(crate) fn restore(&mut self, host: String, lane: Lane, now: Duration, left: Duration) {
        let open = Open {
            since: now,
            until: now + left.min(RETRY_AFTER_MAX),
            is_asked_for: false,
            is_probed: false,
        };
        self.states.entry((host, lane)).or_default().open = Some(open);
    }

    /// Returns what a request may do that a copy can stand in for, and takes the one probe of half a minute for it.
    pub(crate) fn take_turn(&mut self, host: &str, lane: Lane, now: Duration) -> Gate {
        let Some(open) = self.open_mut(host, lane) else {
            return Gate::Open;
        };
        if now < open.until {
            return Gate::Shut;
        }
        // Everybody else goes on as before until it has an answer.
        open.until = now + OPEN_FOR;
        (open.is_asked_for, open.is_probed) = (false, true);
        Gate::Probe
    }

    /// Returns whether the upstream was found down, and has not answered since. Takes nothing.
    pub(crate) fn is_open(&self, host: &str, lane: Lane) -> bool {
        self.states.get(&(host.to_owned(), lane)).is_some_and(|state| state.open.is_some())
    }

    /// Returns whether nobody waits for the upstream now. Takes nothing.
    pub(crate) fn is_shut(&self, host: &str, lane: Lane, now: Duration) -> bool {
        self.shut_for(host, lane, now).is_some()
    }

    /// Returns how long nobody waits for the upstream from now on; nothing where somebody does. Takes nothing.
    pub(crate) fn shut_for(&self, host: &str, lane: Lane, now: Duration) -> Option<Duration> {
        let open = self.states.get(&(host.to_owned(), lane)).and_then(|state| state.open)?;
        open.until.checked_sub(now).filter(|left| !left.is_zero())
    }

    /// Returns how long the upstream still wants to be left alone, even by requests that nothing can stand in for.
    pub(crate) fn deferred(&mut self, host: &str, lane: Lane, now: Duration) -> Option<Duration> {
        let open = self.open_mut(host, lane).filter(|open| open.is_asked_for)?;
        open.until.checked_sub(now).filter(|left| !left.is_zero())
    }

    /// Notes how a request went. What began before the upstream was found down says nothing about it now.
    pub(crate) fn note(&mut self, attempt: &Attempt, outcome: Outcome, now: Duration) -> Change {
        let key = (attempt.host.clone(), attempt.lane);
        let known = self.states.get(&key).and_then(|state| state.open);
        let is_late = known.is_some_and(|open| attempt.began < open.since);
        if outcome == Outcome::Answered {
            if is_late {
                return Change::None;
            }
            let was_open = self.states.remove(&key).is_some_and(|state| state.open.is_some());
            return if was_open { Change::Closed } else { Change::None };
        }
        self.make_room(&key, now);
        let state = self.states.entry(key).or_default();
        let is_recent = |at: &Duration| now.saturating_sub(*at) < WINDOW;
        state.failures.retain(is_recent);
        state.hangs.retain(is_recent);
        let opens_for = match outcome {
            Outcome::Answered => return Change::None,
            Outcome::Failed => {
                state.failures.push(now);
                (state.failures.len() >= N_FAILURES_MAX || state.open.is_some()).then_some(OPEN_FOR)
            }
            Outcome::Hung => {
                state.hangs.push(now);
                (state.hangs.len() >= N_HANGS_MAX).then_some(OPEN_FOR)
            }
            Outcome::Deferred(wish) => Some(wish.min(RETRY_AFTER_MAX)),
        };
        let Some(opens_for) = opens_for.filter(|_| !is_late) else {
            return Change::None;
        };
        let is_asked_for = matches!(outcome, Outcome::Deferred(_));
        // Who waits less because it is down finds out nothing new.
        if !is_asked_for && state.open.is_some_and(|open| !open.is_probed) {
            return Change::None;
        }
        let since = state.open.map_or(now, |open| open.since);
        let is_new = state.open.is_none();
        state.open = Some(Open { since, until: now + opens_for, is_asked_for, is_probed: false });
        if is_new { Change::Opened(opens_for) } else { Change::None }
    }

    /// Forgets, where one more is too many, those for which somebody would wait now, or else all.
    fn make_room(&mut self, key: &(String, Lane), now: Duration) {
        if self.states.len() < N_STATES_MAX || self.states.contains_key(key) {
            return;
        }
        self.states.retain(|_, state| state.open.is_some_and(|open| open.until > now));
        if self.states.len() >= N_STATES_MAX {
            self.states.clear();
        }
    }

    fn open_mut(&mut self, host: &str, lane: Lane) -> Option<&mut Open> {
        self.states.get_mut(&(host.to_owned(), lane))?.open.as_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANE: Lane = Lane::Indexes;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn at(host: &str, began: u64) -> Attempt {
        Attempt { host: host.to_owned(), lane: LANE, began: seconds(began) }
    }

    #[test]
    fn three_failures_in_half_a_minute_open_it() {
        let mut breaker = Breaker::default();
        for n in [0, 1] {
            assert_eq!(breaker.note(&at("a", n), Outcome::Failed, seconds(n)), Change::None);
        }
        assert_eq!(breaker.take_turn("a", LANE, seconds(2)), Gate::Open);
        assert_eq!(breaker.note(&at("a", 2), Outcome::Failed, seconds(2)), Change::Opened(seconds(30)));
        assert_eq!(breaker.take_turn("a", LANE, seconds(3)), Gate::Shut);
        assert_eq!(breaker.take_turn("b", LANE, seconds(3)), Gate::Open, "another host is another matter");
        assert_eq!(
            breaker.take_turn("a", Lane::Files, seconds(3)),
            Gate::Open,
            "and so is something else of it"
        );
        assert_eq!(breaker.deferred("a", LANE, seconds(3)), None);
    }

    #[test]
    fn failures_far_apart_do_not() {
        let mut breaker = Breaker::default();
        for n in [0, 40, 80, 120] {
            breaker.note(&at("a", n), Outcome::Failed, seconds(n));
        }
        assert_eq!(breaker.take_turn("a", LANE, seconds(121)), Gate::Open);
    }

    #[test]
    fn one_hang_opens_it_and_one_probe_passes_in_each_half_minute() {
        let mut breaker = Breaker::default();
        breaker.note(&at("a", 0), Outcome::Hung, seconds(1));
        assert_eq!(breaker.take_turn("a", LANE, seconds(30)), Gate::Shut);
        assert!(breaker.is_shut("a", LANE, seconds(30)));
        assert!(!breaker.is_shut("a", LANE, seconds(31)), "who only looks takes no turn");
        assert_eq!(breaker.take_turn("a", LANE, seconds(31)), Gate::Probe, "the probe");
        assert!(breaker.is_shut("a", LANE, seconds(31)));
        assert_eq!(breaker.take_turn("a", LANE, seconds(32)), Gate::Shut, "only one");
        assert_eq!(breaker.note(&at("a", 31), Outcome::Failed, seconds(33)), Change::None, "still down");
        assert_eq!(breaker.take_turn("a", LANE, seconds(62)), Gate::Shut, "from its failure on");
        assert_eq!(breaker.take_turn("a", LANE, seconds(63)), Gate::Probe);
        assert_eq!(breaker.note(&at("a", 63), Outcome::Answered, seconds(64)), Change::Closed);
        assert_eq!(breaker.take_turn("a", LANE, seconds(64)), Gate::Open);
    }

    #[test]
    fn who_waits_less_because_it_is_down_does_not_keep_it_so() {
        let mut breaker = Breaker::default();
        breaker.note(&at("a", 0), Outcome::Hung, seconds(1));
        for n in [10, 20, 29] {
            assert_eq!(breaker.note(&at("a", n), Outcome::Hung, seconds(n + 1)), Change::None);
        }
        assert_eq!(breaker.take_turn("a", LANE, seconds(31)), Gate::Probe);
        // The control: the probe's own end does.
        breaker.note(&at("a", 31), Outcome::Hung, seconds(40));
        assert_eq!(breaker.take_turn("a", LANE, seconds(69)), Gate::Shut);
        // And an answer to any of them ends it.
        assert_eq!(breaker.note(&at("a", 50), Outcome::Answered, seconds(60)), Change::Closed);
    }

    #[test]
    fn hosts_without_end_take_no_memory_without_end() {
        let mut breaker = Breaker::default();
        breaker.note(&at("down", 0), Outcome::Hung, seconds(0));
        for n in 0..2 * N_STATES_MAX {
            breaker.note(&at(&format!("{n}.example"), 1), Outcome::Failed, seconds(1));
        }
        assert!(breaker.states.len() <= N_STATES_MAX);
        assert_eq!(breaker.take_turn("down", LANE, seconds(2)), Gate::Shut, "what is down is known");
        breaker.note(&at("a", 1), Outcome::Failed, seconds(1));
        breaker.note(&at("a", 2), Outcome::Answered, seconds(2));
        assert!(!breaker.states.contains_key(&("a".to_owned(), LANE)), "what answers is not remembered");
    }

    #[test]
    fn what_began_before_says_nothing() {
        let mut breaker = Breaker::default();
        breaker.note(&at("a", 5), Outcome::Hung, seconds(6));
        assert_eq!(breaker.note(&at("a", 4), Outcome::Answered, seconds(7)), Change::None);
        assert_eq!(breaker.take_turn("a", LANE, seconds(8)), Gate::Shut, "an old answer does not close it");
        breaker.note(&at("a", 4), Outcome::Failed, seconds(35));
        assert_eq!(
            breaker.take_turn("a", LANE, seconds(36)),
            Gate::Probe,
            "nor does an old failure keep it open"
        );
    }

    #[test]
    fn who_asks_to_be_left_alone_is() {
        let mut breaker = Breaker::default();
        let opened = breaker.note(&at("a", 0), Outcome::Deferred(seconds(100)), seconds(0));
        assert_eq!(opened, Change::Opened(seconds(100)));
        assert_eq!(breaker.deferred("a", LANE, seconds(40)), Some(seconds(60)));
        assert_eq!(breaker.take_turn("a", LANE, seconds(99)), Gate::Shut);
        assert_eq!(breaker.deferred("a", LANE, seconds(100)), None);
        assert_eq!(breaker.take_turn("a", LANE, seconds(100)), Gate::Probe);
        let day = Outcome::Deferred(seconds(86_400));
        assert_eq!(breaker.note(&at("b", 0), day, seconds(0)), Change::Opened(seconds(600)), "within reason");
    }

    #[test]
    fn what_an_earlier_process_found_still_holds() {
        let mut breaker = Breaker::default();
        breaker.restore("a".to_owned(), LANE, seconds(0), seconds(12));
        assert_eq!(breaker.take_turn("a", LANE, seconds(11)), Gate::Shut);
        assert_eq!(breaker.take_turn("a", LANE, seconds(12)), Gate::Probe, "the probe");
        assert_eq!(breaker.take_turn("a", LANE, seconds(13)), Gate::Shut);
        assert_eq!(breaker.note(&at("a", 12), Outcome::Answered, seconds(14)), Change::Closed);
        for lane in Lane::ALL {
            assert_eq!(Lane::of(lane.name()), Some(lane));
        }
    }
}
