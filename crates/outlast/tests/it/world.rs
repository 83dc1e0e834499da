//! A world of its own for each test: a home folder, a home of Outlast, a project, and an environment with nothing else.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use fakes::Upstream;
use serde_json::Value;
use tempfile::TempDir;

use crate::machines::Debian;

/// The binary under test.
pub(crate) const OUTLAST: &str = env!("CARGO_BIN_EXE_outlast");

/// Longer than any build here takes on a busy machine; what has not ended then is killed and fails.
const DEADLINE: Duration = Duration::from_secs(240);

/// Where programs lie in a Debian that is entered; nothing of this machine's is seen there.
const DEBIAN_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub(crate) struct World {
    folder: TempDir,
    /// Set for every command, besides what every command gets.
    variables: Vec<(String, String)>,
    /// Where its commands run.
    debian: Debian,
}

/// What a command left.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Done {
    /// Fails the test unless the command ended with this code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails the test unless stderr contains this.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "`{text}` is not in stderr:\n{}", self.stderr);
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("outlast-world-").tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["home", "project"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder, variables: Vec::new(), debian: Debian::bookworm() }
    }

    /// Runs all commands in this Debian; from outside it only reads what they leave.
    pub(crate) fn on(mut self, debian: Debian) -> Self {
        self.debian = debian;
        self
    }

    /// Sets a variable for all commands.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes a file of the project.
    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        self.write(&self.project().join(path), text);
        self
    }

    /// Writes any file, with the folders it lies in.
    pub(crate) fn write(&self, path: &Path, text: impl AsRef<[u8]>) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// Returns Outlast's own home.
    pub(crate) fn own(&self) -> PathBuf {
        self.folder.path().join("outlast")
    }

    /// Places hosts at a loopback upstream, under TLS; outlast.toml says nothing else.
    pub(crate) fn place(&self, upstream: &Upstream, hosts: &[&str]) {
        let (address, ca) = (upstream.tls_address().to_string(), upstream.ca_file(self.path()));
        self.configure(&places(hosts, &[("connect", &address), ("ca_file", ca.to_str().unwrap())]));
    }

    /// Writes outlast.toml.
    pub(crate) fn configure(&self, text: &str) {
        self.write(&self.own().join("outlast.toml"), text);
    }

    /// Adds to the configuration.
    pub(crate) fn configure_more(&self, text: &str) {
        let settings = std::fs::read_to_string(self.own().join("outlast.toml")).unwrap();
        self.configure(&(settings + text));
    }

    /// Returns a command in the project, with this world's environment.
    #[track_caller]
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.debian.command(self.path(), &self.project(), program.as_ref());
        command
            .current_dir(self.project())
            .env_clear()
            .env("PATH", if self.debian.is_entered() { DEBIAN_PATH.into() } else { path() })
            .env("HOME", self.home())
            .env("OUTLAST_HOME", self.own())
            .env("LANG", "C.UTF-8")
            // Java asks the password file for the home folder, not HOME.
            .env("MAVEN_OPTS", format!("-Duser.home={}", self.home().display()))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs Outlast.
    #[track_caller]
    pub(crate) fn outlast(&self, arguments: &[&str]) -> Done {
        let mut command = self.command(OUTLAST);
        finish(command.args(arguments), b"")
    }

    /// Runs `outlast exec --fresh -- COMMAND`.
    pub(crate) fn record(&self, command: &[&str]) -> Done {
        self.outlast(&[&["exec", "--fresh", "--"], command].concat())
    }

    /// Runs `outlast drill -- COMMAND`.
    pub(crate) fn drill(&self, command: &[&str]) -> Done {
        self.outlast(&[&["drill", "--"], command].concat())
    }

    /// Returns the record of the newest run.
    pub(crate) fn newest_record(&self) -> Value {
        read_json(&newest(&self.own().join("runs")).join("record.json"))
    }

    /// Returns the folders of evidence, oldest first.
    pub(crate) fn evidence(&self) -> Vec<PathBuf> {
        let mut all: Vec<(String, PathBuf)> = entries(&self.own().join("evidence"))
            .into_iter()
            .map(|folder| {
                let report = read_json(&folder.join("report.json"));
                (report["started_at"].as_str().unwrap().to_owned(), folder)
            })
            .collect();
        all.sort();
        all.into_iter().map(|(_, folder)| folder).collect()
    }

    /// Returns the report of the newest drill.
    pub(crate) fn newest_report(&self) -> Value {
        read_json(&self.evidence().pop().expect("a drill").join("report.json"))
    }

    /// Returns where a blob lies.
    pub(crate) fn blob(&self, sha256: &str) -> PathBuf {
        self.own().join("blobs").join(&sha256[..2]).join(&sha256[2..4]).join(sha256)
    }
}

