//! A drill that passes, to be spoiled in one way at a time.

use drill::{Environment, Facts, HostTimeline, Missing, RecordedRun, Scenario};
use model::{
    Containment, Fault, Freshness, HostUse, Object, ObjectUrl, Output, Proof, RECORD_SCHEMA, Record, Sha256,
    Source, Timestamp, Unlisted,
};

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn url(text: &str) -> ObjectUrl {
    text.parse().unwrap()
}

pub(crate) fn object(address: &str) -> Object {
    Object {
        built_from: None,
        method: "GET".to_owned(),
        url: url(address),
        variant: String::new(),
        status: 200,
        sha256: Sha256::of(address.as_bytes()),
        size_bytes: 1_234_567,
        ecosystem: "npm".to_owned(),
        source: Source::Copy,
        proof: Proof::Verified,
        freshness: Freshness::Stale,
        confirmed_at: Some(time("2026-11-24T08:00:00Z")),
    }
}

pub(crate) fn timeline(host: &str) -> HostTimeline {
    HostTimeline {
        host: host.to_owned(),
        fault: Some(Fault::Refuse),
        first_request_ms: Some(120),
        detected_ms: Some(125),
        recovered_ms: Some(150),
        bytes_from_upstream: 0,
    }
}

pub(crate) fn missing(address: &str) -> Missing {
    Missing {
        url: url(address),
        sha256: Some(Sha256::of(address.as_bytes())),
        reason: "the blob is damaged".to_owned(),
        never_kept: false,
    }
}

fn host(name: &str) -> HostUse {
    HostUse { host: name.to_owned(), port: 443, n_requests: 1, size_bytes: 1_234_567, kept: true }
}

fn record() -> Record {
    Record {
        schema: RECORD_SCHEMA.to_owned(),
        run_id: "20261124T090000Z-0000000b".parse().unwrap(),
        started_at: time("2026-11-24T09:00:00Z"),
        containment: Containment::Sealed,
        containment_reasons: Vec::new(),
        command: vec!["npm".to_owned(), "ci".to_owned()],
        directory: "/srv/shop".to_owned(),
        as_of: None,
        via: None,
        exit_code: 0,
        duration_ms: 8_400,
        copies_bytes: None,
        unlisted: Unlisted::default(),
        hosts: vec![host("registry.npmjs.org"), host("github.com")],
        refused: Vec::new(),
        outputs: vec![output("dist/app.js", "1"), output("dist/style.css", "2")],
        objects: vec![
            object("https://registry.npmjs.org/left-pad"),
            object("https://registry.npmjs.org/left-pad/-/left-pad-1.3.0.tgz"),
            object("https://github.com/a/b/releases/download/v1/b.tar.gz"),
        ],
        not_kept: Vec::new(),
        expired: Vec::new(),
    }
}

pub(crate) fn output(path: &str, content: &str) -> Output {
    Output { path: path.to_owned(), sha256: Sha256::of(content.as_bytes()) }
}

/// Everything cut, everything from copies, one output compared.
pub(crate) fn passing() -> Facts {
    let record = record();
    Facts {
        scenario: Scenario::ad_hoc(record.command.clone(), Vec::new(), None, vec!["dist".into()]),
        recorded: Some(RecordedRun {
            run_id: "20261123T090000Z-0000000a".parse().unwrap(),
            ..(&record).into()
        }),
        newest_success: None,
        record,
        timelines: vec![timeline("registry.npmjs.org"), timeline("github.com")],
        missing: Vec::new(),
        unanswered_names: Vec::new(),
        masked: vec!["/home/kim/.npm".to_owned(), "/home/kim/.cache".to_owned()],
        not_tested: vec!["what the rim knows".to_owned()],
        environment: Environment {
            version: "0.1.0".to_owned(),
            system: "Debian GNU/Linux 12".to_owned(),
            kernel: "6.1.0".to_owned(),
            architecture: "x86_64".to_owned(),
            user: "kim".to_owned(),
        },
        previous_sha256: None,
        now: time("2026-11-24T09:00:10Z"),
    }
}

/// Returns [`passing`] after a change.
pub(crate) fn spoiled(change: impl FnOnce(&mut Facts)) -> Facts {
    let mut facts = passing();
    change(&mut facts);
    facts
}
