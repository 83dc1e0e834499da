//! Remembers which upstreams do not answer and since when, in this session and in those before it. Pure.

use std::collections::HashMap;

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
    /// Why it was found; whatever nobody asked for since is not there for this reason.
    cause: Option<String>,
    /// Whether this session has told of it.
    is_told: bool,
    /// Of what this session served copies, each with its own reason. While one of them has not come, others that come show little.
    stale: HashMap<ObjectKey, String>,
}

impl Outages {
    /// Takes over an outage that was found, if it is not known; the first finding says since when and why.
    pub(crate) fn find(&mut self, host: &str, lane: Lane, since: Timestamp, cause: &str) {
        let outage = self.entry(host, lane, since);
        outage.cause.get_or_insert_with(|| cause.to_owned());
    }

    fn entry(&mut self, host: &str, lane: Lane, since: Timestamp) -> &mut Outage {
        let outage = || Outage { since, cause: None, is_told: false, stale: HashMap::new() };
        self.all.entry((host.to_owned(), lane)).or_insert_with(outage)
    }

    /// Returns why a host was found down.
    pub(crate) fn cause(&self, host: &str, lane: Lane) -> Option<&str> {
        self.all.get(&(host.to_owned(), lane))?.cause.as_deref()
    }

    /// Takes down that a copy is served. Returns what has to be told if this session meets the outage for the first time.
    pub(crate) fn meet(
        &mut self,
        key: &ObjectKey,
        lane: Lane,
        now: Timestamp,
        reason: &str,
    ) -> Option<Stale> {
        let outage = self.entry(key.url.host(), lane, now);
        outage.stale.insert(key.clone(), reason.to_owned());
        let is_news = !std::mem::replace(&mut outage.is_told, true);
        is_news.then(|| Stale { since: outage.since, reason: reason.to_owned() })
    }

    /// Returns since when a copy is served in this session, and why.
    pub(crate) fn of(&self, key: &ObjectKey) -> Option<Stale> {
        let met = Lane::ALL.iter().filter_map(|lane| self.all.get(&(key.url.host().to_owned(), *lane)));
        let own = met
            .filter_map(|outage| Some(Stale { since: outage.since, reason: outage.stale.get(key)?.clone() }));
        own.min_by_key(|stale| stale.since)
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
        self.end(key.url.host(), lane)
    }

    /// Ends an outage; returns whether there was one.
    pub(crate) fn end(&mut self, host: &str, lane: Lane) -> bool {
        self.all.remove(&(host.to_owned(), lane)).is_some()
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
            outages.find("a.example", LANE, at(second), &format!("found at {second}"));
        }
        assert_eq!(outages.of(&key("a")), None, "nothing was served yet");
        assert_eq!(outages.cause("a.example", LANE), Some("found at 3"));
        assert_eq!(since(outages.meet(&key("a"), LANE, at(7), "why")), Some(3));
        assert_eq!(outages.meet(&key("b"), LANE, at(8), "why"), None);
        assert_eq!(since(outages.meet(&key("a"), Lane::Files, at(9), "why")), Some(9), "another matter");
        assert_eq!(since(outages.of(&key("a"))), Some(3));
        assert_eq!(outages.of(&key("c")), None);
    }

    #[test]
    fn each_copy_has_the_reason_for_which_it_is_served() {
        let mut outages = Outages::default();
        outages.meet(&key("a"), LANE, at(1), "status 502");
        outages.meet(&key("b"), LANE, at(2), "no answer within a second");
        let why = |path| outages.of(&key(path)).map(|stale| stale.reason);
        assert_eq!(why("a").as_deref(), Some("status 502"));
        assert_eq!(why("b").as_deref(), Some("no answer within a second"));
    }

    #[test]
    fn it_ends_when_everything_came_that_had_not() {
        let mut outages = Outages::default();
        assert!(!outages.recover(&key("a"), LANE), "there is none");
        outages.find("a.example", LANE, at(1), "why");
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
