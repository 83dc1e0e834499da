//! Locks of Python projects.

mod broken;

use crate::lock::{LockError, Locked, Pin, lock_of, read_locks};

const REQUIREMENTS: &str = include_str!("../../testdata/requirements.txt");
const UV: &str = include_str!("../../testdata/uv.lock");
const POETRY: &str = include_str!("../../testdata/poetry.lock");
const POETRY_1_2: &str = include_str!("../../testdata/poetry-1.2.lock");
const PYLOCK: &str = include_str!("../../testdata/pylock.toml");
const PIPFILE: &str = include_str!("../../testdata/Pipfile.lock");

const GIT: &str = "it is in a git repository whose address is not understood";
const OTHER: &str = "it is in a repository that is not of git, and those are not kept";
const UNDECIDED: &str = "no version is decided on";
const NOWHERE: &str = "where it lies cannot be read from the lock";

fn read(file_name: &str, text: &str) -> Result<Locked, LockError> {
    read_locks(file_name, text.as_bytes()).unwrap()
}

/// Returns each pin as its coordinate, or its address, with its number of digests, and what has none, with its reason.
fn shown(file_name: &str, text: &str) -> Vec<String> {
    let show = |pin: &Pin| {
        let what = match (&pin.coordinate, &pin.url) {
            (Some(it), url) => format!("{it}{}", if url.is_some() { " at its address" } else { "" }),
            (None, url) => url.as_ref().unwrap().to_string(),
        };
        format!("{what}: {}", pin.digests.iter().count())
    };
    let Locked { pins, repositories, unpinned, .. } = read(file_name, text).unwrap();
    let repositories = repositories.iter().map(|pin| format!("{}: {GIT}", pin.name));
    let unpinned = unpinned.iter().map(|unpinned| format!("{}: {}", unpinned.name, unpinned.reason));
    let mut shown: Vec<String> = pins.iter().map(show).chain(repositories).chain(unpinned).collect();
    shown.sort();
    shown
}

#[test]
fn locks_with_addresses_pin_each_file() {
    let expected = [
        "attrs 24.2 (attrs-24.2.0-py3-none-any.whl) of pypi.org at its address: 1",
        "attrs 24.2 (attrs-24.2.0.tar.gz) of pypi.org at its address: 1",
        "iniconfig 2 (iniconfig-2.0.0-py3-none-any.whl) of pypi.org at its address: 1",
        "python-dateutil 2.9.post0 (python-dateutil-2.9.0.post0.tar.gz) of pypi.org at its address: 1",
        "python-dateutil 2.9.post0 (python_dateutil-2.9.0.post0-py2.py3-none-any.whl) of pypi.org at its address: 1",
        "six 1.17 (six-1.17.0-py2.py3-none-any.whl) of pypi.org at its address: 1",
        "six 1.17 (six-1.17.0.tar.gz) of pypi.org at its address: 1",
    ];
    assert_eq!(shown("uv.lock", UV), expected);
    assert_eq!(shown("pylock.toml", PYLOCK), expected);
    assert_eq!(shown("deploy/pylock.dev.toml", PYLOCK), expected);
}

#[test]
fn locks_without_addresses_pin_each_file_of_any_registry() {
    let files = [
        "attrs 24.2 (attrs-24.2.0-py3-none-any.whl): 1",
        "attrs 24.2 (attrs-24.2.0.tar.gz): 1",
        "six 1.17 (six-1.17.0-py2.py3-none-any.whl): 1",
        "six 1.17 (six-1.17.0.tar.gz): 1",
    ];
    let address = "iniconfig 2 (iniconfig-2.0.0-py3-none-any.whl) of pypi.org at its address: 1";
    let expected: Vec<&str> = files[..2].iter().chain([&address]).chain(&files[2..]).copied().collect();
    assert_eq!(shown("poetry.lock", POETRY), expected);
    // That one writes no digest for an address.
    let expected = expected.iter().map(|it| it.replace("address: 1", "address: 0")).collect::<Vec<_>>();
    assert_eq!(shown("poetry.lock", POETRY_1_2), expected);
}

