//! Signals that reach Outlast while a command runs: those meant for it alone are handed on.
//!
//! A signal of the terminal goes to the whole foreground process group, the command included, and only must not end
//! Outlast. One that somebody sent to Outlast by kill(2) reached no one else. The kernel says which is which; one sent to
//! the whole group by kill(2) looks like the latter, and reaches the command twice.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::OFlag;
use nix::sys::signal::SigSet;
use nix::unistd::{Pid, getpid, getsid, pipe2};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

/// What ends a program, or nudges it: caught from the beginning, so that what is half built is taken down.
const EARLY: [i32; 6] =
    [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGUSR1, libc::SIGUSR2];

/// What is not handed on: what no program can catch, what tells of a fault in this one, and of its own children.
const OWN: [i32; 10] = [
    libc::SIGKILL,
    libc::SIGSTOP,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGSYS,
    libc::SIGCHLD,
];

/// The kernel's greatest signal number, but for MIPS.
const LAST: i32 = 64;

/// The pipe into which the handler writes, and its reading end. It is never closed: a handler that runs in another thread
/// may be about to write while the last command ends.
static PIPE: OnceLock<(OwnedFd, OwnedFd)> = OnceLock::new();
static IS_CATCHING: AtomicBool = AtomicBool::new(false);

/// One signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrived {
    /// Its number.
    pub(crate) number: i32,
    sender: Sender,
}

/// Who sent a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sender {
    /// The kernel.
    Kernel,
    /// The kernel, for something that this process did: it wrote where nobody reads, or more than it may.
    Itself,
    /// A process, to this process.
    Process,
}

impl Arrived {
    fn of([number, sender]: [u8; 2]) -> Self {
        let sender = match sender {
            0 => Sender::Kernel,
            1 => Sender::Itself,
            _ => Sender::Process,
        };
        Self { number: i32::from(number), sender }
    }

    /// Returns whether the command has not got it, and would have in this process's place.
    pub(crate) fn is_for_command(self) -> bool {
        match (self.sender, self.number) {
            (Sender::Process, _) => true,
            // A timer outlives exec(2), as that of `perl -e 'alarm 60; exec @ARGV'`, and a terminal that is hung up tells
            // the leader of its session alone. Anything else goes to the whole group, or is about this process.
            (Sender::Kernel, libc::SIGALRM | libc::SIGVTALRM | libc::SIGPROF) => true,
            (Sender::Kernel, libc::SIGHUP | libc::SIGCONT) => getsid(None) == Ok(getpid()),
            _ => false,
        }
    }

    /// Returns whether it stops a program that does not catch it.
    pub(crate) fn is_stop(self) -> bool {
        self.sender != Sender::Itself && matches!(self.number, libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU)
    }
}

/// Catches signals for as long as it lives. There is one at a time.
#[derive(Debug)]
pub(crate) struct Signals {
    read: Option<OwnedFd>,
    receiver: Option<Receiver>,
    former: Vec<(i32, libc::sigaction)>,
}

impl Signals {
    /// Begins to catch what ends a program. Signals that are ignored, as under nohup, stay ignored.
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
        for number in EARLY {
            signals.add(number)?;
        }
        Ok(signals)
    }

    /// Catches all that can be handed on, now that there is a command: until then they do what they do to any program.
    pub(crate) fn catch_all(&mut self) -> io::Result<()> {
        // Two are the C library's own.
        let numbers = (1..=libc::SIGSYS).chain(libc::SIGRTMIN()..=LAST);
        for number in numbers.filter(|number| !EARLY.contains(number) && !OWN.contains(number)) {
            self.add(number)?;
        }
        Ok(())
    }

    fn add(&mut self, number: i32) -> io::Result<()> {
        let handler: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) = note;
        let former =
            set(number, &action(handler as libc::sighandler_t, libc::SA_SIGINFO | libc::SA_RESTART))?;
        // Rust's runtime ignores this one, whatever the caller does.
        let is_ignored =
            if number == libc::SIGPIPE { pipe_was_ignored() } else { former.sa_sigaction == libc::SIG_IGN };
        if is_ignored {
            set(number, &former)?;
        } else {
            self.former.push((number, former));
        }
        Ok(())
    }

    /// Returns a signal that has come already; for use before there is a runtime to wait with.
    pub(crate) fn already_come(&self) -> Option<Arrived> {
        let mut bytes = [0; 2];
        let read = self.read.as_ref()?;
        match nix::unistd::read(read.as_fd(), &mut bytes) {
            Ok(2) => Some(Arrived::of(bytes)),
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
                Ok(Arrived::of(bytes))
            }
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for (number, former) in &self.former {
            let _ = set(*number, former);
        }
        IS_CATCHING.store(false, Ordering::Release);
    }
}

fn action(handler: libc::sighandler_t, flags: i32) -> libc::sigaction {
    // SAFETY: for this structure all zeroes is a value: no flags and an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    (action.sa_sigaction, action.sa_flags) = (handler, flags);
    action
}

