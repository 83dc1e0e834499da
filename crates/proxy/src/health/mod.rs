//! What is known about the upstreams: which of them answer, which are down, and since when.

pub(crate) mod breaker;
pub(crate) mod outage;

use std::time::Duration;

use host::http::FetchError;
use http::{HeaderMap, StatusCode, header};
use model::{Event, Freshness, ObjectKey, Timestamp};

use crate::decide;
use crate::health::breaker::{Attempt, Change, Gate, Lane, Outcome};
use crate::health::outage::Stale;
use crate::session::{Inner, lock};
use crate::shelf::Watch;

/// How long after its end a breaker's finding is worth a probe rather than an ordinary request.
const FORGOTTEN_AFTER_S: i64 = 30;

impl Inner {
    /// Takes over which upstreams earlier processes found down, and since when. What a drill plays is nobody's finding.
    pub(crate) fn restore_health(&self) {
        let outages = match self.engine.store.outages() {
            Ok(outages) => outages,
            Err(error) => return tracing::warn!("which upstreams were down is not known: {error}"),
        };
        for entry in outages {
            match entry.event {
                Event::Down { host, what, since, until, reason, .. } if self.line.fault(&host).is_none() => {
                    let Some(lane) = Lane::of(&what) else { continue };
                    lock(&self.outages).find(&host, lane, since, &reason);
                    self.restore_breaker(host, lane, until);
                }
                Event::Stale { host, what, since, reason } if self.line.fault(&host).is_none() => {
                    let Some(lane) = Lane::of(&what) else { continue };
                    lock(&self.outages).find(&host, lane, since, &reason);
                }
                _ => {}
            }
        }
    }

    fn restore_breaker(&self, host: String, lane: Lane, until: Timestamp) {
        // What was down an hour ago says nothing about now.
        let left = until.duration_since(self.engine.clock.now()).as_secs();
        if left > -FORGOTTEN_AFTER_S {
            let left = Duration::from_secs(u64::try_from(left).unwrap_or_default());
            lock(&self.breaker).restore(host, lane, self.engine.clock.elapsed(), left);
        }
    }

    /// Notes that a copy is served because its host cannot be asked; once for each host, lane and session in the journal.
    pub(crate) fn note_stale(&self, key: &ObjectKey, lane: Lane, reason: &str) {
        self.note_stale_by(key.url.host(), key, lane, reason);
    }

    /// Notes that a copy is served because of another host, to which its own redirects.
    pub(crate) fn note_stale_by(&self, blamed: &str, key: &ObjectKey, lane: Lane, reason: &str) {
        let new = lock(&self.outages).meet(key, lane, self.engine.clock.now(), reason);
        let Some(Stale { since, reason }) = new else { return };
        self.note_change(key.url.host());
        let (host, what) = (key.url.host().to_owned(), lane.name().to_owned());
        self.journal(blamed, Event::Stale { host, what, since, reason });
    }

    /// Returns since when a copy is served in its host's place, and why.
    pub(crate) fn stale(&self, key: &ObjectKey) -> Option<Stale> {
        lock(&self.outages).of(key)
    }

    /// Returns why nobody asks a host now.
    pub(crate) fn why_down(&self, host: &str, lane: Lane) -> String {
        let cause = lock(&self.outages).cause(host, lane).map(str::to_owned);
        cause.unwrap_or_else(|| "it was found down a moment ago".to_owned())
    }

    /// Notes that an upstream gave something that could be taken: its outage may be over.
    pub(crate) fn note_recovery(&self, key: &ObjectKey, lane: Lane) {
        if lock(&self.outages).recover(key, lane) {
            self.note_change(key.url.host());
            self.note_up(key.url.host(), lane);
        }
    }

    fn note_up(&self, host: &str, lane: Lane) {
        let (what, at) = (lane.name().to_owned(), self.engine.clock.now());
        self.journal(host, Event::Up { host: host.to_owned(), what, at });
    }

    /// Begins a request to an upstream.
    pub(crate) fn attempt(&self, host: &str, lane: Lane) -> Attempt {
        Attempt { host: host.to_owned(), lane, began: self.engine.clock.elapsed() }
    }

    /// Returns what a request may do that a copy can stand in for, and takes the one probe of half a minute for it: only
    /// who would ask takes a turn.
    pub(crate) fn take_turn(&self, host: &str, lane: Lane) -> Gate {
        lock(&self.breaker).take_turn(host, lane, self.engine.clock.elapsed())
    }

    /// Takes the turn of a request that has no other way to find out whether the upstream is back than to wait for it;
    /// returns whether it got one.
    pub(crate) fn take_turn_to_wait(&self, host: &str, lane: Lane) -> bool {
        self.take_turn(host, lane) != Gate::Shut
    }

    /// Returns whether nobody waits for the upstream now; for requests too short to find out whether it is back.
    pub(crate) fn is_shut(&self, host: &str, lane: Lane) -> bool {
        lock(&self.breaker).is_shut(host, lane, self.engine.clock.elapsed())
    }

    /// Returns whether the upstream was found down, and has not answered since.
    pub(crate) fn is_known_down(&self, host: &str, lane: Lane) -> bool {
        lock(&self.breaker).is_open(host, lane)
    }

