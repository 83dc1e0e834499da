//! pip, uv and Poetry with their locks, on the real PyPI: recorded once, and repeated with everything cut off.

use crate::clients::{is_native, survives};
use crate::world::{World, texts, tools};

const WHEEL: &str = "946d195a0d259cbba61165e88e65941f16e9b36ea6ddb97f00452bae8b1287d3";
const SOURCE: &str = "12f65c9b470abda6dc35cf8e63cc574b1c52b11df2c86030af0ac09b01b13ea9";

/// The digests that the files have.
pub(crate) const RIGHT: [&str; 2] = [WHEEL, SOURCE];

/// What each client is told: the same package, by a lock that the client itself has written.
pub(crate) struct Client {
    command: Vec<String>,
    pub(crate) files: [(&'static str, String); 2],
    /// How it ends when no file has the digest of its lock.
    fails_with: i32,
}

impl Client {
    fn new(command: &[&str], manifest: (&'static str, &str), lock: (&'static str, String)) -> Self {
        let command = command.iter().map(|&word| word.to_owned()).collect();
        Self { command, files: [(manifest.0, manifest.1.to_owned()), lock], fails_with: 1 }
    }

    fn world(&self) -> World {
        self.files.iter().fold(World::new(), |world, (path, text)| world.file(path, text))
    }

    pub(crate) fn command(&self) -> Vec<&str> {
        self.command.iter().map(String::as_str).collect()
    }
}

pub(crate) fn pip([wheel, source]: [&str; 2]) -> Client {
    let command = ["pip", "install", "--require-hashes", "--target", "made", "-r", "requirements.txt"];
    let lock = format!("idna==3.10 \\\n    --hash=sha256:{source} \\\n    --hash=sha256:{wheel}\n");
    Client::new(&command, ("requirements.in", "idna==3.10\n"), ("requirements.txt", lock))
}

pub(crate) fn uv([wheel, source]: [&str; 2]) -> Client {
    let manifest = "[project]\nname = \"small\"\nversion = \"0.1.0\"\nrequires-python = \">=3.9\"\n\
                    dependencies = [\"idna==3.10\"]\n";
    let lock = format!(
        r#"version = 1
revision = 5
requires-python = ">=3.9"

[[package]]
name = "idna"
version = "3.10"
source = {{ registry = "https://pypi.org/simple" }}
sdist = {{ url = "https://files.pythonhosted.org/packages/f1/70/7703c29685631f5a7590aa73f1f1d3fa9a380e654b86af429e0934a32f7d/idna-3.10.tar.gz", hash = "sha256:{source}", size = 190490 }}
wheels = [
    {{ url = "https://files.pythonhosted.org/packages/76/c6/c88e154df9c4e1a2a66ccf0005a88dfb2650c1dffb6f5ce603dfbd452ce3/idna-3.10-py3-none-any.whl", hash = "sha256:{wheel}", size = 70442 }},
]

[[package]]
name = "small"
version = "0.1.0"
source = {{ virtual = "." }}
dependencies = [
    {{ name = "idna" }},
]

[package.metadata]
requires-dist = [{{ name = "idna", specifier = "==3.10" }}]
"#
    );
    let client = Client::new(&["uv", "sync", "--frozen"], ("pyproject.toml", manifest), ("uv.lock", lock));
    Client { fails_with: 2, ..client }
}

/// Poetry asks PyPI by its older JSON unless told otherwise, which a company's mirror seldom has for each version; the
/// simple index is there everywhere.
pub(crate) fn poetry([wheel, source]: [&str; 2]) -> Client {
    let manifest = "[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\npython = \">=3.9\"\n\
                    idna = \"3.10\"\n[[tool.poetry.source]]\nname = \"simple\"\n\
                    url = \"https://pypi.org/simple/\"\n";
    let lock = format!(
        r#"[[package]]
name = "idna"
version = "3.10"
description = "Internationalized Domain Names in Applications (IDNA)"
optional = false
python-versions = ">=3.6"
groups = ["main"]
files = [
    {{file = "idna-3.10-py3-none-any.whl", hash = "sha256:{wheel}"}},
    {{file = "idna-3.10.tar.gz", hash = "sha256:{source}"}},
]

[package.source]
type = "legacy"
url = "https://pypi.org/simple"
reference = "simple"

[metadata]
lock-version = "2.1"
python-versions = ">=3.9"
content-hash = "3e69504a67636ac7cf210c1cd5cda4078ffc152a687c894b2099c74a067436d8"
"#
    );
    let poetry = tools().join("poetry/bin/poetry");
    let command = [poetry.to_str().unwrap(), "install", "--no-interaction"];
    Client::new(&command, ("pyproject.toml", manifest), ("poetry.lock", lock))
}

/// Returns a digest that no file has.
fn other(digest: &str) -> String {
    digest.chars().rev().collect()
}

/// Checks that a locked install survives and that its file was vouched for. The control: with other digests in the lock
/// the client gets no file and says so.
#[track_caller]
fn survives_locked(client: fn([&str; 2]) -> Client, hosts: &[&str], perhaps: &[&str]) {
    let good = client(RIGHT);
    let record = survives(&good.world(), &good.command(), hosts, perhaps);
    is_native(&record, "pypi");

    let bad = client([&other(WHEEL), &other(SOURCE)]);
    // Refused bytes are a 503, after which clients ask again, pip for two minutes.
    let world = bad.world().with("PIP_RETRIES", "0").with("UV_HTTP_RETRIES", "0");
    let done = world.record(&bad.command());
    assert_eq!(done.code, bad.fails_with, "{}\n{}", done.stdout, done.stderr);
    let record = world.newest_record();
    let urls = texts(&record["objects"], "url");
    assert!(!urls.iter().any(|url| url.contains("/idna-3.10")), "{record:#}");
}

#[test]
fn pip_installs_again_by_hashes() {
    survives_locked(pip, &["pypi.org"], &["files.pythonhosted.org"]);
}

#[test]
fn uv_installs_again_from_its_lock() {
    survives_locked(uv, &["files.pythonhosted.org"], &["pypi.org"]);
}

#[test]
fn poetry_installs_again_from_its_lock() {
    survives_locked(poetry, &["pypi.org"], &["files.pythonhosted.org"]);
}
