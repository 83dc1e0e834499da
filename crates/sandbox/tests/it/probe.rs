//! Runs the probe, and says what came of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder of its own for one test, removed at its end.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes one in which every user may work.
    pub(crate) fn new() -> Self {
        let name = format!("sandbox-it-{:016x}", u64::from_be_bytes(host::random::bytes()));
        // Not /tmp, which a fresh room replaces.
        Self::at(Path::new("/var/tmp").join(name))
    }

    /// A folder in `/tmp`.
    pub(crate) fn temporary() -> Self {
        Self::at(
            Path::new("/tmp").join(format!("sandbox-it-{:016x}", u64::from_be_bytes(host::random::bytes()))),
        )
    }

    fn at(path: PathBuf) -> Self {
        let folder = Self(path);
        folder.make("");
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes a folder inside, open to every user.
    pub(crate) fn make(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        path
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Who runs the probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    /// Whoever runs the tests.
    Caller,
    /// `nobody`, without a group.
    Nobody,
}

impl User {
    /// Every user as whom this process may run something.
    pub(crate) fn all() -> Vec<Self> {
        if is_root() { vec![Self::Caller, Self::Nobody] } else { vec![Self::Caller] }
    }
}

pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Fails unless this process is root: passed over, a test would look passed.
#[track_caller]
pub(crate) fn need_root(why: &str) {
    assert!(
        is_root(),
        "this test needs root, since {why} otherwise; hint: run it as root, a container's will do"
    );
}

/// One run of the probe.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) command: Command,
    log: PathBuf,
    folder: Folder,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) log: Vec<String>,
}

impl Probe {
    /// Returns a probe whose options are `options`, split at blanks.
    #[expect(clippy::disallowed_methods, reason = "tests start the probe")]
    pub(crate) fn new(user: User, options: &str) -> Self {
        let folder = Folder::new();
        let log = folder.join("log");
        let mut command = Command::new(program());
        command.args(["--log".as_ref(), log.as_os_str()]).args(options.split_whitespace());
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin").current_dir("/");
        if user == User::Nobody {
            command.uid(65534).gid(65534);
        }
        Self { command, log, folder }
    }

    /// Sets the command to a shell script.
    pub(crate) fn script(mut self, script: &str) -> Self {
        self.command.args(["--", "sh", "-c", script]);
        self
    }

    /// Runs to the end.
    pub(crate) fn run(mut self) -> Outcome {
        let output = self.command.output().unwrap();
        self.outcome(&output)
    }

    /// Returns what a finished run left.
    pub(crate) fn outcome(&self, output: &Output) -> Outcome {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Outcome {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            log: self.log(),
        }
    }

    /// Returns the lines of the log as it is now.
    pub(crate) fn log(&self) -> Vec<String> {
        fs::read_to_string(&self.log).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// A folder that lives as long as the probe.
    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }
}

impl Outcome {
    /// Fails unless the command ended with 0.
    pub(crate) fn good(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// Returns whether the log has this line.
    pub(crate) fn has(&self, line: &str) -> bool {
        self.log.iter().any(|logged| logged == line)
    }
}

/// Returns the probe.
fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_sandbox-probe"))
}

/// Runs a script without a room: the positive control.
#[expect(clippy::disallowed_methods, reason = "tests start their controls")]
pub(crate) fn outside(script: &str) -> Output {
    Command::new("sh").args(["-c", script]).output().unwrap()
}

/// Waits until `condition` holds; fails after ten seconds.
pub(crate) fn await_that(what: &str, condition: impl Fn() -> bool) {
    let clock = host::Clock::real();
    while !condition() {
        assert!(clock.elapsed().as_secs() < 10, "waited for: {what}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

/// A process that runs beside a test, and is killed at its end.
#[derive(Debug)]
pub(crate) struct Beside(std::process::Child);

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a Python program in a network namespace of its own, after a line of shell in a mount namespace of its own.
#[expect(clippy::disallowed_methods, reason = "tests start what the room must not reach")]
pub(crate) fn elsewhere(mounts: &str, program: &str) -> Beside {
    let namespaces: &[&str] =
        if is_root() { &["--net", "--mount"] } else { &["--map-root-user", "--net", "--mount"] };
    let mut command = Command::new("unshare");
    // Each becomes the next, so that killing the one ends the other.
    let script = format!("{mounts}\nexec python3 -c \"$PROGRAM\"");
    Beside(command.args(namespaces).args(["sh", "-c", &script]).env("PROGRAM", program).spawn().unwrap())
}
