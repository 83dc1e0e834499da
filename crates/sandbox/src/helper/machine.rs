//! What of the machine must not be reachable in a room: sockets of its services, and variables that lead to them.
//!
//! Looked at from outside, before the room exists.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, geteuid};

use super::{capabilities, table};
use crate::plan::Plan;
use crate::unix;

/// A machine with more sockets in its file system is not one on which people build.
const MAX_SOCKETS: usize = 4096;

/// Variables that name a service outside, none of which can be reached.
const SERVICE_VARIABLES: [&str; 8] = [
    "SSH_AUTH_SOCK",
    "SSH_AGENT_PID",
    "GPG_AGENT_INFO",
    "DBUS_SESSION_BUS_ADDRESS",
    "DBUS_SYSTEM_BUS_ADDRESS",
    "WAYLAND_DISPLAY",
    "NOTIFY_SOCKET",
    "LISTEN_FDS",
];

/// Folders that hold nothing but sockets.
const SOCKET_FOLDERS: [&str; 2] = ["/tmp/.X11-unix", "/tmp/.ICE-unix"];

/// The services of the machine that a room hides.
#[derive(Debug, Default)]
pub(super) struct Machine {
    /// Sockets in the file system, links resolved, outside `/run`.
    pub(super) sockets: BTreeSet<PathBuf>,
    /// Folders of sockets, links resolved, outside `/run`.
    pub(super) folders: BTreeSet<PathBuf>,
}

impl Machine {
    /// Looks at the machine and at what the command's environment names; Outlast has found `elsewhere`, the sockets of
    /// other network namespaces.
    pub(super) fn look(plan: &Plan, elsewhere: &[PathBuf]) -> Self {
        let mut machine = Self::default();
        // A container is often given its host's Docker socket as a mount, and no table of the container has it.
        let mounted = table::read().into_iter().map(|mount| mount.point);
        let named = named_sockets(plan).into_iter().chain(elsewhere.iter().cloned());
        for path in sockets_in_use().into_iter().chain(mounted).chain(named) {
            machine.add_socket(&path);
        }
        let runtime = variable(plan, "XDG_RUNTIME_DIR").map(PathBuf::from);
        let agents = fs::read_dir("/tmp").into_iter().flatten().filter_map(|entry| {
            let entry = entry.ok()?;
            entry.file_name().as_bytes().starts_with(b"ssh-").then(|| entry.path())
        });
        for folder in SOCKET_FOLDERS.map(PathBuf::from).into_iter().chain(runtime).chain(agents) {
            if let Ok(folder) = folder.canonicalize()
                && folder.is_dir()
                && !is_in_run(&folder)
            {
                machine.folders.insert(folder);
            }
        }
        machine
    }

    fn add_socket(&mut self, path: &Path) {
        let is_socket = |path: &Path| path.metadata().is_ok_and(|metadata| metadata.file_type().is_socket());
        if self.sockets.len() < MAX_SOCKETS
            && path.is_absolute()
            && is_socket(path)
            && let Ok(path) = path.canonicalize()
            && !is_in_run(&path)
        {
            self.sockets.insert(path);
        }
    }

    /// Returns the command's environment without variables that lead to services outside.
    pub(super) fn environment(&self, plan: &Plan) -> Vec<(OsString, OsString)> {
        let leads_out = |name: &OsStr, value: &OsStr| {
            SERVICE_VARIABLES.iter().any(|service| name == *service)
                || (name == "DOCKER_HOST" && value.as_bytes().starts_with(b"unix:"))
        };
        let mut environment: Vec<_> =
            plan.environment.iter().filter(|(name, value)| !leads_out(name, value)).cloned().collect();
        for (name, value) in &mut environment {
            if name == "XDG_RUNTIME_DIR" {
                *value = runtime_folder(plan).into_os_string();
            }
        }
        environment
    }
}

/// Returns the room's own runtime folder of the user who runs the command.
pub(super) fn runtime_folder(plan: &Plan) -> PathBuf {
    PathBuf::from(format!("/run/user/{}", user_of_command(plan)))
}

fn user_of_command(plan: &Plan) -> Uid {
    match capabilities::caller_of_sudo(&plan.environment) {
        Some(person) if geteuid().is_root() => person.uid,
        _ => geteuid(),
    }
}

/// Returns whether a path lies where the room has an empty file system of its own anyway.
pub(super) fn is_in_run(path: &Path) -> bool {
    path.starts_with("/run") || path.starts_with("/var/run")
}

fn variable<'a>(plan: &'a Plan, name: &str) -> Option<&'a OsStr> {
    plan.environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_os_str())
}

fn sockets_in_use() -> Vec<PathBuf> {
    let mut text = Vec::new();
    // A list that cannot be read cannot be read outside either, where that is told.
    let _ = unix::read(&mut text);
    unix::parse(&text).map(|socket| socket.path.to_path_buf()).collect()
}

/// Sockets that variables name: `unix:path=/p,guid=…`, `unix:///p`, `/p:pid:1`.
fn named_sockets(plan: &Plan) -> Vec<PathBuf> {
    let names = [
        "SSH_AUTH_SOCK",
        "GPG_AGENT_INFO",
        "DBUS_SESSION_BUS_ADDRESS",
        "DBUS_SYSTEM_BUS_ADDRESS",
        "DOCKER_HOST",
    ];
    let values = names.iter().filter_map(|name| variable(plan, name));
    let paths = values.map(|value| {
        let bytes = value.as_bytes();
        let bytes =
            bytes.strip_prefix(b"unix:path=").or_else(|| bytes.strip_prefix(b"unix://")).unwrap_or(bytes);
        let end = bytes.iter().position(|byte| matches!(byte, b',' | b':' | b';')).unwrap_or(bytes.len());
        PathBuf::from(OsStr::from_bytes(&bytes[..end]))
    });
    paths.collect()
}

/// Feeds the value of a variable to the parser.
#[cfg(test)]
pub(super) fn no_panic(value: &OsStr) {
    let environment = vec![("SSH_AUTH_SOCK".into(), value.to_owned())];
    drop(named_sockets(&Plan { environment, ..Plan::default() }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_found_in_the_variables_that_name_them() {
        let check = |name: &str, value: &str, expected: &str| {
            let plan = Plan { environment: vec![(name.into(), value.into())], ..Plan::default() };
            assert_eq!(named_sockets(&plan), [PathBuf::from(expected)], "{value}");
        };
        check("SSH_AUTH_SOCK", "/tmp/agent.1", "/tmp/agent.1");
        check("DBUS_SESSION_BUS_ADDRESS", "unix:path=/home/u/bus,guid=12", "/home/u/bus");
        check("DOCKER_HOST", "unix:///home/u/docker.sock", "/home/u/docker.sock");
        check("GPG_AGENT_INFO", "/home/u/S.agent:1:1", "/home/u/S.agent");
    }

    #[test]
    fn variables_that_lead_out_are_not_in_the_environment_and_others_are() {
        let pairs = [
            ("SSH_AUTH_SOCK", "/x"),
            ("DOCKER_HOST", "unix:///x"),
            ("PATH", "/bin"),
            ("XDG_RUNTIME_DIR", "/elsewhere"),
        ];
        let plan = Plan {
            environment: pairs.map(|(name, value)| (name.into(), value.into())).to_vec(),
            ..Plan::default()
        };
        let environment = Machine::default().environment(&plan);
        let runtime = runtime_folder(&plan).into_os_string();
        assert_eq!(environment, [("PATH".into(), "/bin".into()), ("XDG_RUNTIME_DIR".into(), runtime)]);
    }
}