#[test]
fn locks_of_versions_pin_all_their_files() {
    assert_eq!(
        shown("requirements.txt", REQUIREMENTS),
        [
            "attrs 24.2: 2",
            "iniconfig 2 (iniconfig-2.0.0-py3-none-any.whl) of pypi.org at its address: 1",
            "python-dateutil 2.9.post0: 2",
            "six 1.17: 2",
        ]
    );
    assert_eq!(
        shown("Pipfile.lock", PIPFILE),
        [
            "attrs 24.2: 2",
            "iniconfig 2 (iniconfig-2.0.0-py3-none-any.whl) of pypi.org at its address: 2",
            "python-dateutil 4: 2",
            "six 1.17: 2",
            "tzdata 2026.6: 2",
        ]
    );
    let whole = read("requirements.txt", REQUIREMENTS).unwrap().pins.pop().unwrap().coordinate.unwrap();
    let mut file = read("uv.lock", UV).unwrap().pins.pop().unwrap().coordinate.unwrap();
    assert!(whole.covers(&file), "{whole} and {file}");
    file.file = file.file.map(|name| format!("{name}.metadata"));
    assert!(!whole.covers(&file), "a digest of an archive is none of its metadata");
}

#[test]
fn sources_that_are_no_registry_pin_nothing_and_are_named() {
    let source = |kind: &str| {
        POETRY
            .replace("type = \"legacy\"", &format!("type = \"{kind}\""))
            .replace("type = \"url\"", "type = \"git\"")
    };
    let named = |reason: &str| ["attrs", "iniconfig", "six"].map(|name| format!("{name}: {reason}"));
    assert_eq!(shown("poetry.lock", &source("git")), named(GIT));
    assert_eq!(shown("poetry.lock", &source("directory")), [format!("iniconfig: {GIT}")]);
    assert_eq!(shown("poetry.lock", &source("file")), [format!("iniconfig: {GIT}")]);
    assert_eq!(shown("poetry.lock", &source("legacy")).len(), 5);
    let git = "version = 1\n[[package]]\nname = \"a\"\nversion = \"1\"\nsource = { git = \"https://example.com/a?rev=1#00\" }\n";
    let in_git = format!("a: {GIT}");
    assert_eq!(shown("uv.lock", git), [&*in_git]);
    assert_eq!(shown("uv.lock", &git.replace("https", "file")), [""; 0]);
    let hash = "ab".repeat(32);
    let folder =
        format!("{git}wheels = [{{ filename = \"a-1-py3-none-any.whl\", hash = \"sha256:{hash}\" }}]\n");
    assert_eq!(shown("uv.lock", &folder), [&*in_git]);
    assert_eq!(shown("uv.lock", &folder.replace("git =", "path =")), [""; 0]);
    let path = format!(
        "lock-version = \"1.0\"\n[[packages]]\nname = \"a\"\nwheels = [{{ name = \"a-1-py3-none-any.whl\", path = \"./a\", hashes = {{ sha256 = \"{hash}\" }} }}]\n"
    );
    assert_eq!(shown("pylock.toml", &path), [""; 0]);
    assert_eq!(
        shown("pylock.toml", &path.replace("path = \"./a\", ", "")),
        ["a 1 (a-1-py3-none-any.whl): 1"]
    );
    let pipfile = |key: &str| {
        format!(
            "{{\"_meta\":{{}},\"default\":{{\"a\":{{\"{key}\":\"x\",\"version\":\"==1\",\"hashes\":[\"sha256:{hash}\"]}}}}}}"
        )
    };
    assert_eq!(shown("Pipfile.lock", &pipfile("git")), [&*in_git]);
    assert_eq!(shown("Pipfile.lock", &pipfile("hg")), [format!("a: {OTHER}")]);
    assert_eq!(shown("Pipfile.lock", &pipfile("path")), [""; 0]);
    assert_eq!(shown("Pipfile.lock", &pipfile("markers")), ["a 1: 1"]);
}