/// Sets what a signal does, and returns what it did. Whoever makes an action answers for its handler.
fn set(number: i32, new: &libc::sigaction) -> io::Result<libc::sigaction> {
    let mut former = action(libc::SIG_DFL, 0);
    // SAFETY: both structures live through the call. Actions are made in this file alone: their handler is `note`, which
    // only calls what a handler may call, or none of ours.
    let done = unsafe { libc::sigaction(number, new, &raw mut former) };
    nix::errno::Errno::result(done)?;
    Ok(former)
}

/// Sends a signal by its number, real-time ones included.
pub(crate) fn send(process: Pid, number: i32) {
    // SAFETY: no memory is involved.
    unsafe { libc::kill(process.as_raw(), number) };
}

/// Stops this process by a signal, as if it did not catch it; returns when it is continued.
pub(crate) fn stop(number: i32) {
    let former = set(number, &action(libc::SIG_DFL, 0));
    // SAFETY: no memory is involved. Sent to this thread, it takes effect before the call returns.
    unsafe { libc::raise(number) };
    // SIGSTOP has no other action.
    if let Ok(former) = former {
        let _ = set(number, &former);
    }
}

/// Returns the signals that this thread blocks, real-time ones included.
pub(crate) fn blocked() -> Vec<i32> {
    let mask = SigSet::thread_get_mask().unwrap_or_else(|_| SigSet::empty());
    // SAFETY: the set is one, and a number that is none is an error and not in it.
    (1..=LAST).filter(|number| unsafe { libc::sigismember(mask.as_ref(), *number) } == 1).collect()
}

/// Gives a program that is about to be executed the signals as Outlast was given them: these blocked, and the one that
/// Rust's runtime ignores as it was.
pub(crate) fn restore(blocked: &[i32]) {
    let pipe = if pipe_was_ignored() { libc::SIG_IGN } else { libc::SIG_DFL };
    let _ = set(libc::SIGPIPE, &action(pipe, 0));
    let mut mask = *SigSet::empty().as_ref();
    for number in blocked {
        // SAFETY: the set is one; a number that is none changes nothing.
        unsafe { libc::sigaddset(&raw mut mask, *number) };
    }
    // SAFETY: the set is one.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const mask, std::ptr::null_mut()) };
}

/// The handler.
extern "C" fn note(number: i32, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the kernel hands a valid structure to a handler installed with SA_SIGINFO.
    let (code, sender) = unsafe { ((*info).si_code, (*info).si_pid()) };
    // SAFETY: may be called in a handler.
    let own = unsafe { libc::getpid() };
    let sender = match code {
        libc::SI_KERNEL => 0,
        libc::SI_USER if sender == own => 1,
        _ => 2,
    };
    let bytes = [u8::try_from(number).unwrap_or(0), sender];
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

/// Ignores SIGPIPE again, between fork and exec, where it was ignored: the standard library makes it do what it does by
/// default.
pub(crate) fn keep_ignored() {
    if pipe_was_ignored() {
        let _ = set(libc::SIGPIPE, &action(libc::SIG_IGN, 0));
    }
}

/// Returns whether SIGPIPE was ignored when this process began.
fn pipe_was_ignored() -> bool {
    PIPE_WAS_IGNORED.load(Ordering::Relaxed)
}

static PIPE_WAS_IGNORED: AtomicBool = AtomicBool::new(false);

// SAFETY: the loader calls what this section points to once, before the runtime begins; `look` needs nothing of it.
#[unsafe(link_section = ".init_array")]
#[used]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    let mut now = action(libc::SIG_DFL, 0);
    // SAFETY: changes nothing, and writes to a structure that lives through the call.
    unsafe { libc::sigaction(libc::SIGPIPE, std::ptr::null(), &raw mut now) };
    PIPE_WAS_IGNORED.store(now.sa_sigaction == libc::SIG_IGN, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_outlast_does_itself_is_not_for_the_command() {
        let mut signals = Signals::catch().unwrap();
        signals.catch_all().unwrap();
        let (read, write) = pipe2(OFlag::O_CLOEXEC).unwrap();
        drop(read);
        assert_eq!(nix::unistd::write(&write, b"x"), Err(nix::Error::EPIPE));
        let arrived = signals.already_come().unwrap();
        assert_eq!((arrived.number, arrived.is_for_command()), (libc::SIGPIPE, false));
        // The control: another process.
        #[expect(clippy::disallowed_methods, reason = "a test that sends itself a signal")]
        let mut kill = std::process::Command::new("kill");
        assert!(kill.args(["-PIPE", &std::process::id().to_string()]).status().unwrap().success());
        // Another thread may be the one that gets it.
        let arrived = (0..500).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            signals.already_come()
        });
        let arrived = arrived.expect("it comes");
        assert_eq!((arrived.number, arrived.is_for_command()), (libc::SIGPIPE, true));
    }
}
