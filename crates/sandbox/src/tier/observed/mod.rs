//! A command with nothing but its environment between it and the network: where no room is possible.
//!
//! Signals, terminal and exit code are as in a room. Whatever such a run shows is *observed*, never *sealed*.

mod forward;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;

use nix::errno::Errno;
use nix::unistd::Pid;

use crate::exit::{Exit, RoomError};
use crate::helper::terminal::note_foreground;
use crate::plan::{Plan, ROOM_FILES};
use crate::scratch::Scratch;
use crate::signals::{self, Signals};
use crate::stopping::Stopping;
use crate::streams;

pub use self::forward::Forward;

/// Runs the command of a plan without a room.
///
/// Files placed under [`ROOM_FILES`] lie in a temporary folder instead, and values of the environment that name them
/// name that. Ports, masks and other files mean nothing here.
///
/// # Errors
/// [`RoomError::NotPossible`] if the plan wants a fresh room: without a room the user's own folders would be changed.
pub async fn run_observed(plan: &Plan) -> Result<Exit, RoomError> {
    let broken = |error: io::Error| RoomError::Broken { why: error.to_string() };
    if plan.fresh.is_some() {
        return Err(RoomError::NotPossible { why: "copies need namespaces".to_owned() });
    }
    let mut signals = Signals::catch().map_err(broken)?;
    let scratch = place_files(plan).map_err(|error| RoomError::Copies { why: error.to_string() })?;
    let foreground = note_foreground();
    let mut running = OnDrop(spawn(plan, scratch.as_ref().map(Scratch::folder))?);
    if let Some(arrived) = signals.already_come() {
        running.hand_on(arrived.number);
    }
    signals.catch_all().map_err(broken)?;
    let pid = Pid::from_raw(i32::try_from(running.0.id()).map_err(|error| broken(io::Error::other(error)))?);
    let stopping = Arc::new(Stopping::default());
    let heard = Arc::clone(&stopping);
    let mut waiting = tokio::task::spawn_blocking(move || await_end(pid, &heard));
    loop {
        tokio::select! {
            _ = &mut waiting => break,
            arrived = signals.next() => {
                let Ok(arrived) = arrived else { continue };
                if arrived.is_for_command() {
                    running.hand_on(arrived.number);
                }
                stopping.arrived(arrived);
            }
        }
    }
    let status = running.0.wait().map_err(broken)?;
    if let Some(foreground) = foreground {
        foreground.take_back();
    }
    Ok(Exit { code: code_of(status) })
}

/// Waits until the command has ended, and tells when it stops and goes on.
fn await_end(command: Pid, stopping: &Stopping) {
    loop {
        // Only looks for the end: as long as the dead child is not collected its number is nobody else's, and may be
        // signalled.
        let Ok((code, _)) =
            wait_for(command, libc::WEXITED | libc::WSTOPPED | libc::WCONTINUED | libc::WNOWAIT)
        else {
            return;
        };
        if !matches!(code, libc::CLD_STOPPED | libc::CLD_CONTINUED) {
            return;
        }
        match wait_for(command, libc::WSTOPPED | libc::WCONTINUED | libc::WNOHANG) {
            Ok((libc::CLD_STOPPED, signal)) => stopping.stopped(signal),
            Ok((libc::CLD_CONTINUED, _)) => stopping.continued(),
            _ => {}
        }
    }
}

/// Returns the next change of a child: its kind, and by which signal or with which code. (The wrapper fails for
/// real-time signals.)
fn wait_for(child: Pid, flags: i32) -> nix::Result<(i32, i32)> {
    loop {
        // SAFETY: for this structure all zeroes is a value.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: writes to a structure that lives through the call.
        let done = unsafe { libc::waitid(libc::P_PID, child.as_raw().cast_unsigned(), &raw mut info, flags) };
        match Errno::result(done) {
            Err(Errno::EINTR) => {}
            // SAFETY: of a child the kernel fills the part of the structure that this reads.
            done => return done.map(|_| (info.si_code, unsafe { info.si_status() })),
        }
    }
}

/// A child that does not outlive the future that waits for it.
struct OnDrop(Child);

impl OnDrop {
    fn hand_on(&self, number: i32) {
        if let Ok(pid) = i32::try_from(self.0.id()) {
            signals::send(Pid::from_raw(pid), number);
        }
    }
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        // Does nothing to a child that was collected.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn code_of(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(125)
}

#[expect(clippy::disallowed_methods, reason = "the sandbox starts the command")]
fn spawn(plan: &Plan, files: Option<&Path>) -> Result<Child, RoomError> {
    let [program, arguments @ ..] = &plan.command[..] else {
        return Err(RoomError::BadPlan { why: "there is no command".to_owned() });
    };
    let name = program.display().to_string();
    if !plan.directory.is_dir() {
        let why = format!("{}: no such directory", plan.directory.display());
        return Err(RoomError::NotRunnable { program: name, why });
    }
    let environment = plan.environment.iter().map(|(name, value)| (name, redirect(value, files)));
    let mut command = Command::new(program);
    command.args(arguments).current_dir(&plan.directory).env_clear().envs(environment);
    let blocked = signals::blocked();
    // SAFETY: between fork and exec only sigaction, sigaddset, sigprocmask and close are called, all async-signal-safe.
    unsafe {
        command.pre_exec(move || {
            signals::restore(&blocked);
            streams::close_again(&streams::ALL);
            Ok(())
        });
    }
    command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => RoomError::NotFound { program: name },
        _ => RoomError::NotRunnable { program: name, why: error.to_string() },
    })
}

/// Writes the files that a room would have under [`ROOM_FILES`]; none if there are none.
fn place_files(plan: &Plan) -> io::Result<Option<Scratch>> {
    let own: Vec<_> =
        plan.files.iter().filter_map(|file| Some((file.path.strip_prefix(ROOM_FILES).ok()?, file))).collect();
    if own.is_empty() {
        return Ok(None);
    }
    let parent = plan.environment.iter().find(|(name, _)| name == "TMPDIR");
    let scratch = Scratch::begin(&parent.map_or(PathBuf::from("/tmp"), |(_, value)| PathBuf::from(value)))?;
    for (relative, file) in own {
        let path = scratch.folder().join(relative);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, &file.bytes)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(file.mode))?;
    }
    Ok(Some(scratch))
}

/// Replaces the folder of the room by the one where its files are.
fn redirect(value: &OsStr, files: Option<&Path>) -> OsString {
    let Some(files) = files else { return value.to_owned() };
    let (from, mut rest) = (ROOM_FILES.as_bytes(), value.as_bytes());
    let mut redirected = Vec::with_capacity(rest.len());
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        redirected.extend(&rest[..at]);
        redirected.extend(files.as_os_str().as_bytes());
        rest = &rest[at + from.len()..];
    }
    redirected.extend(rest);
    OsString::from_vec(redirected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_name_files_of_the_room_name_where_they_are() {
        let check = |value: &str, expected: &str| {
            assert_eq!(redirect(value.as_ref(), Some(Path::new("/tmp/x"))), expected);
        };
        check("/run/outlast/ca.pem", "/tmp/x/ca.pem");
        check(":/run/outlast/php:/run/outlast/b", ":/tmp/x/php:/tmp/x/b");
        check("/run/other", "/run/other");
        check("", "");
        assert_eq!(redirect("/run/outlast/a".as_ref(), None), "/run/outlast/a");
    }
}
