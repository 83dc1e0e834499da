//! Starts the helper process.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::SigSet;

use crate::helper::{ARGUMENT, CONTROL};
use crate::plan::Stdout;
use crate::{signals, streams};

/// Starts `program` as the helper, with the socket where it looks for it and every signal blocked: a Ctrl-C that comes
/// while the room is built must not end the one process that cleans up. Standard input and error are the caller's.
#[expect(clippy::disallowed_methods, reason = "the sandbox starts its own helper")]
pub(super) fn helper(program: &Path, control: UnixStream, stdout: Stdout) -> io::Result<Child> {
    let mut command = Command::new(program);
    command.arg(ARGUMENT).env_clear();
    let mut given: &[i32] = &streams::ALL;
    if stdout == Stdout::ToStderr {
        command.stdout(io::stderr().as_fd().try_clone_to_owned()?);
        given = &[libc::STDIN_FILENO, libc::STDERR_FILENO];
    }
    // SAFETY: between fork and exec only fcntl, dup2, close, sigaction and sigprocmask are called, all async-signal-safe, and nothing
    // allocates.
    unsafe {
        command.pre_exec(move || {
            SigSet::all().thread_set_mask()?;
            signals::keep_ignored();
            // So that the helper, too, sees which ones the caller has closed.
            streams::close_again(given);
            if control.as_raw_fd() == CONTROL {
                fcntl(&control, FcntlArg::F_SETFD(FdFlag::empty()))?;
            } else if libc::dup2(control.as_raw_fd(), CONTROL) < 0 {
                return Err(io::Error::last_os_error());
            }
            fcntl(BorrowedFd::borrow_raw(CONTROL), FcntlArg::F_SETFD(FdFlag::empty()))?;
            Ok(())
        });
    }
    command.spawn()
}
