//! The command's process: leaves init's rights behind, waits for the word, and becomes the program.
//!
//! It enters a second user and mount namespace. Seen from there every mount of the room is locked, and the room's
//! network belongs to somebody else: not even root of the room can lift a mask or change a route.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{AccessFlags, ForkResult, Pid, access, chdir, execve, fork};
use serde::{Deserialize, Serialize};

use super::failure::{Failure, refused};
use super::init::leave;
use super::namespaces::{Kind, map_identity};
use super::{capabilities, seal};
use crate::plan::Plan;
use crate::wire::{receive, send};
use crate::{signals, streams};

/// What a search looks through when there is no `PATH`.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A command whose process exists and whose program is not yet executed.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) pid: Pid,
    line: UnixStream,
}

/// Whether the program was executed.
#[derive(Debug)]
pub(super) enum Started {
    Yes,
    NotFound,
    NotRunnable(String),
}

/// From the command's process to init; when the program is executed the line closes.
#[derive(Debug, Serialize, Deserialize)]
enum Word {
    /// It has its own namespaces and this name under `/proc`; its ids must be mapped.
    Entered(String),
    Ready,
    Refused(String),
    NotFound,
    NotRunnable(String),
}

/// Starts the process and seals it.
pub(super) fn prepare(
    plan: &Plan,
    environment: &[(OsString, OsString)],
    blocked: &[i32],
    kind: Kind,
) -> Result<Waiting, Failure> {
    let (ours, theirs) = UnixStream::pair().map_err(refused("making a socket pair"))?;
    // SAFETY: this process has a single thread, so the child may do what it likes with memory and locks.
    match unsafe { fork() }.map_err(refused("starting a process"))? {
        ForkResult::Child => {
            drop(ours);
            let word = Process { plan, environment, blocked, kind, line: &theirs }.live();
            let _ = send(theirs.as_fd(), &word, &[]);
            leave(127);
        }
        ForkResult::Parent { child } => {
            drop(theirs);
            let next = || {
                receive::<Word>(ours.as_fd()).map(|(word, _)| word).map_err(refused("sealing the command"))
            };
            let mut word = next()?;
            if let Word::Entered(name) = &word {
                map_identity(name).map_err(refused("mapping the command's id"))?;
                send(ours.as_fd(), &(), &[]).map_err(refused("sealing the command"))?;
                word = next()?;
            }
            match word {
                Word::Ready => Ok(Waiting { pid: child, line: ours }),
                Word::Refused(why) => Err(Failure::NotPossible(why)),
                other => Err(Failure::NotPossible(format!("sealing the command: {other:?}"))),
            }
        }
    }
}

impl Waiting {
    /// Lets the process become its program.
    pub(super) fn go(&mut self) -> Started {
        if send(self.line.as_fd(), &(), &[]).is_err() {
            return Started::Yes; // it has died already, and its death tells how
        }
        match receive::<Word>(self.line.as_fd()) {
            Ok((Word::NotFound, _)) => Started::NotFound,
            Ok((Word::NotRunnable(why), _)) => Started::NotRunnable(why),
            Ok((word, _)) => Started::NotRunnable(format!("{word:?}")),
            Err(_) => Started::Yes,
        }
    }

    /// Hands the command a signal; one that comes before the program is executed waits until it is.
    pub(super) fn signal(&self, number: i32) {
        signals::send(self.pid, number);
    }
}

struct Process<'a> {
    plan: &'a Plan,
    environment: &'a [(OsString, OsString)],
    blocked: &'a [i32],
    kind: Kind,
    line: &'a UnixStream,
}

