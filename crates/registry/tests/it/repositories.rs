//! Packages that lie in git repositories: which repository and which commit, in every form that locks have for it.

use registry::{Locked, read_locks};

const COMMIT: &str = "54bc698b25edd6e1b76ca975ebaced5ce0467d51";

fn read(file_name: &str, text: &str) -> Locked {
    read_locks(file_name, text.as_bytes()).expect("a lock").expect("it is understood")
}

/// Checks the one repository that a lock names; `C` stands for the commit, in the lock and in what is expected.
fn check(file_name: &str, text: &str, expected: &str) {
    let with_commit = |text: &str| text.replace("{C}", COMMIT);
    let locked = read(file_name, &with_commit(text));
    let [pin] = &*locked.repositories else { panic!("{text}: {locked:?}") };
    let commit = pin.commit.as_ref().map(|commit| format!(" {commit}")).unwrap_or_default();
    assert_eq!(format!("{} {}{commit}", pin.name, pin.repo), with_commit(expected), "{text}");
    assert!(locked.pins.is_empty() && locked.unpinned.is_empty(), "{text}: {locked:?}");
}

#[test]
fn cargo() {
    let check = |source: &str, expected: &str| {
        let package = format!("[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"{source}\"\n");
        check("Cargo.lock", &package, expected);
    };
    check("git+https://forge.example/s/a.git#{C}", "a forge.example/s/a {C}");
    check("git+https://forge.example/s/a?branch=main#{C}", "a forge.example/s/a {C}");
    check("git+ssh://git@forge.example:2222/s/a.git?tag=v1%2F2#{C}", "a forge.example:2222/s/a {C}");
    check("git+https://forge.example/s/a", "a forge.example/s/a");
}

#[test]
fn npm() {
    let check = |resolved: &str, expected: &str| {
        let lock = format!(
            "{{\"packages\":{{\"node_modules/a\":{{\"version\":\"1.0.0\",\"resolved\":\"{resolved}\"}}}}}}"
        );
        check("package-lock.json", &lock, expected);
    };
    check("git+ssh://git@github.com/s/A.git#{C}", "a github.com/s/A {C}");
    check("git+https://me:secret@forge.example/s/a.git#{C}", "a forge.example/s/a {C}");
    check("git://github.com/s/a.git#{C}", "a github.com/s/a {C}");
    check("git@github.com:s/a.git#commit={C}", "a github.com/s/a {C}");
    check("github:s/a#{C}", "a github.com/s/a {C}");
    check("gitlab:s/a#{C}", "a gitlab.com/s/a {C}");
    check("bitbucket:s/a#{C}", "a bitbucket.org/s/a {C}");
    check("gist:0123#{C}", "a gist.github.com/0123 {C}");
    check("https://github.com/s/a#{C}", "a github.com/s/a {C}");
    check("https://forge.example/s/a.git#semver:^1.0.0", "a forge.example/s/a");
}

#[test]
fn pnpm_and_yarn() {
    let pnpm = |resolution: &str| {
        format!(
            "lockfileVersion: '9.0'\npackages:\n\n  a@x:\n    resolution: {resolution}\n    version: 1.0.0\n"
        )
    };
    let repo = "{commit: {C}, repo: git+ssh://git@github.com/s/a.git, type: git}";
    check("pnpm-lock.yaml", &pnpm(repo), "a github.com/s/a {C}");
    let old = "\n      commit: {C}\n      repo: 'ssh://git@forge.example/s/a'\n      type: git";
    check("pnpm-lock.yaml", &pnpm(old), "a forge.example/s/a {C}");
    let yarn = "# yarn lockfile v1\n\n\n\"a@https://github.com/s/a.git\":\n  version \"1.0.0\"\n  \
                resolved \"https://github.com/s/a.git#{C}\"\n";
    check("yarn.lock", yarn, "a github.com/s/a {C}");
    for address in
        ["https://github.com/s/a.git", "git+ssh://git@github.com/s/a.git", "git@github.com:s/a.git"]
    {
        let berry =
            "__metadata:\n  version: 8\n\n\"a@x\":\n  version: 1.0.0\n  resolution: \"a@{A}#commit={C}\"\n";
        check("yarn.lock", &berry.replace("{A}", address), "a github.com/s/a {C}");
    }
}