#[test]
fn pdm_names_files_or_addresses() {
    let hash = "ab".repeat(32);
    let lock = |file: &str| {
        format!(
            "[metadata]\nlock_version = \"4.5.0\"\n[[package]]\nname = \"six\"\nversion = \"1.0\"\nfiles = [{{{file}, hash = \"sha256:{hash}\"}}]\n"
        )
    };
    assert_eq!(shown("pdm.lock", &lock("file = \"six-1.0.tar.gz\"")), ["six 1 (six-1.0.tar.gz): 1"]);
    assert_eq!(
        shown("pdm.lock", &lock("url = \"https://files.pythonhosted.org/packages/a/six-1.0.tar.gz\"")),
        ["six 1 (six-1.0.tar.gz) of pypi.org at its address: 1"]
    );
    let place = |place: &str| {
        let hash = format!(", hash = \"sha256:{hash}\"");
        shown(
            "pdm.lock",
            &lock("file = \"six-1.0.zip\"").replace("files", &format!("{place}\nfiles")).replace(&hash, ""),
        )
    };
    assert_eq!(place(""), ["six 1 (six-1.0.zip): 0"]);
    let url = "url = \"https://example.com/six-1.0.zip\"";
    assert_eq!(place(url), ["six 1 (six-1.0.zip) of example.com at its address: 0"]);
    assert_eq!(place("git = \"https://example.com/six.git\"\nrevision = \"01\""), [format!("six: {GIT}")]);
    assert_eq!(place("svn = \"https://example.com/six\""), [format!("six: {OTHER}")]);
    assert_eq!(place("path = \"./six\""), [""; 0]);
    let none = lock("").replace(&format!("{{, hash = \"sha256:{hash}\"}}"), "");
    assert_eq!(shown("pdm.lock", &none), ["six 1: 0"]);
}

#[test]
fn an_address_pins_the_file_that_is_asked_for_there() {
    let hash = "ab".repeat(32);
    let lock = format!(
        "version = 1\n[[package]]\nname = \"torch\"\nversion = \"2.5.1+cpu\"\nwheels = [{{ url = \"https://download.example.org/whl/torch-2.5.1%2Bcpu-cp311-cp311-linux_x86_64.whl\", hash = \"sha256:{hash}\" }}]\n"
    );
    assert_eq!(
        shown("uv.lock", &lock),
        [
            "torch 2.5.1+cpu (torch-2.5.1+cpu-cp311-cp311-linux_x86_64.whl) of download.example.org at its address: 1"
        ]
    );
}

#[test]
fn a_requirement_with_a_hash_is_a_pin() {
    let fill = |line: &str| {
        let line = line.replace('H', &"ab".repeat(32)).replace('G', &"cd".repeat(32));
        line.replace('K', &"ef".repeat(48))
    };
    let check = |line: &str, expected: &[&str]| {
        assert_eq!(shown("requirements-dev.txt", &fill(line)), expected, "{line}");
    };
    let open = format!("six: {UNDECIDED}");
    check("six[extra]==1.17.0 ; python_version > \"3\" --hash=sha256:H # why", &["six 1.17: 1"]);
    check("\u{feff}Six === 1.17.0\t--hash sha256:H \\\r\n  --hash='sha256:G'", &["six 1.17: 2"]);
    check("six>=1.0 --hash=sha256:H", &[&open]);
    check("six==1.0,<2 --hash=sha256:H", &[&open]);
    check("six==1.* --hash=sha256:H", &[&open]);
    check("six==1.0 --global-option=a:b", &["six 1: 0"]);
    check("thing @ https://example.com/thing.zip --hash=sha256:H", &["https://example.com/thing.zip: 1"]);
    check(
        "https://example.com/a-1.0.zip#egg=a --hash=sha256:H",
        &["a 1 (a-1.0.zip) of example.com at its address: 1"],
    );
    check("a @ git+https://example.com/a.git --hash=sha256:H", &[&format!("a: {GIT}")]);
    check("-r other.txt\n--index-url https://example.com/simple\n# six==1 --hash=sha256:H\n\n", &[]);
    // Nobody here knows these, or which file has which: the version is pinned, its bytes are not.
    check("six==1.0 --hash=md5:00112233445566778899aabbccddeeff", &["six 1: 0"]);
    check("six==1.0 --hash=sha256:H --hash=sha384:K", &["six 1: 0"]);
    // One that is none fits no file; the others of the version still do.
    let unread = "six: the lock's digest of it cannot be read";
    check("six==1.0 --hash=sha256:zz", &[unread]);
    check("six==1.0 --hash=sha256:zz --hash=sha256:H", &["six 1: 1", unread]);
}

