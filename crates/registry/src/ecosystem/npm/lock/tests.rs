//! One small project, locked by every client.

use crate::lock::{LockError, Locked, read_locks};

const V1: &str = include_str!("../testdata/package-lock-v1.json");
const V2: &str = include_str!("../testdata/package-lock-v2.json");
const V3: &str = include_str!("../testdata/package-lock-v3.json");
const PNPM: &str = include_str!("../testdata/pnpm-lock.yaml");
const PNPM_5: &str = include_str!("../testdata/pnpm-lock-5.1.yaml");
const YARN: &str = include_str!("../testdata/yarn.lock");
const YARN_4: &str = include_str!("../testdata/yarn-4.lock");

const SRI: &str =
    "sha512-XI5MPzVNApjAyhQzphX8BkmKsKUxD4LdyK24iZeQGinBN9yTQT3bFlCBy/aVx2HrNcqQGsdot8ghrjyrvMCoEA==";

const GIT: &str = "it is in a git repository whose address is not understood";
const UNDECIDED: &str = "no version is decided on";
const NOWHERE: &str = "where it lies cannot be read from the lock";

fn read(file_name: &str, text: &str) -> Result<Locked, LockError> {
    read_locks(file_name, text.as_bytes()).unwrap()
}

/// Coordinate, address and the start of the digest of every pin; and what has none, with its reason.
fn show(locked: &Locked) -> Vec<String> {
    let mut shown: Vec<String> = locked
        .pins
        .iter()
        .map(|pin| {
            let coordinate = pin.coordinate.as_ref().map_or("-".to_owned(), ToString::to_string);
            let url = pin.url.as_ref().map_or("-", |url| url.as_str());
            let digests = pin.digests.to_string();
            format!("{coordinate} | {url} | {}", digests.get(..15).unwrap_or("-"))
        })
        .chain(locked.repositories.iter().map(|pin| format!("{}: {GIT}", pin.name)))
        .chain(locked.unpinned.iter().map(|unpinned| format!("{}: {}", unpinned.name, unpinned.reason)))
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
    assert_eq!(show(&read("pnpm-lock.yaml", PNPM_5).unwrap()), expected);
}

