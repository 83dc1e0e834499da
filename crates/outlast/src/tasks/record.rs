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

const HTTPS_PORT: u16 = 443;

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
        exit_code: run.exit_code,
        duration_ms: run.duration_ms,
        copies_bytes: run.copies_bytes,
        hosts: hosts(findings, passed),
        refused: heard.refused(),
        outputs: run.outputs,
        objects: objects(exchanges),
        not_kept: not_kept(exchanges, passed),
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
        if times.n_followed > 0 && !hosts.keys().any(|(known, _)| known == host) {
            let followed = HostUse {
                host: host.clone(),
                port: HTTPS_PORT,
                n_requests: times.n_followed,
                size_bytes: 0,
                kept: true,
            };
            hosts.insert((host.clone(), HTTPS_PORT), followed);
        }
    }
    hosts.into_values().collect()
}

fn objects(exchanges: &[Exchange]) -> Vec<Object> {
    let mut seen = HashSet::new();
    let mut objects = Vec::new();
    for exchange in exchanges {
        let Ending::Object { status, sha256, size_bytes, source, proof, freshness, confirmed_at } =
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