impl Process<'_> {
    /// Returns only what went wrong.
    fn live(&self) -> Word {
        if let Err(Failure::NotPossible(why) | Failure::Copies(why) | Failure::BadPlan(why)) = self.seal() {
            return Word::Refused(why);
        }
        if send(self.line.as_fd(), &Word::Ready, &[]).is_err() || receive::<()>(self.line.as_fd()).is_err() {
            leave(1);
        }
        self.run()
    }

    fn seal(&self) -> Result<(), Failure> {
        // Under this name init finds the process, also where `/proc` is the one of the machine.
        let name = std::fs::read_link("/proc/self").map_err(refused("reading /proc/self"))?;
        match self.kind {
            Kind::UserNamespace => {
                unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)
                    .map_err(refused("a user namespace for the command"))?;
                let word = Word::Entered(crate::wire::shown(&name));
                send(self.line.as_fd(), &word, &[]).map_err(refused("sealing the command"))?;
                receive::<()>(self.line.as_fd()).map_err(refused("sealing the command"))?;
                seal::restrict_sockets().map_err(refused("restricting sockets"))
            }
            Kind::DroppedRights => {
                seal::restrict_sockets().map_err(refused("restricting sockets"))?;
                capabilities::drop_for_good().map_err(refused("dropping capabilities"))?;
                match capabilities::caller_of_sudo(self.environment) {
                    Some(person) => {
                        capabilities::become_person(&person).map_err(refused("becoming the caller of sudo"))
                    }
                    None => Ok(()),
                }
            }
        }
    }

    /// Becomes the program; returns only why it could not.
    fn run(&self) -> Word {
        if let Err(error) = chdir(&self.plan.directory) {
            return Word::NotRunnable(format!("{}: {}", self.plan.directory.display(), error.desc()));
        }
        if let Err(error) = seal::close_descriptors_on_exec() {
            return Word::NotRunnable(error.to_string());
        }
        signals::restore(self.blocked);
        streams::close_again(&streams::ALL);
        let Some(program) = self.plan.command.first() else { return Word::NotFound };
        let arguments: Vec<CString> =
            self.plan.command.iter().filter_map(|argument| c_string(argument)).collect();
        let environment: Vec<CString> = self
            .environment
            .iter()
            .filter_map(|(name, value)| {
                let mut variable = name.clone();
                variable.push("=");
                variable.push(value);
                c_string(&variable)
            })
            .collect();
        execute(program, &arguments, &environment, self.path())
    }

    fn path(&self) -> &OsStr {
        let path = self.environment.iter().find(|(name, _)| name == "PATH");
        path.map_or(OsStr::new(USUAL_PATH), |(_, value)| value)
    }
}

/// An argument with a zero byte cannot exist; the command line could not have had it.
fn c_string(text: &OsStr) -> Option<CString> {
    CString::new(text.as_bytes()).ok()
}

/// Searches and executes a program as a shell does.
fn execute(program: &OsStr, arguments: &[CString], environment: &[CString], path: &OsStr) -> Word {
    if program.is_empty() {
        // Joined to a folder of the path it would be that folder.
        return Word::NotFound;
    }
    if program.as_bytes().contains(&b'/') {
        return execute_at(Path::new(program), arguments, environment);
    }
    let mut word = Word::NotFound;
    for folder in path.as_bytes().split(|byte| *byte == b':') {
        let folder = if folder.is_empty() { Path::new(".") } else { Path::new(OsStr::from_bytes(folder)) };
        match execute_at(&folder.join(program), arguments, environment) {
            Word::NotFound => {}
            other => word = other,
        }
    }
    word
}

fn execute_at(program: &Path, arguments: &[CString], environment: &[CString]) -> Word {
    let Some(name) = c_string(program.as_os_str()) else { return Word::NotFound };
    let Err(error) = execve(&name, arguments, environment);
    match error {
        Errno::ENOEXEC => {
            // A script without a first line that names its interpreter.
            let shell = c"/bin/sh".to_owned();
            let mut line = vec![shell.clone(), name];
            line.extend(arguments.iter().skip(1).cloned());
            let Err(error) = execve(&shell, &line, environment);
            Word::NotRunnable(error.desc().to_owned())
        }
        Errno::ENOENT if access(program, AccessFlags::F_OK).is_ok() => {
            Word::NotRunnable("the interpreter it names does not exist".to_owned())
        }
        Errno::ENOENT | Errno::ENOTDIR => Word::NotFound,
        // A folder of the search path that may not be entered is passed over, as a shell does.
        Errno::EACCES if access(program, AccessFlags::F_OK).is_err() => Word::NotFound,
        error => Word::NotRunnable(error.desc().to_owned()),
    }
}