    /// Returns how long nobody waits for the upstream from now on.
    pub(crate) fn shut_for(&self, host: &str, lane: Lane) -> Option<Duration> {
        lock(&self.breaker).shut_for(host, lane, self.engine.clock.elapsed())
    }

    /// Returns how long the upstream still asks not to be asked at all.
    pub(crate) fn deferred(&self, host: &str, lane: Lane) -> Option<Duration> {
        lock(&self.breaker).deferred(host, lane, self.engine.clock.elapsed())
    }

    /// Notes how a request to an upstream went, and why it went badly.
    pub(crate) fn note_outcome(&self, attempt: &Attempt, outcome: Outcome, reason: &str) {
        let change = lock(&self.breaker).note(attempt, outcome, self.engine.clock.elapsed());
        if outcome != Outcome::Answered {
            self.note_detected(&attempt.host);
        }
        let Attempt { host, lane, .. } = attempt;
        let is_news = change != Change::None || outcome != Outcome::Answered;
        match change {
            Change::None => {}
            Change::Closed => {
                let was_told = lock(&self.outages).end(host, *lane);
                if was_told {
                    self.note_up(host, *lane);
                }
            }
            // Anybody may name hosts to a server, which does not write each of them down for ever.
            Change::Opened(_) if self.is_on_its_own() && !self.keeps_of(host) => {}
            Change::Opened(left) => {
                let now = self.engine.clock.now();
                lock(&self.outages).find(host, *lane, now, reason);
                let until = now.checked_add(left).unwrap_or(Timestamp::MAX);
                let (host, what) = (host.clone(), lane.name().to_owned());
                self.journal(
                    &attempt.host,
                    Event::Down {
                        host,
                        what,
                        since: now,
                        until,
                        reason: reason.to_owned(),
                        is_absent: false,
                    },
                );
            }
        }
        if is_news {
            self.note_change(&attempt.host);
        }
    }

    /// Returns whether anything of a host is held, as far as that is known.
    fn keeps_of(&self, host: &str) -> bool {
        self.engine.store.knows_host(host).unwrap_or(true)
    }

    /// Begins to see whether anything changes about how a host stands, for what says that.
    pub(crate) fn watch(&self, freshness: Freshness, host: &str) -> Option<Watch> {
        let shelf = self.shelf.as_ref().filter(|_| freshness != Freshness::Fresh)?;
        Some(shelf.watch(host))
    }

    /// Lets what is ready be made anew where it says how a host stood.
    fn note_change(&self, host: &str) {
        if let Some(shelf) = &self.shelf {
            shelf.note_change(host);
        }
    }

    /// Notes that a host was found wanting. The team's server is none of the command's hosts.
    pub(crate) fn note_detected(&self, host: &str) {
        if !self.is_server(host) {
            self.notes.detected(host, self.at_ms());
        }
    }

    /// Notes what a status says about the upstream.
    pub(crate) fn note_status(&self, attempt: &Attempt, status: StatusCode, headers: &HeaderMap) {
        let outcome = match retry_after(status, headers, self.engine.clock.now()) {
            Some(wish) => Outcome::Deferred(wish),
            None if decide::is_trouble(status) => Outcome::Failed,
            None => Outcome::Answered,
        };
        self.note_outcome(attempt, outcome, &format!("it answered with status {}", status.as_u16()));
    }

    /// Notes why a request to an upstream had no answer.
    pub(crate) fn note_error(&self, attempt: &Attempt, error: &FetchError) {
        let outcome = match error {
            // It was not asked, so this says nothing about the host.
            FetchError::Forbidden { .. } => {
                return tracing::warn!("`{}` is not asked: {error}", attempt.host);
            }
            FetchError::Timeout { .. } => Outcome::Hung,
            _ => Outcome::Failed,
        };
        self.note_outcome(attempt, outcome, &error.to_string());
    }
}

/// Returns how long an upstream asks to be left alone: RFC 9110 §10.2.3, in seconds or as a date. On other statuses the
/// header means something else.
fn retry_after(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    if !matches!(status.as_u16(), 403 | 429 | 503) {
        return None;
    }
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds)).filter(|wish| !wish.is_zero());
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Duration::try_from(at.duration_since(now)).ok().filter(|wish| !wish.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_says_when_to_come_back() {
        let now: Timestamp = "2026-05-21T10:00:05Z".parse().unwrap();
        let check = |status: u16, text: &str, expected: Option<u64>| {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, text.parse().unwrap())]);
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(
                retry_after(status, &headers, now),
                expected.map(Duration::from_secs),
                "{status} {text}"
            );
        };
        check(429, "7", Some(7));
        check(503, " 120 ", Some(120));
        check(403, "60", Some(60));
        check(429, "Thu, 21 May 2026 10:01:05 GMT", Some(60));
        check(429, "Thu, 21 May 2026 09:01:05 GMT", None);
        check(429, "0", None);
        check(429, "soon", None);
        check(429, "-1", None);
        check(500, "7", None);
        check(302, "7", None);
        assert_eq!(retry_after(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new(), now), None);
    }
}