#[test]
fn odd_entries_of_a_package_lock_are_understood() {
    let check = |entry: &str, expected: &[&str]| {
        let lock = format!(
            r#"{{"lockfileVersion":3,"packages":{{"node_modules/a/node_modules/@s/b":{{{entry}}}}}}}"#
        );
        assert_eq!(show(&read("package-lock.json", &lock).unwrap()), expected, "{entry}");
    };
    let check_whole = |fields: &str, expected: &[&str]| {
        let expected: Vec<String> = expected.iter().map(|it| format!("{it} | sha512:5c8e4c3f")).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check(&format!(r#"{fields},"integrity":"{SRI}""#), &expected);
    };
    check_whole(r#""version":"1.0.0""#, &["@s/b 1.0.0 | -"]);
    check_whole(r#""version":"1.0.0","resolved":false"#, &["@s/b 1.0.0 | -"]);
    check_whole(r#""version":"1.0.0","inBundle":true"#, &["@s/b 1.0.0 | -"]);
    let url = "https://example.com/b.tgz";
    check_whole(&format!(r#""version":"1.0.0","resolved":"{url}""#), &[&format!("- | {url}")]);
    check_whole(r#""version":"1.0.0","resolved":"file:b.tgz""#, &[]);
    // Named, and with no digest.
    check(&format!(r#""version":"1.0.0","resolved":"{url}""#), &[&format!("- | {url} | -")]);
    check(r#""version":"1.0.0""#, &["@s/b 1.0.0 | - | -"]);
    check(r#""version":"1.0.0","integrity":"md5-AAAA""#, &["@s/b 1.0.0 | - | -"]);
    // Of other kinds.
    check(
        r#""version":"1.0.0","resolved":"git+ssh://git@github.com/s/b.git#0123""#,
        &[&format!("@s/b: {GIT}")],
    );
    check(r#""version":"1.0.0","resolved":"ftp://example.com/b.tgz""#, &[&format!("@s/b: {NOWHERE}")]);
    check(r#""dev":true"#, &[&format!("@s/b: {UNDECIDED}")]);
    // Of the project, or inside another package.
    check(r#""resolved":"packages/b","link":true"#, &[]);
    check(r#""version":"1.0.0","resolved":"file:../b""#, &[]);
    check(r#""version":"1.0.0","resolved":"git+file:///b""#, &[]);
    check(r#""version":"1.0.0","inBundle":true"#, &[]);
    let workspace = r#"{"packages":{"":{"name":"a","version":"1.0.0"},"packages/b":{"version":"1.0.0"}}}"#;
    assert_eq!(read("package-lock.json", workspace).unwrap(), Locked::default());
}

#[test]
fn every_spelling_of_a_repository_is_one() {
    let check = |address: &str, expected: &str| {
        let lock = format!(
            r#"{{"packages":{{"node_modules/a":{{"version":"1.0.0","resolved":"{address}"}},
            "node_modules/b/node_modules/a":{{"version":"2.0.0","resolved":"{address}"}}}}}}"#
        );
        let shown = show(&read("package-lock.json", &lock).unwrap());
        assert_eq!(shown[0], expected, "{address}");
        assert!(shown.len() == 1 || !expected.starts_with("a:"), "a name is said once: {shown:?}");
    };
    let git = format!("a: {GIT}");
    for address in [
        "git+ssh://git@github.com/s/a.git#0123",
        "git+https://me:secret@example.com/s/a.git",
        "git://github.com/s/a.git#0123",
        "ssh://git@example.com/s/a.git",
        "git@github.com:s/a.git#commit=0123",
        "github:s/a#0123",
        "gitlab:s/a",
        "bitbucket:s/a",
        "gist:0123",
        "https://example.com/s/a.git#0123",
        "https://example.com/s/a#commit=0123",
        "https://github.com/s/a#0123",
    ] {
        check(address, &git);
    }
    for address in [
        "https://codeload.github.com/s/a/tar.gz/0123",
        "https://github.com/s/a/archive/refs/tags/v1.tar.gz",
        "https://bitbucket.org/s/a/get/0123.tar.gz",
        "https://example.com/s/a",
    ] {
        check(address, &format!("- | {address} | -"));
    }
}

#[test]
fn nested_dependencies_of_the_first_lock_version_are_found() {
    let lock = format!(
        r#"{{"lockfileVersion":1,"dependencies":{{"a":{{"version":"https://example.com/a.tgz","integrity":"{SRI}",
           "dependencies":{{"b":{{"version":"1.0.0","integrity":"{SRI}"}},"c":{{"version":"1.0.0","bundled":true}},
           "d":{{"version":"github:s/d#0123"}},"e":{{"version":"file:../e"}},"f":{{"version":"1.0.0"}}}}}}}}}}"#
    );
    assert_eq!(
        show(&read("package-lock.json", &lock).unwrap()),
        [
            "- | https://example.com/a.tgz | sha512:5c8e4c3f",
            "b 1.0.0 | - | sha512:5c8e4c3f",
            &format!("d: {GIT}"),
            "f 1.0.0 | - | -",
        ]
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
fn odd_packages_of_a_pnpm_lock_are_understood() {
    let check = |package: &str, expected: &[&str]| {
        let lock = format!("lockfileVersion: 5.1\npackages:\n\n  {package}\n\nspecifiers:\n  x: 1.0.0\n");
        assert_eq!(show(&read("pnpm-lock.yaml", &lock).unwrap()), expected, "{package}");
    };
    let archive = "https://codeload.github.com/s/a/tar.gz/0123";
    check(
        &format!(
            "github.com/s/a/0123:\n    resolution: {{tarball: {archive}}}\n    name: a\n    version: 1.0.0"
        ),
        &[&format!("- | {archive} | -")],
    );
    check(
        "'@s/a@git+ssh://git@github.com/s/a.git#0123':\n    \
         resolution: {commit: 0123, repo: git+ssh://git@github.com/s/a.git, type: git}\n    version: 1.0.0",
        &[&format!("@s/a: {GIT}")],
    );
    check(
        "git@example.com+s/a/0123:\n    resolution: {commit: 0123, repo: ssh://git@example.com/s/a, type: git}\n    name: a",
        &[&format!("a: {GIT}")],
    );
    // In the order of the alphabet, as pnpm wrote it before lock version 5.3.
    check(
        &format!(
            "/@s/a/1.0.0:\n    dev: false\n    engines:\n      integrity: no\n    resolution:\n      integrity: {SRI}"
        ),
        &["@s/a 1.0.0 | - | sha512:5c8e4c3f"],
    );
    check(
        "example.com/s/a/0123:\n    name: a\n    resolution:\n      commit: 0123\n      repo: 'ssh://example.com/s/a'\n      \
         type: git\n    version: 1.0.0",
        &[&format!("a: {GIT}")],
    );
    check(
        &format!("registry.example.com/@s/a/1.0.0:\n    resolution: {{integrity: {SRI}}}"),
        &["@s/a 1.0.0 | - | sha512:5c8e4c3f"],
    );
    check(
        "a@runtime:22.0.0:\n    resolution:\n      type: variations\n      variants:",
        &[&format!("a: {NOWHERE}")],
    );
    check("a@1.0.0:\n    resolution: {}", &["a 1.0.0 | - | -"]);
    // Of the project.
    check("a@file:a:\n    resolution: {directory: a, type: directory}\n    name: a", &[]);
    check("a@file:a.tgz:\n    resolution: {tarball: file:a.tgz}", &[]);
    check("a@git+file:///a#0123:\n    resolution: {commit: 0123, repo: file:///a, type: git}", &[]);
    check("a@1.0.0:\n    engines: {node: '>=1'}", &[]);
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
}

#[test]
fn odd_entries_of_a_yarn_lock_are_understood() {
    let check = |entry: &str, expected: &[&str]| {
        let lock = format!("# yarn lockfile v1\n\n\n{entry}\n");
        assert_eq!(show(&read("yarn.lock", &lock).unwrap()), expected, "{entry}");
    };
    let commit = "54bc698b25edd6e1b76ca975ebaced5ce0467d51";
    let git = format!("@s/a: {GIT}");
    for address in
        ["git+ssh://git@github.com/s/a.git", "https://github.com/s/a.git", "https://github.com/s/a"]
    {
        check(
            &format!("\"@s/a@{address}\":\n  version \"1.0.0\"\n  resolved \"{address}#{commit}\""),
            &[&git],
        );
    }
    let archive = format!("https://codeload.github.com/s/a/tar.gz/{commit}");
    check(
        &format!("\"a@github:s/a\", a@s/a:\n  version \"1.0.0\"\n  resolved \"{archive}\""),
        &[&format!("- | {archive} | -")],
    );
    let url = "https://registry.yarnpkg.com/a/-/a-1.0.0.tgz";
    check(
        &format!("a@^1:\n  version \"1.0.0\"\n  resolved {url}#v1"),
        &[&format!("a 1.0.0 of registry.npmjs.org | {url} | -")],
    );
    check("a@^1, a@1:\n  version \"1.0.0\"", &["a 1.0.0 | - | -"]);
    check("\"a@file:../a\":\n  version \"1.0.0\"", &[]);
    check("a@../a:\n  version \"1.0.0\"", &[]);
    check("a@./a.tgz:\n  version \"1.0.0\"\n  resolved \"./a.tgz#0123\"", &[]);
}

#[test]
fn a_newer_yarn_lock_names_versions_without_digests() {
    let expected = [
        "@isaacs/cliui 9.0.0",
        "function-bind 1.1.2",
        "hasown 2.0.4",
        "is-core-module 2.18.0",
        "is-number 6.0.0",
        "is-odd 3.0.1",
        "left-pad 1.3.0",
        "path-parse 1.0.7",
        "resolve 1.22.8",
        "supports-preserve-symlinks-flag 1.0.0",
    ];
    let expected = expected.map(|package| format!("{package} | - | -"));
    assert_eq!(show(&read("yarn.lock", YARN_4).unwrap()), expected, "no patch, no workspace");
    let check = |resolution: &str, expected: &[&str]| {
        let lock = format!(
            "__metadata:\n  version: 8\n  cacheKey: 10c0\n\n\"a@npm:^1.0.0\":\n  version: 1.3.0\n  \
             resolution: \"{resolution}\"\n  checksum: 10c0/00\n  languageName: node\n  linkType: hard\n"
        );
        assert_eq!(show(&read("yarn.lock", &lock).unwrap()), expected, "{resolution}");
    };
    check("left-pad@npm:1.3.0", &["left-pad 1.3.0 | - | -"]);
    check("@s/a@npm:1.0.0-rc.1", &["@s/a 1.0.0-rc.1 | - | -"]);
    check(
        "@s/a@npm:1.0.0::__archiveUrl=https%3A%2F%2Fnpm.example.com%2F%40s%2Fa%2F-%2Fa-1.0.0.tgz",
        &["@s/a 1.0.0 of npm.example.com | https://npm.example.com/@s/a/-/a-1.0.0.tgz | -"],
    );
    check("a@npm:1.0.0::__archiveUrl=https%3", &[&format!("a: {NOWHERE}")]);
    check("a@https://example.com/a.tgz", &["- | https://example.com/a.tgz | -"]);
    check("a@https://github.com/s/a.git#commit=0123", &[&format!("a: {GIT}")]);
    check("a@git+ssh://git@github.com/s/a.git#commit=0123", &[&format!("a: {GIT}")]);
    check("@s/a@git@github.com:s/a.git#commit=0123", &[&format!("@s/a: {GIT}")]);
    check("a@npm:latest", &[&format!("a: {UNDECIDED}")]);
    check("a@new:1.0.0", &[&format!("a: {NOWHERE}")]);
    for of_project in [
        "a@workspace:.",
        "@s/a@workspace:packages/a",
        "a@patch:a@npm%3A1.0.0#./a.patch::version=1.0.0&hash=0123&locator=b%40workspace%3A.",
        "a@link:../a::locator=b%40workspace%3A.",
        "a@portal:../a::locator=b%40workspace%3A.",
        "a@file:./a.tgz::locator=b%40workspace%3A.",
        "a",
    ] {
        check(of_project, &[]);
    }
}

#[test]
fn a_digest_that_cannot_be_read_costs_its_package_alone() {
    let start = "sha512-XI5MP";
    for (file_name, lock) in [
        ("package-lock.json", V1),
        ("npm-shrinkwrap.json", V3),
        ("pnpm-lock.yaml", PNPM),
        ("yarn.lock", YARN),
    ] {
        let whole = show(&read(file_name, lock).unwrap());
        for broken in ["sha512-*I5MP", "sha512-XI5M", "sha512:XI5MP"] {
            let (left, pins): (Vec<_>, Vec<_>) =
                show(&read(file_name, &lock.replace(start, broken)).unwrap())
                    .into_iter()
                    .partition(|it| it.ends_with("pad: the lock's digest of it cannot be read"));
            assert_eq!((left.len(), &*pins), (1, &whole[..whole.len() - 1]), "{file_name}: {broken}");
        }
    }
}

#[test]
fn a_broken_lock_is_an_error() {
    let broken = |file_name: &str, text: &str| read(file_name, text).unwrap_err().to_string();
    assert_eq!(broken("package-lock.json", &V3[..V3.len() - 3]), "lock is not the JSON that was expected");
    assert_eq!(broken("package-lock.json", "[]"), "lock is not the JSON that was expected");
    assert_eq!(broken("pnpm-lock.yaml", "<html>"), "lock has none of the known formats");
    assert_eq!(broken("yarn.lock", "<html>"), "lock has none of the known formats");
    let newer = V3.replace("\"lockfileVersion\": 3", "\"lockfileVersion\": 4");
    assert_eq!(broken("package-lock.json", &newer), "lock has version 4, and known are those up to 3");
    let newer = PNPM.replace("'9.0'", "'10.0'");
    assert_eq!(broken("pnpm-lock.yaml", &newer), "lock has version 10, and known are those up to 9");
    assert!(matches!(read_locks("yarn.lock", b"\xff"), Some(Err(LockError::NotText { .. }))));
    assert!(read_locks("unknown.lock", b"{}").is_none());
}
