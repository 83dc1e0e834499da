//! Locks of Python projects.

use crate::lock::{LockError, Pin, lock_of, read_locks};

const REQUIREMENTS: &str = include_str!("../testdata/requirements.txt");
const UV: &str = include_str!("../testdata/uv.lock");
const POETRY: &str = include_str!("../testdata/poetry.lock");
const PYLOCK: &str = include_str!("../testdata/pylock.toml");

const WHEEL: &str = "six 1.17 (six-1.17.0-py2.py3-none-any.whl)";
const SOURCE: &str = "six 1.17 (six-1.17.0.tar.gz)";

fn read(file_name: &str, text: &str) -> Result<Vec<Pin>, LockError> {
    read_locks(file_name, text.as_bytes()).unwrap()
}

#[test]
fn every_lock_pins_the_same_files() {
    let check = |file_name: &str, text: &str, has_urls: bool| {
        let pins = read(file_name, text).unwrap();
        let mut got: Vec<String> =
            pins.iter().map(|pin| pin.coordinate.as_ref().unwrap().to_string()).collect();
        got.sort();
        assert_eq!(got.len(), 2, "{file_name}");
        for (got, expected) in got.iter().zip([WHEEL, SOURCE]) {
            assert!(got.starts_with(expected), "{file_name}: {got}");
        }
        for pin in &pins {
            assert_eq!(pin.url.is_some(), has_urls, "{file_name}");
            assert_eq!(pin.digests.iter().count(), 1, "{file_name}");
        }
    };
    check("uv.lock", UV, true);
    check("poetry.lock", POETRY, false);
    check("pylock.toml", PYLOCK, true);
    check("pylock.dev.toml", PYLOCK, true);
    let older = "[[package]]\nname = \"six\"\nversion = \"1.17.0\"\n[metadata]\n[metadata.files]\nsix = [\n  {file = \"six-1.17.0-py2.py3-none-any.whl\", hash = \"sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274\"},\n  {file = \"six-1.17.0.tar.gz\", hash = \"sha256:ff70335d468e7eb6ec65b95b99d3a2836546063f63acc5171de367e834932a81\"},\n]\n";
    check("poetry.lock", older, false);
}

#[test]
fn requirements_pin_a_version_with_all_its_files() {
    let pins = read("requirements.txt", REQUIREMENTS).unwrap();
    assert_eq!(pins.len(), 1);
    assert_eq!(pins[0].coordinate.as_ref().unwrap().to_string(), "six 1.17");
    assert_eq!(pins[0].digests.iter().count(), 2);
    let wheel = read("uv.lock", UV).unwrap().remove(1);
    assert!(pins[0].coordinate.as_ref().unwrap().covers(wheel.coordinate.as_ref().unwrap()));
    let hash = "ab".repeat(32);
    let check = |line: &str, expected: usize| {
        assert_eq!(read("requirements-dev.txt", line).unwrap().len(), expected, "{line}");
    };
    check("six==1.17.0", 0);
    check(&format!("six[extra]==1.17.0 ; python_version > \"3\" --hash=sha256:{hash}"), 1);
    check(&format!("six>=1.0 --hash=sha256:{hash}"), 0);
    check(&format!("thing @ https://example.com/thing.zip --hash=sha256:{hash}"), 1);
    check("-r other.txt\n--index-url https://example.com/simple\n# six==1\n\n", 0);
    check(&format!("six==1.0 --hash=md5:{}", "ab".repeat(16)), 0);
    assert!(matches!(read("requirements.txt", "six==1.0 --hash=sha256:zz"), Err(LockError::Digest { .. })));
}

#[test]
fn locks_are_known_by_their_names() {
    for name in ["requirements.txt", "requirements-dev.txt", "constraints.txt", "uv.lock", "pylock.dev.toml"]
    {
        assert!(lock_of(name).is_some(), "{name}");
    }
    for name in ["requirements.in", "my-requirements.txt", "pylock", "Pipfile"] {
        assert!(lock_of(name).is_none(), "{name}");
    }
}

#[test]
fn a_broken_lock_is_an_error() {
    for name in ["uv.lock", "poetry.lock", "pylock.toml"] {
        assert!(matches!(read(name, "[[package]]\nname = "), Err(LockError::Toml { .. })), "{name}");
        assert!(read(name, "").is_err(), "{name}");
    }
    assert!(matches!(
        read("uv.lock", &UV.replace("sha256:4721", "sha256:zz21")),
        Err(LockError::Digest { .. })
    ));
    assert!(matches!(read("uv.lock", &UV.replace("sha256:4721", "4721")), Err(LockError::Digest { .. })));
}
