//! Locks that cannot be read, as a whole or in part.

use super::{PIPFILE, POETRY, PYLOCK, UV, read};
use crate::lock::{LockError, Locked};

#[test]
fn a_broken_lock_is_an_error() {
    for name in ["uv.lock", "poetry.lock", "pdm.lock", "pylock.toml"] {
        assert!(matches!(read(name, "[[package]]\nname = "), Err(LockError::Toml { .. })), "{name}");
        assert!(read(name, "").is_err(), "{name}");
    }
    let newer = UV.replacen("version = 1", "version = 2", 1);
    assert!(matches!(read("uv.lock", &newer), Err(LockError::Version { version: 2, known: 1 })));
    assert!(matches!(read("Pipfile.lock", "{}"), Err(LockError::Json { .. })));
    for (name, lock) in [("uv.lock", UV), ("poetry.lock", POETRY), ("Pipfile.lock", PIPFILE)] {
        check_digest(name, lock, "sha256:4721", &["sha256:zz21", "4721"]);
    }
    check_digest("pylock.toml", PYLOCK, "sha256 = \"4721", &["sha256 = \"zz21"]);
}

/// A digest that cannot be read costs its file alone, and is named.
#[track_caller]
fn check_digest(name: &str, lock: &str, digest: &str, broken: &[&str]) {
    let digests =
        |locked: &Locked| -> usize { locked.pins.iter().map(|pin| pin.digests.iter().count()).sum() };
    let whole = read(name, lock).unwrap();
    for broken in broken {
        let left = read(name, &lock.replace(digest, broken)).unwrap();
        assert_eq!(digests(&left) + lock.matches(digest).count(), digests(&whole), "{name}");
        let reasons: Vec<_> = left.unpinned.iter().map(|it| (&*it.name, it.reason)).collect();
        assert_eq!(reasons, [("six", "the lock's digest of it cannot be read")], "{name}");
    }
}
