//! Gives the terminal back after a command that took it, as an interactive shell does, and did not return it.

use std::os::fd::BorrowedFd;

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};

/// The terminal that was ours when the room was opened.
#[derive(Debug)]
pub(crate) struct Foreground {
    terminal: BorrowedFd<'static>,
    group: Pid,
}

/// Returns the terminal whose foreground this process group is, if there is one.
pub(crate) fn note_foreground() -> Option<Foreground> {
    let group = getpgrp();
    (0..3).find_map(|fd| {
        // SAFETY: the standard descriptors are open for as long as the process lives; Rust's runtime sees to that.
        let terminal = unsafe { BorrowedFd::borrow_raw(fd) };
        (tcgetpgrp(terminal) == Ok(group)).then_some(Foreground { terminal, group })
    })
}

impl Foreground {
    /// Makes this process group the foreground again.
    pub(crate) fn take_back(&self) {
        if tcgetpgrp(self.terminal) == Ok(self.group) {
            return;
        }
        // A group in the background is stopped for trying, unless it blocks the signal that says so.
        let mut stop = SigSet::empty();
        stop.add(Signal::SIGTTOU);
        let former = stop.thread_swap_mask(SigmaskHow::SIG_BLOCK);
        let _ = tcsetpgrp(self.terminal, self.group);
        if let Ok(former) = former {
            let _ = former.thread_set_mask();
        }
    }
}
