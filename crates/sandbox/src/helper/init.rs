//! The first process inside: builds the room, then talks to Outlast, collects dead children and ends with the command.
//!
//! When it ends the kernel kills every process of the room. Signals of the terminal do not concern it: they are blocked.

use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

use super::command::{self, Started, Waiting};
use super::copies::Copies;
use super::failure::{Failure, refused};
use super::machine::Machine;
use super::namespaces::Kind;
use super::{mounts, network, sockets};
use crate::plan::Plan;
use crate::wire::{Built, FromRoom, Raw, Socket, ToRoom, receive, send};

/// What the process inside has to work with.
#[derive(Debug)]
pub(super) struct Inside<'a> {
    pub(super) control: RawFd,
    pub(super) plan: &'a Plan,
    pub(super) blocked: &'a [i32],
    pub(super) copies: Option<&'a Copies>,
    pub(super) machine: Machine,
    pub(super) kind: Kind,
}

/// Ends this process without running anything that was registered for the end of the one it was forked from.
pub(super) fn leave(code: i32) -> ! {
    // SAFETY: _exit may be called at any time; it runs no code of ours.
    unsafe { libc::_exit(code) }
}

impl Inside<'_> {
    /// The life of the process; it never returns to the warden's code, of which it is a fork.
    pub(super) fn live(&self) -> ! {
        // SAFETY: the warden's descriptor, which this fork has too and which nothing closes.
        let control = unsafe { BorrowedFd::borrow_raw(self.control) };
        match self.build() {
            Err(failure) => drop(send(control, &failure.into_message(), &[])),
            Ok((sockets, built, mut command)) => {
                let descriptors: Vec<RawFd> = sockets.iter().map(|(_, fd)| fd.as_raw_fd()).collect();
                if send(control, &FromRoom::Built(built), &descriptors).is_ok() {
                    drop(sockets);
                    let _ = attend(control, &mut command);
                }
            }
        }
        leave(0)
    }

    #[expect(clippy::type_complexity, reason = "the three parts of a room, taken apart at once")]
    fn build(&self) -> Result<(Vec<(Socket, OwnedFd)>, Built, Waiting), Failure> {
        let families = network::raise()?;
        let mut sockets = sockets::open(self.plan, families)?;
        let masked = mounts::build(self.plan, &self.machine, self.copies, self.kind)?;
        sockets.extend(mounts::view()?);
        let environment: Vec<(OsString, OsString)> = self.machine.environment(self.plan);
        let command = command::prepare(self.plan, &environment, self.blocked, self.kind)?;
        let built = Built {
            sockets: sockets.iter().map(|(socket, _)| *socket).collect(),
            masked: masked.iter().map(Raw::of).collect(),
            project: self.copies.map(|copies| Raw::of(copies.project())),
        };
        Ok((sockets, built, command))
    }
}

/// Does what Outlast says until the command has ended or Outlast is gone; either ends the room.
fn attend(control: BorrowedFd<'_>, command: &mut Waiting) -> Result<(), Failure> {
    let mut children = SigSet::empty();
    children.add(Signal::SIGCHLD);
    let deaths = SignalFd::with_flags(&children, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .map_err(refused("waiting for children"))?;
    loop {
        let mut ready =
            [PollFd::new(control, PollFlags::POLLIN), PollFd::new(deaths.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ready, PollTimeout::NONE) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(error) => return Err(refused("waiting")(error)),
        }
        let [has_order, has_death] = ready.map(|fd| fd.any().unwrap_or(false));
        if has_order {
            let Ok((order, _)) = receive::<ToRoom>(control) else { return Ok(()) };
            match order {
                ToRoom::Build(_) => {}
                ToRoom::Signal(number) => command.signal(number),
                ToRoom::Go => {
                    let answer = match command.go() {
                        Started::Yes => FromRoom::Started,
                        Started::NotFound => FromRoom::NotFound,
                        Started::NotRunnable(why) => FromRoom::NotRunnable { why },
                    };
                    send(control, &answer, &[]).map_err(refused("answering"))?;
                    if !matches!(answer, FromRoom::Started) {
                        return Ok(());
                    }
                }
            }
        }
        if has_death {
            while let Ok(Some(_)) = deaths.read_signal() {}
            while let Some(news) = collect(command.pid) {
                send(control, &news, &[]).map_err(refused("answering"))?;
                if let FromRoom::Ended { .. } = news {
                    return Ok(());
                }
            }
        }
    }
}

/// Collects the dead; returns what there is to say of the command, if anything.
fn collect(command: Pid) -> Option<FromRoom> {
    loop {
        let mut status = 0;
        let flags = libc::WNOHANG | libc::WUNTRACED | libc::WCONTINUED;
        // SAFETY: writes to a number that lives through the call. (The wrapper fails for real-time signals.)
        let pid = unsafe { libc::waitpid(-1, &raw mut status, flags) };
        match Errno::result(pid) {
            Ok(0) => return None,
            Ok(pid) if pid == command.as_raw() => return Some(news_of(status)),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return None,
        }
    }
}

fn news_of(status: i32) -> FromRoom {
    if libc::WIFSTOPPED(status) {
        FromRoom::Stopped { signal: libc::WSTOPSIG(status) }
    } else if libc::WIFCONTINUED(status) {
        FromRoom::Continued
    } else if libc::WIFSIGNALED(status) {
        FromRoom::Ended { code: 128 + libc::WTERMSIG(status) }
    } else {
        FromRoom::Ended { code: libc::WEXITSTATUS(status) }
    }
}
