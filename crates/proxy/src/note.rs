//! What a session writes down: every exchange, and when each host was found wanting and stood in for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use model::{Freshness, ObjectUrl, Proof, Sha256, Source, Timestamp};

use crate::limits::N_EXCHANGES_MAX;
use crate::session::lock;

/// One request of the command and how it was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// `GET`, `HEAD`, `POST` …
    pub method: String,
    /// The address.
    pub url: ObjectUrl,
    /// See `ObjectKey::variant`.
    pub variant: String,
    /// The ecosystem that understood it.
    pub ecosystem: &'static str,
    /// Since the session began.
    pub started_ms: u64,
    /// Until the last byte was there, or the answer was given up.
    pub finished_ms: Option<u64>,
    /// How it ended.
    pub ending: Ending,
}

/// How an exchange ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// Not yet.
    Open,
    /// Answered with an object that is in the store.
    Object {
        /// The status the client saw.
        status: u16,
        /// The blob.
        sha256: Sha256,
        /// Its size.
        size_bytes: u64,
        /// Where the bytes came from.
        source: Source,
        /// Who answers for them.
        proof: Proof,
        /// How they relate to what the upstream says now.
        freshness: Freshness,
        /// When the upstream last confirmed them.
        confirmed_at: Timestamp,
        /// From which repository and commit they were packed, where no upstream gave them.
        built_from: Option<String>,
    },
    /// Passed on, and not in the store.
    NotKept {
        /// The status the client saw.
        status: u16,
        /// Bytes of the body.
        size_bytes: u64,
        /// Why, in words for a person.
        reason: String,
    },
    /// Nothing could be given.
    Missing {
        /// The blob that should have been there, if one was known.
        sha256: Option<Sha256>,
        /// Why, in words for a person.
        reason: String,
        /// Whether no copy could ever have answered: git, or a request that changes something.
        never_kept: bool,
    },
    /// Answered, and nothing came of it that a build could miss: another spelling of an address, or a word to a registry
    /// that nobody waits for.
    Settled {
        /// The status the client saw.
        status: u16,
    },
    /// Refused before any upstream saw it.
    Refused {
        /// Why, in words for a person.
        reason: String,
    },
}

/// When one host was asked, found wanting and stood in for; milliseconds since the session began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostTimes {
    /// The first request.
    pub first_request_ms: Option<u64>,
    /// The first failure, silence beyond the deadline, or answer that was rejected.
    pub detected_ms: Option<u64>,
    /// The first complete answer from a copy.
    pub recovered_ms: Option<u64>,
    /// Bytes of bodies that came from the host itself.
    pub n_bytes_from_upstream: u64,
    /// Requests that followed a redirect of another host, which the command did not see.
    pub n_followed: u64,
    /// The port of the first of them.
    pub port_followed: Option<u16>,
    /// The addresses that led here: an answer to one of them stands in for this host as well.
    pub followed_from: BTreeSet<ObjectUrl>,
}

/// Where a session writes.
#[derive(Debug)]
pub(crate) struct Notes {
    exchanges: Mutex<Vec<Exchange>>,
    hosts: Mutex<BTreeMap<String, HostTimes>>,
    n_exchanges_max: usize,
    n_unlisted: AtomicU64,
    is_off: bool,
}

impl Default for Notes {
    fn default() -> Self {
        Self::bounded(N_EXCHANGES_MAX)
    }
}

impl Notes {
    /// Writes nothing down, not even hosts, of which there may be any number.
    pub(crate) fn none() -> Self {
        Self { is_off: true, ..Self::bounded(0) }
    }

    fn bounded(n_exchanges_max: usize) -> Self {
        Self {
            exchanges: Mutex::default(),
            hosts: Mutex::default(),
            n_exchanges_max,
            n_unlisted: AtomicU64::new(0),
            is_off: false,
        }
    }

    /// Opens an exchange and returns its number.
    pub(crate) fn open(&self, exchange: Exchange) -> usize {
        if self.is_off {
            return usize::MAX;
        }
        let at = exchange.started_ms;
        lock(&self.hosts)
            .entry(exchange.url.host().to_owned())
            .or_default()
            .first_request_ms
            .get_or_insert(at);
        let mut exchanges = lock(&self.exchanges);
        let number = exchanges.len();
        // Beyond the bound it gets a number that nothing has, and is only counted.
        if number < self.n_exchanges_max {
            exchanges.push(exchange);
        } else {
            self.n_unlisted.fetch_add(1, Ordering::Relaxed);
        }
        number
    }