#[test]
fn a_requirement_without_a_hash_is_a_pin_or_is_named() {
    let check = |lines: &str, expected: &[&str]| {
        assert_eq!(shown("requirements.txt", lines), expected, "{lines}");
    };
    check("six==1.17.0", &["six 1.17: 0"]);
    check("six [a,b] == 1!2.0 ; python_version == \"3.8\" # why", &["six 1!2: 0"]);
    check(
        "six @ https://example.com/six-1.0.zip ; python_version > \"3\"",
        &["six 1 (six-1.0.zip) of example.com at its address: 0"],
    );
    check("https://me:S3CRET@example.com/thing.zip", &["https://example.com/thing.zip: 0"]);
    for open in [
        "six",
        "six>=2",
        "six<2 ; python_version == \"3.8\"",
        "six[a]",
        "six (==1.0)",
        "six ~=1.0",
        "six==",
        "six!=1",
    ] {
        check(&format!("{open}\n{open}\n"), &[&format!("six: {UNDECIDED}")]);
    }
    for (repository, name) in [
        ("six @ git+https://example.com/s/a.git@v1", "six"),
        ("git+https://me:S3CRET@example.com/s/a.git@v1#egg=six[b]&subdirectory=c", "six"),
        ("git+https://S3CRET@example.com/s/six.git@v1", "six"),
        ("git+git@example.com:s/six.git", "six"),
        ("git+https://S3CRET@example.com", "git"),
        ("-e git+ssh://git@example.com/s/six", "six"),
        ("--editable=git+https://example.com/s/a#egg=six", "six"),
    ] {
        check(repository, &[&format!("{name}: {GIT}")]);
    }
    check("hg+https://example.com/six", &[&format!("six: {OTHER}")]);
    check("six @ ftp://example.com/six.zip", &[&format!("six: {NOWHERE}")]);
    check("six @ https://example.com/%zz", &[&format!("six: {NOWHERE}")]);
    for none in [
        "-r other.txt",
        "-c constraints.txt",
        "--index-url https://example.com/simple",
        "-e .",
        "-e six",
        "--editable ./six[a]",
        "-e git+file:///six",
        "./six",
        "six/",
        "../six-1.0.zip",
        "six-1.0-py3-none-any.whl",
        "six-1.0.tar.gz",
        "file:///six-1.0.zip",
        "six @ file:///six-1.0.zip",
        "six @ ./six",
        "# six",
        "",
    ] {
        check(none, &[]);
    }
    for strange in ["six is a library", "<html>", "é==1.0"] {
        check(strange, &[&format!("{strange}: it is not understood")]);
    }
}

