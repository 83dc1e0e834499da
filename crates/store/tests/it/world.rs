//! A home in a temporary folder, and events to put into it.

use std::path::{Path, PathBuf};

use host::Clock;
use model::{
    Containment, Event, Held, ObjectKey, ObjectUrl, Proof, RunId, SavedHeader, Sha256, Timestamp, Verdict,
};
use store::Store;

pub(crate) const TIME: &str = "2026-05-21T10:00:05Z";

/// A home that is removed at the end.
#[derive(Debug)]
pub(crate) struct Home(PathBuf);

impl Home {
    pub(crate) fn new() -> Self {
        let name = format!("outlast-store-{:016x}", u64::from_be_bytes(host::random::bytes()));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn open(&self) -> Store {
        Store::open(&self.0, clock()).unwrap()
    }

    pub(crate) fn blob_path(&self, sha256: &Sha256) -> PathBuf {
        let hex = sha256.to_string();
        self.0.join("blobs").join(&hex[..2]).join(&hex[2..4]).join(hex)
    }

    pub(crate) fn current(&self) -> PathBuf {
        self.0.join("journal/current.jsonl")
    }

    /// Removes the index with its log.
    pub(crate) fn forget_index(&self) {
        for name in ["index.db", "index.db-wal", "index.db-shm"] {
            let _ = std::fs::remove_file(self.0.join(name));
        }
    }

    pub(crate) fn closed_segments(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.0.join("journal"))
            .unwrap()
            .map(|file| file.unwrap().path())
            .filter(|path| path.to_string_lossy().ends_with(".jsonl.zst"))
            .collect()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn clock() -> Clock {
    Clock::manual(time(0))
}

pub(crate) fn time(seconds: i64) -> Timestamp {
    let start: Timestamp = TIME.parse().unwrap();
    Timestamp::from_second(start.as_second() + seconds).unwrap()
}

pub(crate) fn key(path: &str) -> ObjectKey {
    ObjectKey::get(url(path))
}

pub(crate) fn url(path: &str) -> ObjectUrl {
    ObjectUrl::parse(&format!("https://example.com/{path}")).unwrap()
}

pub(crate) fn held(bytes: &[u8]) -> Held {
    Held {
        status: 200,
        headers: vec![SavedHeader("content-type".to_owned(), "text/plain".to_owned())],
        sha256: Sha256::of(bytes),
        size_bytes: bytes.len() as u64,
        ecosystem: "generic".to_owned(),
        proof: Proof::FirstSeen,
        immutable: false,
        confirmed_at: time(0),
        gone_since: None,
    }
}

pub(crate) fn kept(path: &str, bytes: &[u8]) -> Event {
    Event::Kept { key: key(path), held: held(bytes) }
}

/// Puts a blob and says that it is held.
pub(crate) fn keep(store: &Store, path: &str, bytes: &[u8]) {
    store.put(bytes).unwrap();
    store.record(vec![kept(path, bytes)]).unwrap();
}

pub(crate) fn confirmed(path: &str, bytes: &[u8], seconds: i64) -> Event {
    Event::Confirmed { key: key(path), sha256: Sha256::of(bytes), at: time(seconds) }
}

pub(crate) fn gone(path: &str, seconds: i64) -> Event {
    Event::Gone { key: key(path), status: 404, since: time(seconds) }
}

pub(crate) fn rejected(path: &str, reason: &str) -> Event {
    Event::Rejected { key: key(path), reason: reason.to_owned() }
}

pub(crate) fn run_id(number: u8) -> RunId {
    RunId::new(time(i64::from(number)), [0, 0, 0, number])
}

pub(crate) fn ran(number: u8, record: &[u8], is_drill: bool) -> Event {
    Event::Ran {
        run_id: run_id(number),
        record: Sha256::of(record),
        record_bytes: Some(record.len() as u64),
        command: vec!["make".to_owned(), "all".to_owned()],
        directory: "/project".to_owned(),
        exit_code: i32::from(number),
        containment: Containment::Sealed,
        hosts: vec![("example.com".to_owned(), true)],
        is_drill,
    }
}

pub(crate) fn drilled(number: u8) -> Event {
    Event::Drilled {
        drill: format!("drill-{number}"),
        scenario: "all".to_owned(),
        verdict: Verdict::Pass,
        attestation: Sha256::of(&[number]),
        command: vec!["make".to_owned()],
        directory: "/project".to_owned(),
        cut: vec!["all".to_owned()],
        missing_hosts: Vec::new(),
        recovered_ms: Some(3),
        via: None,
        at: time(i64::from(number)),
    }
}

/// Asserts that nothing is wrong.
pub(crate) fn assert_good(store: &Store) {
    let report = store.verify(&mut |_| {}).unwrap();
    assert!(report.is_good(), "{report:?}");
}