    /// Returns how many exchanges were not written down.
    pub(crate) fn n_unlisted(&self) -> u64 {
        self.n_unlisted.load(Ordering::Relaxed)
    }

    /// Notes which of several answers of one address an exchange is about.
    pub(crate) fn specify(&self, number: usize, variant: &str) {
        if let Some(exchange) = lock(&self.exchanges).get_mut(number) {
            variant.clone_into(&mut exchange.variant);
        }
    }

    /// Returns the ecosystem of an exchange.
    pub(crate) fn ecosystem(&self, number: usize) -> Option<&'static str> {
        lock(&self.exchanges).get(number).map(|exchange| exchange.ecosystem)
    }

    /// Ends an exchange; the first ending stands.
    pub(crate) fn end(&self, number: usize, at_ms: u64, ending: Ending) {
        let mut exchanges = lock(&self.exchanges);
        let Some(exchange) = exchanges.get_mut(number).filter(|exchange| exchange.ending == Ending::Open)
        else {
            return;
        };
        if let Ending::Object { source: Source::Copy, .. } = ending {
            let mut hosts = lock(&self.hosts);
            hosts.entry(exchange.url.host().to_owned()).or_default().recovered_ms.get_or_insert(at_ms);
            for times in hosts.values_mut().filter(|times| times.followed_from.contains(&exchange.url)) {
                times.recovered_ms.get_or_insert(at_ms);
            }
        }
        exchange.finished_ms = Some(at_ms);
        exchange.ending = ending;
    }

    /// Notes that a host was found wanting.
    pub(crate) fn detected(&self, host: &str, at_ms: u64) {
        if self.is_off {
            return;
        }
        lock(&self.hosts).entry(host.to_owned()).or_default().detected_ms.get_or_insert(at_ms);
    }

    /// Counts a request to `target` that followed a redirect of `from`.
    pub(crate) fn asked_inside(&self, from: &ObjectUrl, target: &ObjectUrl, at_ms: u64) {
        if self.is_off {
            return;
        }
        let mut hosts = lock(&self.hosts);
        let times = hosts.entry(target.host().to_owned()).or_default();
        times.first_request_ms.get_or_insert(at_ms);
        times.port_followed.get_or_insert(target.port());
        times.n_followed += 1;
        times.followed_from.insert(from.clone());
    }

    /// Counts bytes that came from a host itself.
    pub(crate) fn count(&self, host: &str, n_bytes: u64) {
        if self.is_off {
            return;
        }
        lock(&self.hosts).entry(host.to_owned()).or_default().n_bytes_from_upstream += n_bytes;
    }

    /// Returns how many exchanges have not ended.
    pub(crate) fn n_open(&self) -> usize {
        lock(&self.exchanges).iter().filter(|exchange| exchange.ending == Ending::Open).count()
    }

    /// Returns everything written so far.
    pub(crate) fn take(&self) -> (Vec<Exchange>, BTreeMap<String, HostTimes>) {
        (std::mem::take(&mut lock(&self.exchanges)), std::mem::take(&mut lock(&self.hosts)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchanges_beyond_the_bound_are_counted_and_end_nothing() {
        let notes = Notes::bounded(2);
        let exchange = |path: &str| Exchange {
            method: "GET".to_owned(),
            url: ObjectUrl::parse(&format!("https://a.example/{path}")).unwrap(),
            variant: String::new(),
            ecosystem: "generic",
            started_ms: 0,
            finished_ms: None,
            ending: Ending::Open,
        };
        let numbers: Vec<usize> = ["a", "b", "c", "d"].map(|path| notes.open(exchange(path))).into();
        for number in &numbers[2..] {
            notes.end(*number, 1, Ending::Settled { status: 200 });
        }
        assert_eq!((notes.n_open(), notes.n_unlisted()), (2, 2));
        assert_eq!(notes.take().0, [exchange("a"), exchange("b")]);
        assert_eq!(Notes::default().n_unlisted(), 0, "the control");
    }
}
