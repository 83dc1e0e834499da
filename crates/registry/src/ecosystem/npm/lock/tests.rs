//! One small project, locked by every client.

use crate::lock::{LockError, Pin, read_locks};

const V1: &str = include_str!("../testdata/package-lock-v1.json");
const V2: &str = include_str!("../testdata/package-lock-v2.json");
const V3: &str = include_str!("../testdata/package-lock-v3.json");
const PNPM: &str = include_str!("../testdata/pnpm-lock.yaml");
const YARN: &str = include_str!("../testdata/yarn.lock");

const SRI: &str =
    "sha512-XI5MPzVNApjAyhQzphX8BkmKsKUxD4LdyK24iZeQGinBN9yTQT3bFlCBy/aVx2HrNcqQGsdot8ghrjyrvMCoEA==";

fn read(file_name: &str, text: &str) -> Result<Vec<Pin>, LockError> {
    read_locks(file_name, text.as_bytes()).unwrap()
}

/// Coordinate, address and the start of the digest of every pin.
fn show(pins: &[Pin]) -> Vec<String> {
    let mut shown: Vec<String> = pins
        .iter()
        .map(|pin| {
            let coordinate = pin.coordinate.as_ref().map_or("-".to_owned(), ToString::to_string);
            let url = pin.url.as_ref().map_or("-", |url| url.as_str());
            format!("{coordinate} | {url} | {}", &pin.digests.to_string()[..15])
        })
        .collect();
    shown.sort();
    shown
}

#[test]
fn a_lock_that_names_addresses_pins_them() {
    let expected = |host: &str| {
        [
            ("@isaacs/cliui 9.0.0", "@isaacs/cliui/-/cliui-9.0.0.tgz", "0289099b"),
            ("is-number 6.0.0", "is-number/-/is-number-6.0.0.tgz", "5aed551d"),
            ("is-odd 3.0.1", "is-odd/-/is-odd-3.0.1.tgz", "090a6758"),
            ("left-pad 1.3.0", "left-pad/-/left-pad-1.3.0.tgz", "5c8e4c3f"),
        ]
        .map(|(package, path, digest)| {
            format!("{package} of registry.npmjs.org | https://{host}/{path} | sha512:{digest}")
        })
    };
    assert_eq!(show(&read("package-lock.json", V1).unwrap()), expected("registry.npmjs.org"));
    assert_eq!(show(&read("npm-shrinkwrap.json", V3).unwrap()), expected("registry.npmjs.org"));
    assert_eq!(show(&read("yarn.lock", YARN).unwrap()), expected("registry.yarnpkg.com"));
}

#[test]
fn a_lock_without_addresses_pins_names_of_any_registry() {
    let expected = [
        "@isaacs/cliui 9.0.0 | - | sha512:0289099b",
        "is-number 6.0.0 | - | sha512:5aed551d",
        "is-odd 3.0.1 | - | sha512:090a6758",
        "left-pad 1.3.0 | - | sha512:5c8e4c3f",
    ];
    assert_eq!(show(&read("package-lock.json", V2).unwrap()), expected);
    assert_eq!(show(&read("pnpm-lock.yaml", PNPM).unwrap()), expected);
}