/// Returns the part of outlast.toml that says where each of these hosts is.
pub(crate) fn places(hosts: &[&str], keys: &[(&str, &str)]) -> String {
    let keys: String = keys.iter().map(|(key, value)| format!("{key} = \"{value}\"\n")).collect();
    hosts.iter().map(|host| format!("[[upstream]]\nhost = \"{host}\"\n{keys}")).collect()
}

/// Runs a command to its end, with a bound.
pub(crate) fn finish(command: &mut Command, input: &[u8]) -> Done {
    let start = Instant::now();
    let output = wait(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()), input);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Done {
        code: code(&output),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
        took: start.elapsed(),
    }
}

fn wait(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let (id, input) = (child.id(), input.to_vec());
    // A command that does not read its input closes it: no fault.
    std::thread::spawn(move || stdin.write_all(&input).is_ok());
    let (ended, waiting) = std::sync::mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        if waiting.recv_timeout(DEADLINE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(ended);
    watchdog.join().unwrap();
    output
}

fn code(output: &Output) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    output.status.code().unwrap_or_else(|| -output.status.signal().unwrap_or(0))
}

/// Returns the search path: the toolchain that runs the tests, the installed clients, then the system's.
fn path() -> std::ffi::OsString {
    let cargo = std::env::var_os("CARGO").map(PathBuf::from);
    let toolchain = cargo.iter().filter_map(|cargo| cargo.parent()).map(Path::to_owned);
    let clients = ["npm/node_modules/.bin", "python/bin"].map(|folder| tools().join(folder));
    let system = std::env::var_os("PATH").unwrap_or_default();
    let all = toolchain.chain(clients).chain(std::env::split_paths(&system));
    std::env::join_paths(all).unwrap()
}

/// Returns the folder of the clients that `cargo xtask test` installs.
pub(crate) fn tools() -> PathBuf {
    let named = std::env::var_os("OUTLAST_TEST_TOOLS").map(PathBuf::from);
    // Beside the binary: target/debug/outlast, target/tools.
    let usual = || Path::new(OUTLAST).parent().and_then(Path::parent).unwrap().join("tools");
    named.unwrap_or_else(usual)
}

/// Fails with the way out unless a program is installed.
#[track_caller]
pub(crate) fn need(program: &str) {
    let is_there = std::env::split_paths(&path()).any(|folder| folder.join(program).is_file());
    assert!(is_there, "`{program}` is not installed; hint: `cargo xtask test` installs what tests need");
}

/// Returns what is in a folder, sorted by name; nothing if it is not there.
pub(crate) fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(read) = fs::read_dir(folder) else { return Vec::new() };
    let mut all: Vec<PathBuf> = read.map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

/// Returns the entry whose name begins with the latest time; records of one second are told apart by their own.
fn newest(folder: &Path) -> PathBuf {
    let all = entries(folder);
    let started = |path: &PathBuf| read_json(&path.join("record.json"))["started_at"].to_string();
    all.into_iter().max_by_key(started).unwrap_or_else(|| panic!("nothing in {}", folder.display()))
}

pub(crate) fn read_json(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

/// Returns the texts of one field of every element.
pub(crate) fn texts<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    let list = list.as_array().unwrap_or_else(|| panic!("not a list: {list}"));
    list.iter().map(|element| element[field].as_str().unwrap()).collect()
}
