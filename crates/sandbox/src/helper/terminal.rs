//! Gives the terminal back after a command that took it, as an interactive shell does, and did not return it.

use std::os::fd::BorrowedFd;

use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};

/// The terminal that was ours when the room was opened.
#[derive(Debug)]
pub(super) struct Foreground {
    terminal: BorrowedFd<'static>,
    group: Pid,
}

/// Returns the terminal whose foreground this process group is, if there is one.
pub(super) fn note_foreground() -> Option<Foreground> {
    let group = getpgrp();
    (0..3).find_map(|fd| {
        // SAFETY: the standard descriptors are open for as long as the process lives; Rust's runtime sees to that.
        let terminal = unsafe { BorrowedFd::borrow_raw(fd) };
        (tcgetpgrp(terminal) == Ok(group)).then_some(Foreground { terminal, group })
    })
}

impl Foreground {
    /// Makes this process group the foreground again. SIGTTOU, which forbids it to others, is blocked in the helper.
    pub(super) fn take_back(&self) {
        if tcgetpgrp(self.terminal) != Ok(self.group) {
            let _ = tcsetpgrp(self.terminal, self.group);
        }
    }
}
