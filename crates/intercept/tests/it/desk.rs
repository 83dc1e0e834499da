//! A home of its own for a real client, with what a room would hold.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use intercept::caller::Disk;
use intercept::{Authority, Caller, CallerTrust, Paths, Tier, settings};
use tempfile::TempDir;
use tokio::process::Command;

use crate::room::Room;

/// Java and npm take some seconds to start on a busy machine.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(120);
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/go/bin";

/// Returns the folder of the clients that `cargo xtask test` installs.
#[expect(clippy::disallowed_methods, reason = "tests stand outside the layers")]
fn tools() -> PathBuf {
    let named = std::env::var_os("OUTLAST_TEST_TOOLS").map(PathBuf::from);
    // Beside this program: target/debug/deps/it-…, target/tools.
    let usual = || std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("tools");
    named.unwrap_or_else(usual)
}

/// Returns where clients are looked for: those that were installed for tests, then the system's places.
fn search_path() -> String {
    let own = ["npm/node_modules/.bin", "runtimes/node_modules/.bin", "python/bin"]
        .map(|folder| tools().join(folder).display().to_string());
    format!("{}:{SYSTEM_PATH}", own.join(":"))
}

/// A home of its own, the room's files, and the variables that go with them.
pub(crate) struct Desk {
    pub(crate) home: TempDir,
    variables: Vec<(std::ffi::OsString, std::ffi::OsString)>,
}

impl Desk {
    /// Lays out what a room would hold for a caller with these files in the home directory.
    ///
    /// No mount covers Java's own store here, so Java gets its options as in an observed run.
    pub(crate) fn new(room: &Room, files: &[(&str, &str)]) -> Self {
        Self::of(&Tier::Observed { proxy: None }, &room.authority, files)
    }

    pub(crate) fn of(tier: &Tier, authority: &Authority, files: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        for (name, text) in files {
            write(&home.path().join(name), text.as_bytes());
        }
        let directory = home.path().join("room");
        let paths = Paths {
            bundle: directory.join("bundle.pem"),
            ca: directory.join("ca.pem"),
            extra: directory.join("extra.pem"),
            java_store: directory.join("cacerts"),
            directory,
        };
        let own = vec![("HOME".into(), home.path().into()), ("PATH".into(), search_path().into())];
        let caller = Caller::new(own, home.path().join("project"), Disk);
        std::fs::create_dir_all(caller.directory()).unwrap();
        let trust = CallerTrust::read(&caller);
        assert!(trust.n_certificates().0 > 10, "this machine has roots");
        write(&paths.bundle, &trust.bundle_pem(authority.root_pem()));
        write(&paths.ca, authority.root_pem().as_bytes());
        write(&paths.extra, &trust.extra_pem(authority.root_pem()));
        write(&paths.java_store, &trust.java_trust_store(authority.root_der()));
        let settings = settings(&caller, &paths, tier);
        for (path, bytes) in &settings.files {
            write(path, bytes);
        }
        Self { home, variables: settings.variables }
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.home.path().join("project")
    }

    pub(crate) async fn run(&self, program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(find(program));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", search_path())
            .envs(variables.iter().copied())
            .current_dir(self.project())
            .kill_on_drop(true)
            .stdin(std::process::Stdio::null());
        let ran = tokio::time::timeout(CLIENT_TIMEOUT, command.output()).await;
        ran.unwrap_or_else(|_| panic!("{program} hangs")).unwrap_or_else(|error| panic!("{program}: {error}"))
    }

    pub(crate) async fn run_in_room(
        &self,
        program: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Output {
        let ours =
            self.variables.iter().map(|(name, value)| (name.to_str().unwrap(), value.to_str().unwrap()));
        let all: Vec<(&str, &str)> = variables.iter().copied().chain(ours).collect();
        self.run(program, arguments, &all).await
    }
}

pub(crate) fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// Returns where a client is. One that is not there fails the test: passed over, it would look passed.
#[track_caller]
pub(crate) fn find(program: &str) -> PathBuf {
    let found = match program {
        // Both Yarns are called `yarn`.
        "yarn4" => Some(tools().join("yarn4/node_modules/.bin/yarn")).filter(|yarn| yarn.exists()),
        _ => std::env::split_paths(&search_path())
            .map(|directory| directory.join(program))
            .find(|path| path.exists()),
    };
    found.unwrap_or_else(|| {
        panic!("`{program}` is not installed; hint: `cargo xtask test` installs what tests need")
    })
}
