//! Locks.

use super::{LOG, LOG_URL, read};
use crate::lock::{LockError, Pin, read_locks};

const LOCK: &str = include_str!("../testdata/composer.lock");

#[test]
fn a_lock_pins_commits_and_where_they_lie() {
    let pins = lock(LOCK).unwrap();
    let got: Vec<String> = pins
        .iter()
        .map(|pin| {
            let url = pin.url.as_ref().map_or("nowhere", |url| url.host());
            format!("{} at {url}, {} digests", pin.coordinate.as_ref().unwrap(), pin.digests.iter().count())
        })
        .collect();
    assert_eq!(
        got,
        [
            "psr/log f16e1d5863e37f8d8c2a01719f5b34baa2b714d3 at api.github.com, 0 digests",
            "acme/legacy 1.4.2 at repo.example.com, 1 digests",
            "acme/mirrored d49695b909c3b7628b6289db5479a1c204601f11 at api.github.com, 0 digests",
            "acme/mirrored d49695b909c3b7628b6289db5479a1c204601f11 at mirror.example.com, 0 digests",
        ]
    );
    let log = read(LOG_URL, LOG).unwrap();
    let pinned = pins[0].coordinate.as_ref().unwrap();
    assert!(log.vouched.iter().any(|file| pinned.covers(file.coordinate.as_ref().unwrap())));
}

#[test]
fn a_broken_lock_is_an_error() {
    assert!(matches!(lock("{\"packages\":["), Err(LockError::Json { .. })));
    assert!(matches!(lock("{}"), Err(LockError::Json { .. })));
    assert!(matches!(read_locks("composer.lock", b"\xff"), Some(Err(LockError::NotText { .. }))));
    assert_eq!(lock("{\"packages\":[]}").unwrap(), []);
}

fn lock(text: &str) -> Result<Vec<Pin>, LockError> {
    read_locks("some/folder/composer.lock", text.as_bytes()).unwrap()
}
