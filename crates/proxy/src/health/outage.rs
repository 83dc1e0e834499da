//! Remembers which upstreams do not answer and since when, in this session and in those before it. Pure.

use std::collections::{HashMap, HashSet};

use model::{ObjectKey, Timestamp};

use crate::health::breaker::Lane;

/// Since when copies of a host are served in its place, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stale {
    pub(crate) since: Timestamp,
    pub(crate) reason: String,
}

/// The outages that are not over, of each host and each thing that is asked of it.
#[derive(Debug, Default)]
pub(crate) struct Outages {
    all: HashMap<(String, Lane), Outage>,
}

#[derive(Debug)]
struct Outage {
    since: Timestamp,
    /// Why, if this session has met it.
    reason: Option<String>,
    /// Of what this session served copies. While one of them has not come, others that come show little.
    stale: HashSet<ObjectKey>,
}

impl Outages {
    /// Takes over an outage that was found, if it is not known; the first finding says since when.
    pub(crate) fn restore(&mut self, host: &str, lane: Lane, since: Timestamp) {
        let outage = Outage { since, reason: None, stale: HashSet::new() };
        self.all.entry((host.to_owned(), lane)).or_insert(outage);
    }

    /// Takes down that a copy is served. Returns what has to be told if this session meets the outage for the first time.
    pub(crate) fn meet(
        &mut self,
        key: &ObjectKey,
        lane: Lane,
        now: Timestamp,
        reason: &str,
    ) -> Option<Stale> {
        self.restore(key.url.host(), lane, now);
        let outage = self.all.get_mut(&(key.url.host().to_owned(), lane))?;
        outage.stale.insert(key.clone());
        if outage.reason.is_some() {
            return None;
        }
        outage.reason = Some(reason.to_owned());
        Some(Stale { since: outage.since, reason: reason.to_owned() })
    }

    /// Returns since when copies of a host are served in this session, and why.
    pub(crate) fn of(&self, host: &str) -> Option<Stale> {
        let met = self.all.iter().filter(|((other, _), _)| other == host);
        met.filter_map(|(_, outage)| Some(Stale { since: outage.since, reason: outage.reason.clone()? }))
            .min_by_key(|stale| stale.since)
    }

    /// Takes down that an object came. Returns whether that ends an outage.
    pub(crate) fn recover(&mut self, key: &ObjectKey, lane: Lane) -> bool {
        if self.all.is_empty() {
            return false;
        }
        let Some(outage) = self.all.get_mut(&(key.url.host().to_owned(), lane)) else { return false };
        outage.stale.remove(key);
        if !outage.stale.is_empty() {
            return false;
        }
        self.end(key.url.host(), lane);
        true
    }

    /// Ends an outage.
    pub(crate) fn end(&mut self, host: &str, lane: Lane) {
        self.all.remove(&(host.to_owned(), lane));
    }
}

#[cfg(test)]
mod tests {
    use model::ObjectUrl;

    use super::*;

    const LANE: Lane = Lane::Indexes;

    fn key(path: &str) -> ObjectKey {
        ObjectKey::get(ObjectUrl::parse(&format!("https://a.example/{path}")).unwrap())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn since(stale: Option<Stale>) -> Option<i64> {
        stale.map(|stale| stale.since.as_second())
    }

    #[test]
    fn it_is_told_once_and_since_it_was_first_found() {
        let mut outages = Outages::default();
        for second in [3, 5] {
            outages.restore("a.example", LANE, at(second));
        }
        assert_eq!(outages.of("a.example"), None, "nothing was served yet");
        assert_eq!(since(outages.meet(&key("a"), LANE, at(7), "why")), Some(3));
        assert_eq!(outages.meet(&key("b"), LANE, at(8), "why"), None);
        assert_eq!(since(outages.meet(&key("a"), Lane::Files, at(9), "why")), Some(9), "another matter");
        assert_eq!(since(outages.of("a.example")), Some(3));
        assert_eq!(outages.of("b.example"), None);
    }

    #[test]
    fn it_ends_when_everything_came_that_had_not() {
        let mut outages = Outages::default();
        assert!(!outages.recover(&key("a"), LANE), "there is none");
        outages.restore("a.example", LANE, at(1));
        assert!(!outages.recover(&key("a"), Lane::Files), "another matter");
        assert!(outages.recover(&key("a"), LANE), "what an earlier session lacked is not known");
        assert!(!outages.recover(&key("a"), LANE), "it is over");
        outages.meet(&key("a"), LANE, at(2), "why");
        outages.meet(&key("b"), LANE, at(2), "why");
        assert!(!outages.recover(&key("c"), LANE));
        assert!(!outages.recover(&key("a"), LANE));
        assert!(outages.recover(&key("b"), LANE));
        assert_eq!(since(outages.meet(&key("a"), LANE, at(9), "why")), Some(9), "another one");
    }
}
