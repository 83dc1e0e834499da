//! From what a session found to the record of a run.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use model::{
    Containment, HostUse, NotKept, Object, ObjectUrl, Output, RECORD_SCHEMA, Record, RunId, Timestamp,
    Unlisted,
};
use proxy::{Ending, Exchange, Findings};

use crate::wiring::{Heard, NOT_LOOKED_INTO};

/// The largest record that is read back; one with 100,000 objects has 40 MB.
pub(crate) const RECORD_BYTES_MAX: u64 = 512 << 20;

/// What is known of a run besides its requests.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) run_id: RunId,
    pub(crate) started_at: Timestamp,
    pub(crate) containment: Containment,
    pub(crate) containment_reasons: Vec<String>,
    pub(crate) command: Vec<String>,
    pub(crate) directory: String,
    pub(crate) as_of: Option<Timestamp>,
    pub(crate) via: Option<String>,
    pub(crate) exit_code: i32,
    pub(crate) duration_ms: u64,
    pub(crate) copies_bytes: Option<u64>,
    pub(crate) outputs: Vec<Output>,
}

/// Makes the record of a run.
pub(crate) fn record(run: Run, findings: &Findings, heard: &Heard) -> Record {
    let (exchanges, passed) = (&findings.exchanges, &heard.passed());
    Record {
        schema: RECORD_SCHEMA.to_owned(),
        run_id: run.run_id,
        started_at: run.started_at,
        containment: run.containment,
        containment_reasons: run.containment_reasons,
        command: run.command,
        directory: run.directory,
        as_of: run.as_of,
        via: run.via,
        exit_code: run.exit_code,
        duration_ms: run.duration_ms,
        copies_bytes: run.copies_bytes,
        hosts: hosts(findings, passed),
        refused: heard.refused(),
        outputs: run.outputs,
        objects: objects(exchanges),
        not_kept: not_kept(exchanges, passed),
        expired: findings.expired.clone(),
        unlisted: Unlisted {
            n_requests: findings.n_unlisted,
            n_refused: heard.n_refused_unlisted(),
            n_names: heard.n_names_unlisted(),
        },
    }
}

fn hosts(findings: &Findings, passed: &[(String, u16)]) -> Vec<HostUse> {
    let mut hosts = BTreeMap::new();
    for (host, port) in passed {
        let unseen = HostUse { host: host.clone(), port: *port, n_requests: 0, size_bytes: 0, kept: false };
        hosts.insert((host.clone(), *port), unseen);
    }
    for exchange in &findings.exchanges {
        let place = (exchange.url.host().to_owned(), exchange.url.port());
        let host = hosts.entry(place.clone()).or_insert_with(|| HostUse {
            host: place.0,
            port: place.1,
            n_requests: 0,
            size_bytes: 0,
            kept: true,
        });
        host.n_requests += 1;
        match &exchange.ending {
            Ending::Object { size_bytes, .. } => host.size_bytes += size_bytes,
            Ending::NotKept { size_bytes, .. } => {
                host.size_bytes += size_bytes;
                host.kept = false;
            }
            Ending::Missing { .. } | Ending::Open => host.kept = false,
            Ending::Settled { .. } | Ending::Refused { .. } => {}
        }
    }
    // Where a redirect was followed inside, the object is kept under the name that led there.
    for (host, times) in &findings.hosts {
        let Some(port) = times.port_followed else { continue };
        if hosts.keys().any(|(known, _)| known == host) {
            continue;
        }
        let mut led_here =
            findings.exchanges.iter().filter(|exchange| times.followed_from.contains(&exchange.url));
        let followed = HostUse {
            host: host.clone(),
            port,
            n_requests: times.n_followed,
            size_bytes: times.n_bytes_from_upstream,
            kept: led_here.all(|exchange| matches!(exchange.ending, Ending::Object { .. })),
        };
        hosts.insert((host.clone(), port), followed);
    }
    hosts.into_values().collect()
}

fn objects(exchanges: &[Exchange]) -> Vec<Object> {
    let mut seen = HashSet::new();
    let mut objects = Vec::new();
    for exchange in exchanges {
        let Ending::Object { built_from, .. } = &exchange.ending else { continue };
        let Ending::Object { status, sha256, size_bytes, source, proof, freshness, confirmed_at, .. } =
            exchange.ending
        else {
            continue;
        };
        let is_new = seen.insert((&exchange.method, &exchange.url, &exchange.variant, status, sha256));
        if is_new {
            objects.push(Object {
                method: exchange.method.clone(),
                url: exchange.url.clone(),
                variant: exchange.variant.clone(),
                status,
                sha256,
                size_bytes,
                ecosystem: exchange.ecosystem.to_owned(),
                source,
                proof,
                freshness,
                confirmed_at: Some(confirmed_at),
                built_from: built_from.clone(),
            });
        }
    }
    objects
}

fn not_kept(exchanges: &[Exchange], passed: &[(String, u16)]) -> Vec<NotKept> {
    let mut all = BTreeSet::new();
    for (host, port) in passed {
        if let Ok(url) = ObjectUrl::parse(&format!("https://{host}:{port}/")) {
            all.insert(NotKept { url, reason: NOT_LOOKED_INTO.to_owned() });
        }
    }
    for exchange in exchanges {
        let reason = match &exchange.ending {
            Ending::NotKept { reason, .. } | Ending::Missing { reason, .. } => reason.clone(),
            Ending::Open => "the transfer was given up before its end".to_owned(),
            Ending::Object { .. } | Ending::Settled { .. } | Ending::Refused { .. } => continue,
        };
        all.insert(NotKept { url: exchange.url.clone(), reason });
    }
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use proxy::HostTimes;

    use super::*;

    #[test]
    fn a_host_that_a_redirect_led_to_is_listed_with_what_it_gave() {
        let url = ObjectUrl::parse("https://forge.example/archive").unwrap();
        let check = |ending: Ending, kept: bool| {
            let exchange = Exchange {
                method: "GET".to_owned(),
                url: url.clone(),
                variant: String::new(),
                ecosystem: "generic",
                started_ms: 0,
                finished_ms: Some(1),
                ending,
            };
            let times = HostTimes {
                n_bytes_from_upstream: 9,
                n_followed: 2,
                port_followed: Some(8443),
                followed_from: BTreeSet::from([url.clone()]),
                ..HostTimes::default()
            };
            let findings = Findings {
                exchanges: vec![exchange],
                hosts: BTreeMap::from([("files.example".to_owned(), times)]),
                n_unlisted: 0,
                credentials: BTreeMap::new(),
                server: None,
                expired: Vec::new(),
            };
            let host = "files.example".to_owned();
            let expected = HostUse { host, port: 8443, n_requests: 2, size_bytes: 9, kept };
            assert_eq!(hosts(&findings, &[])[0], expected);
        };
        let (sha256, confirmed_at) = (model::Sha256::of(b""), Timestamp::UNIX_EPOCH);
        let (source, proof, freshness) =
            (model::Source::Upstream, model::Proof::FirstSeen, model::Freshness::Fresh);
        let (status, size_bytes, built_from) = (200, 9, None);
        let object =
            Ending::Object { status, sha256, size_bytes, source, proof, freshness, confirmed_at, built_from };
        check(object, true);
        check(Ending::Missing { sha256: None, reason: String::new(), never_kept: false }, false);
    }
}