#[test]
fn what_a_lock_names_without_a_digest_is_a_pin() {
    let uv = |fields: &str| {
        let lock = format!("version = 1\n[[package]]\nname = \"six\"\nversion = \"1.0\"\n{fields}\n");
        shown("uv.lock", &lock)
    };
    let file = "six 1 (six-1.0.zip) of example.com at its address";
    assert_eq!(uv("sdist = { url = \"https://example.com/six-1.0.zip\" }"), [format!("{file}: 0")]);
    let source = "source = { url = \"https://example.com/six-1.0.zip\" }";
    assert_eq!(uv(source), [format!("{file}: 0")]);
    let hash = format!("hash = \"sha256:{}\"", "ab".repeat(32));
    assert_eq!(uv(&format!("{source}\nsdist = {{ {hash} }}")), [format!("{file}: 1")]);
    assert_eq!(uv("source = { registry = \"https://pypi.org/simple\" }"), ["six 1: 0"]);
    for of_project in
        ["registry = \"../index\"", "virtual = \".\"", "editable = \".\"", "directory = \"six\""]
    {
        assert_eq!(uv(&format!("source = {{ {of_project} }}")), [""; 0], "{of_project}");
    }
    let pylock = |fields: &str| {
        let package = format!("[[packages]]\nname = \"six\"\nversion = \"1.0\"\n{fields}\n");
        shown("pylock.toml", &format!("lock-version = \"1.0\"\n{package}"))
    };
    assert_eq!(pylock("wheels = [{ url = \"https://example.com/six-1.0.zip\" }]"), [format!("{file}: 0")]);
    assert_eq!(pylock("sdist = { name = \"six-1.0.zip\" }"), ["six 1 (six-1.0.zip): 0"]);
    assert_eq!(pylock("sdist = {}"), [format!("six: {NOWHERE}")]);
    assert_eq!(pylock(""), ["six 1: 0"]);
    assert_eq!(pylock("directory = { path = \".\" }"), [""; 0]);
    assert_eq!(pylock("archive = { path = \"six-1.0.zip\" }"), [""; 0]);
    let vcs = "vcs = { type = \"git\", url = \"https://example.com/six\", commit-id = \"01\" }";
    assert_eq!(pylock(vcs), [format!("six: {GIT}")]);
    assert_eq!(pylock(&vcs.replace("\"git\"", "\"hg\"")), [format!("six: {OTHER}")]);
    assert_eq!(pylock(&vcs.replace("url", "path")), [""; 0]);
    let pipfile = |fields: &str| {
        shown("Pipfile.lock", &format!("{{\"_meta\":{{}},\"default\":{{\"six\":{{{fields}}}}}}}"))
    };
    assert_eq!(pipfile("\"version\":\"==1.0\""), ["six 1: 0"]);
    assert_eq!(pipfile("\"file\":\"https://example.com/six-1.0.zip\""), [format!("{file}: 0")]);
    assert_eq!(pipfile("\"version\":\"*\""), [format!("six: {UNDECIDED}")]);
    assert_eq!(pipfile("\"index\":\"pypi\""), [format!("six: {UNDECIDED}")]);
    assert_eq!(pipfile("\"file\":\"./six-1.0.zip\""), [""; 0]);
}

#[test]
fn a_lock_of_many_hashes_is_read_in_time() {
    let mut line = "six==1.0".to_owned();
    for n in 0..200_000 {
        line.push_str(&format!(" --hash=sha256:{n:064x}"));
    }
    assert_eq!(shown("requirements.txt", &line), ["six 1: 200000"]);
}

#[test]
fn locks_are_known_by_their_names() {
    for name in [
        "requirements.txt",
        "requirements-dev.txt",
        "a/requirements/base.txt",
        "requirements/base.txt",
        "constraints.txt",
        "uv.lock",
        "pdm.lock",
        "Pipfile.lock",
        "pylock.dev.toml",
    ] {
        assert!(lock_of(name).is_some(), "{name}");
    }
    for name in [
        "requirements.in",
        "my-requirements.txt",
        "base.txt",
        "requirements/a/base.txt",
        "my-requirements/base.txt",
        "requirements/base.in",
        "pylock",
        "pylockdev.toml",
        "Pipfile",
    ] {
        assert!(lock_of(name).is_none(), "{name}");
    }
}

#[test]
fn a_namesake_in_the_public_index_is_not_what_another_index_has() {
    let whose = "the lock names an index besides the public one, and no digest says whose it is";
    for option in
        ["--index-url https://corp.example/simple", "--extra-index-url=https://corp.example/s", "-f ./wheels"]
    {
        let lock = format!("six==1.0\n{option}\n");
        assert_eq!(shown("requirements.txt", &lock), [format!("six: {whose}")], "{option}");
        let sha256 = "a".repeat(64);
        let lock = format!("{option}\nsix==1.0 --hash=sha256:{sha256}\n");
        assert_eq!(shown("requirements.txt", &lock), ["six 1: 1"], "a digest says whose it is");
    }
    assert_eq!(shown("requirements.txt", "-i https://pypi.org/simple/\nsix==1.0\n"), ["six 1: 0"]);
}

#[test]
fn what_is_included_or_not_understood_is_named() {
    let locked = read("requirements.txt", "-r base.txt\n--requirement=more/dev.txt\nsix==1.0\n").unwrap();
    assert_eq!(locked.includes, ["base.txt", "more/dev.txt"]);
    let strange = shown(
        "requirements.txt",
        "this is a login page <html>\n<<<<<<< HEAD\nsix==1.0\n./local\nlibs/a.whl\n",
    );
    assert_eq!(strange.len(), 3, "{strange:?}");
    assert!(strange.iter().filter(|it| it.ends_with("it is not understood")).count() == 2, "{strange:?}");
}