#[test]
fn odd_entries_of_a_package_lock_are_understood() {
    let check = |entry: &str, expected: &[&str]| {
        let lock = format!(
            r#"{{"lockfileVersion":3,"packages":{{"node_modules/a/node_modules/@s/b":{{{entry}}}}}}}"#
        );
        let pins: Vec<String> = show(&read("package-lock.json", &lock).unwrap())
            .iter()
            .map(|it| it[..it.len() - 18].to_owned())
            .collect();
        assert_eq!(pins, expected, "{entry}");
    };
    check(&format!(r#""version":"1.0.0","integrity":"{SRI}""#), &["@s/b 1.0.0 | -"]);
    check(&format!(r#""version":"1.0.0","resolved":false,"integrity":"{SRI}""#), &["@s/b 1.0.0 | -"]);
    check(
        &format!(r#""version":"1.0.0","resolved":"https://example.com/b.tgz","integrity":"{SRI}""#),
        &["- | https://example.com/b.tgz"],
    );
    check(&format!(r#""version":"1.0.0","resolved":"file:b.tgz","integrity":"{SRI}""#), &[]);
    check(r#""version":"1.0.0","resolved":"git+ssh://git@github.com/s/b.git#0123""#, &[]);
    check(r#""resolved":"packages/b","link":true"#, &[]);
    check(r#""version":"1.0.0","integrity":"md5-AAAA""#, &[]);
}

#[test]
fn nested_dependencies_of_the_first_lock_version_are_found() {
    let lock = format!(
        r#"{{"lockfileVersion":1,"dependencies":{{"a":{{"version":"https://example.com/a.tgz","integrity":"{SRI}",
           "dependencies":{{"b":{{"version":"1.0.0","integrity":"{SRI}"}}}}}}}}}}"#
    );
    assert_eq!(
        show(&read("package-lock.json", &lock).unwrap()),
        ["- | https://example.com/a.tgz | sha512:5c8e4c3f", "b 1.0.0 | - | sha512:5c8e4c3f"]
    );
}

#[test]
fn every_spelling_of_a_pnpm_key_is_understood() {
    let check = |key: &str, expected: &str| {
        let lock =
            format!("lockfileVersion: 5.4\n\npackages:\n\n  {key}:\n    resolution: {{integrity: {SRI}}}\n");
        let expected = format!("{expected} | - | sha512:5c8e4c3f");
        assert_eq!(show(&read("pnpm-lock.yaml", &lock).unwrap()), [expected], "{key}");
    };
    check("/a/1.0.0", "a 1.0.0");
    check("/a/1.0.0_react@18.0.0", "a 1.0.0");
    check("/@s/b/1.0.0", "@s/b 1.0.0");
    check("/a@1.0.0(react@18.0.0)", "a 1.0.0");
    check("/@s/b@1.0.0", "@s/b 1.0.0");
    check("'@s/b@1.0.0-rc.1'", "@s/b 1.0.0-rc.1");
    let tarball = format!(
        "lockfileVersion: '9.0'\npackages:\n  a@https://example.com/a.tgz:\n    \
         resolution: {{tarball: https://example.com/a.tgz, integrity: {SRI}}}\nsnapshots:\n  b@1.0.0:\n    \
         resolution: {{integrity: {SRI}}}\n"
    );
    assert_eq!(
        show(&read("pnpm-lock.yaml", &tarball).unwrap()),
        ["- | https://example.com/a.tgz | sha512:5c8e4c3f"]
    );
}

#[test]
fn an_old_yarn_lock_has_the_digest_in_the_address() {
    let old: String =
        YARN.lines().filter(|line| !line.contains("integrity")).map(|line| format!("{line}\n")).collect();
    let pins = show(&read("yarn.lock", &old).unwrap());
    assert_eq!(pins.len(), 4);
    assert!(
        pins[3]
            .starts_with("left-pad 1.3.0 of registry.npmjs.org | https://registry.yarnpkg.com/left-pad/-/")
    );
    assert!(pins[3].ends_with("| sha1:5b8a3a7765"));
    let newer = "__metadata:\n  version: 8\n\n\"a@npm:1\":\n  version: 1.0.0\n  checksum: 10c0/00\n";
    assert_eq!(read("yarn.lock", newer).unwrap(), []);
}

#[test]
fn a_broken_lock_is_an_error() {
    let broken = |file_name: &str, text: &str| read(file_name, text).unwrap_err().to_string();
    assert_eq!(broken("package-lock.json", &V3[..V3.len() - 3]), "lock is not the JSON that was expected");
    assert_eq!(broken("package-lock.json", "[]"), "lock is not the JSON that was expected");
    assert_eq!(
        broken("package-lock.json", &V2.replace("==\"", "\"")),
        "digest of `@isaacs/cliui` cannot be read"
    );
    assert_eq!(broken("pnpm-lock.yaml", "<html>"), "lock has none of the known formats");
    assert_eq!(broken("yarn.lock", "<html>"), "lock has none of the known formats");
    assert!(matches!(read_locks("yarn.lock", b"\xff"), Some(Err(LockError::NotText { .. }))));
    assert!(read_locks("unknown.lock", b"{}").is_none());
}
