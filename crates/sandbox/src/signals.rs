//! Signals that reach Outlast while a command runs: those meant for it alone are handed on.
//!
//! A signal of the terminal goes to the whole foreground process group, the command included, and only must not end
//! Outlast. One that somebody sent to Outlast by kill(2) reached no one else. The kernel says which is which.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::OFlag;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::pipe2;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

/// What a person or a supervisor sends to end or to nudge a program.
const CAUGHT: [Signal; 6] =
    [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGUSR1, Signal::SIGUSR2];

/// The pipe into which the handler writes, and its reading end. It is never closed: a handler that runs in another thread
/// may be about to write while the last command ends.
static PIPE: OnceLock<(OwnedFd, OwnedFd)> = OnceLock::new();
static IS_CATCHING: AtomicBool = AtomicBool::new(false);

/// One signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrived {
    /// Its number.
    pub(crate) number: i32,
    /// Who sent it.
    pub(crate) sender: Sender,
}

/// Who sent a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// The kernel: the whole process group has it.
    Terminal,
    /// A process, to this process.
    Process,
}

/// Catches signals for as long as it lives. There is one at a time.
#[derive(Debug)]
pub(crate) struct Signals {
    read: Option<OwnedFd>,
    receiver: Option<Receiver>,
    former: Vec<(Signal, SigAction)>,
}

impl Signals {
    /// Begins to catch. Signals that are ignored, as under nohup, stay ignored.
    pub(crate) fn catch() -> io::Result<Self> {
        if IS_CATCHING.swap(true, Ordering::AcqRel) {
            return Err(io::Error::other("another command is running"));
        }
        // From here on dropping it ends the catching.
        let mut signals = Self { read: None, receiver: None, former: Vec::new() };
        if PIPE.get().is_none() {
            let (read, write) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
            let _ = PIPE.set((write, read));
        }
        let read = PIPE.get().map(|(_, read)| read.try_clone()).transpose()?;
        signals.read = read;
        while signals.already_come().is_some() {}
        let action = SigAction::new(SigHandler::SigAction(note), SaFlags::SA_RESTART, SigSet::empty());
        let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
        for signal in CAUGHT {
            // SAFETY: the handler only calls write(2), which may be called in a handler, on a descriptor that is never
            // closed.
            let former = unsafe { sigaction(signal, &action) }?;
            if matches!(former.handler(), SigHandler::SigIgn) {
                // SAFETY: installs no handler.
                unsafe { sigaction(signal, &ignore) }?;
            } else {
                signals.former.push((signal, former));
            }
        }
        Ok(signals)
    }

    /// Returns a signal that has come already; for use before there is a runtime to wait with.
    pub(crate) fn already_come(&self) -> Option<Arrived> {
        let mut bytes = [0; 2];
        let read = self.read.as_ref()?;
        match nix::unistd::read(read.as_fd(), &mut bytes) {
            Ok(2) => Some(arrived(bytes)),
            _ => None,
        }
    }

    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) -> io::Result<Arrived> {
        if let Some(read) = self.read.take() {
            self.receiver = Some(Receiver::from_owned_fd(read)?);
        }
        match &mut self.receiver {
            None => std::future::pending().await,
            Some(receiver) => {
                // The handler writes both bytes at once, and this future may be dropped only before they are there.
                let mut bytes = [0; 2];
                receiver.read_exact(&mut bytes).await?;
                Ok(arrived(bytes))
            }
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for (signal, former) in &self.former {
            // SAFETY: puts back what was there before.
            let _ = unsafe { sigaction(*signal, former) };
        }
        IS_CATCHING.store(false, Ordering::Release);
    }
}

fn arrived([number, sender]: [u8; 2]) -> Arrived {
    let sender = if sender == 0 { Sender::Terminal } else { Sender::Process };
    Arrived { number: i32::from(number), sender }
}

/// The handler.
extern "C" fn note(number: i32, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the kernel hands a valid structure to a handler installed with SA_SIGINFO, as `SigHandler::SigAction` is.
    let from_kernel = unsafe { (*info).si_code } == libc::SI_KERNEL;
    let bytes = [u8::try_from(number).unwrap_or(0), u8::from(!from_kernel)];
    let Some((write, _)) = PIPE.get() else { return };
    // SAFETY: errno is thread-local and always there; the interrupted code must find it unchanged.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let saved = unsafe { *errno };
    // SAFETY: reads two bytes of a local array. A full pipe, after 32,000 signals, drops one.
    unsafe { libc::write(write.as_raw_fd(), bytes.as_ptr().cast(), 2) };
    // SAFETY: as above.
    unsafe { *errno = saved };
}