#[test]
fn python() {
    let requirement = |line: &str, expected: &str| check("requirements.txt", line, expected);
    requirement("six @ git+https://forge.example/s/a.git@{C}", "six forge.example/s/a {C}");
    requirement(
        "git+https://me:secret@forge.example/s/a.git@{C}#egg=six&subdirectory=b",
        "six forge.example/s/a {C}",
    );
    requirement("git+https://me@forge.example/s/a.git@feature#egg=six", "six forge.example/s/a");
    requirement("git+https://me@forge.example/s/a.git@feature/x#egg=six", "six forge.example/s/a");
    requirement("git+https://me@forge.example/s/a.git#egg=six", "six forge.example/s/a");
    requirement("-e git+ssh://git@forge.example/s/six@{C}", "six forge.example/s/six {C}");
    requirement("git+git@forge.example:s/six.git@{C}", "six forge.example/s/six {C}");
    let uv = "version = 1\n[[package]]\nname = \"six\"\nversion = \"1.0\"\n\
              source = { git = \"https://forge.example/s/a?rev=v1#{C}\" }\n";
    check("uv.lock", uv, "six forge.example/s/a {C}");
    let poetry = "[[package]]\nname = \"six\"\nversion = \"1.0\"\nfiles = []\n[package.source]\ntype = \"git\"\n\
                  url = \"git@forge.example:s/a.git\"\nreference = \"HEAD\"\nresolved_reference = \"{C}\"\n\
                  [metadata]\nlock-version = \"2.0\"\n";
    check("poetry.lock", poetry, "six forge.example/s/a {C}");
    let pdm = "[metadata]\nlock_version = \"4.5.0\"\n[[package]]\nname = \"six\"\nversion = \"1.0\"\n\
               git = \"https://forge.example/s/a.git\"\nref = \"v1\"\nrevision = \"{C}\"\n";
    check("pdm.lock", pdm, "six forge.example/s/a {C}");
    let pylock = "lock-version = \"1.0\"\n[[packages]]\nname = \"six\"\n\
                  vcs = { type = \"git\", url = \"https://forge.example/s/a\", commit-id = \"{C}\" }\n";
    check("pylock.toml", pylock, "six forge.example/s/a {C}");
    let pipfile =
        "{\"_meta\":{},\"default\":{\"six\":{\"git\":\"https://forge.example/s/a.git\",\"ref\":\"{C}\"}}}";
    check("Pipfile.lock", pipfile, "six forge.example/s/a {C}");
}

#[test]
fn composer() {
    let check = |source: &str, expected: &str| {
        let package = format!("{{\"name\":\"acme/a\",\"version\":\"1.0\",\"source\":{source}}}");
        check("composer.lock", &format!("{{\"packages\":[{package}]}}"), expected);
    };
    let git = "{\"type\":\"git\",\"url\":\"git@forge.example:acme/a.git\",\"reference\":\"{C}\"}";
    check(git, "acme/a forge.example/acme/a {C}");
    check(&git.replace("git@", "https://").replace("e:", "e/"), "acme/a forge.example/acme/a {C}");
}

#[test]
fn a_source_beside_a_file_is_kept_where_anybody_may_ask_for_it() {
    let check = |dist: &str, kind: &str, url: &str, expected: Option<bool>| {
        let source = format!("{{\"type\":\"{kind}\",\"url\":\"{url}\",\"reference\":\"{{C}}\"}}");
        let dist = format!("{{\"type\":\"{dist}\",\"url\":\"https://forge.example/a.zip\"}}");
        let package =
            format!("{{\"name\":\"acme/a\",\"version\":\"1.0\",\"dist\":{dist},\"source\":{source}}}");
        let locked = read("composer.lock", &format!("{{\"packages\":[{package}]}}"));
        let found = locked.repositories.first().map(|pin| pin.has_file);
        assert_eq!((found, locked.unpinned.len()), (expected, 0), "{dist} {source}");
    };
    check("zip", "git", "https://forge.example/acme/a.git", Some(true));
    check("zip", "git", "git@github.com:acme/a.git", Some(true));
    check("zip", "git", "git@forge.example:acme/a.git", None);
    check("zip", "git", "http://forge.example/acme/a.git", None);
    check("zip", "git", "/srv/a.git", None);
    check("zip", "hg", "https://forge.example/acme/a", None);
    check("path", "git", "https://forge.example/acme/a.git", None);
}

#[test]
fn each_repository_is_said_once_and_all_its_commits() {
    let package = |commit: &str| {
        format!(
            "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"git+https://forge.example/a#{commit}\"\n"
        )
    };
    let other = COMMIT.replace('5', "6");
    let lock = [package(COMMIT), package(COMMIT), package(&other)].concat();
    let places: Vec<String> =
        read("Cargo.lock", &lock).repositories.iter().map(registry::RepoPin::place).collect();
    let place = |commit: &str| format!("the git repository forge.example/a at {commit}");
    assert_eq!(places, [place(COMMIT), place(&other)]);
}

#[test]
fn a_repository_is_asked_for_over_http() {
    let check = |address: &str, expected: Option<&str>| {
        let lock = format!("[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"{address}\"\n");
        let locked = read("Cargo.lock", &lock);
        assert_eq!(locked.repositories[0].url.as_deref(), expected, "{address}");
    };
    check("git+https://forge.example/s/a.git#{C}", Some("https://forge.example/s/a.git"));
    check("git+https://me:secret@forge.example/s/a?branch=main", Some("https://forge.example/s/a"));
    check("git+http://forge.example:8080/s/a", Some("http://forge.example:8080/s/a"));
    check("git+ssh://git@forge.example/s/a.git", Some("https://forge.example/s/a.git"));
    check("git+ssh://git@forge.example:22/s/a", Some("https://forge.example/s/a"));
    check("git+ssh://git@forge.example:2222/s/a.git", None);
    check("git+https://github.com/s/a", Some("https://github.com/s/a.git"));
}

#[test]
fn an_address_that_is_not_understood_is_named_without_it() {
    let lock = "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"git+https://me:secret@/a#0123\"\n";
    let locked = read("Cargo.lock", lock);
    let [left] = &*locked.unpinned else { panic!("{locked:?}") };
    assert_eq!(
        (&*left.name, left.reason),
        ("a", "it is in a git repository whose address is not understood")
    );
    assert!(!format!("{locked:?}").contains("secret"), "{locked:?}");
}
