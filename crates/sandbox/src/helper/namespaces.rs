//! Enters the namespaces of a room, and says who is who in them.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::unistd::{Pid, getegid, geteuid};

use super::failure::Failure;

/// How the room is kept apart from the caller's rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// By a user namespace: nobody in it has rights outside.
    UserNamespace,
    /// By taking capabilities away from real root.
    DroppedRights,
}

/// Which of the two processes one is after [`enter`].
#[derive(Debug)]
pub(super) enum Side {
    /// Outside; the process inside is its child.
    Warden(Pid),
    /// The first process inside.
    Init(Kind),
}

const ROOM: CloneFlags = CloneFlags::CLONE_NEWNET
    .union(CloneFlags::CLONE_NEWNS)
    .union(CloneFlags::CLONE_NEWPID)
    .union(CloneFlags::CLONE_NEWIPC);

/// Starts the first process of a room.
///
/// Real root that may have no user namespace, as in many CI containers, gets a room without one.
pub(super) fn enter() -> Result<Side, Failure> {
    let (ours, theirs) = UnixStream::pair().map_err(super::failure::refused("making a socket pair"))?;
    let (child, kind) = match fork_into(ROOM.union(CloneFlags::CLONE_NEWUSER)) {
        Ok(child) => (child, Kind::UserNamespace),
        Err(error) if geteuid().is_root() => match fork_into(ROOM) {
            Ok(child) => (child, Kind::DroppedRights),
            Err(second) => {
                return Err(Failure::NotPossible(format!(
                    "user namespaces: {}; namespaces as root: {}",
                    error.desc(),
                    second.desc()
                )));
            }
        },
        Err(error) => return Err(Failure::NotPossible(format!("user namespaces: {}", error.desc()))),
    };
    let Some(child) = child else {
        drop(ours);
        await_go(theirs);
        return Ok(Side::Init(kind));
    };
    drop(theirs);
    if kind == Kind::UserNamespace {
        map_identity(&child.to_string()).map_err(super::failure::refused("mapping the user's id"))?;
    }
    // If this fails the child is dead, and waiting for it says so.
    let _ = { ours }.write_all(b"g");
    Ok(Side::Warden(child))
}

/// Maps every id of this namespace, or where that is not allowed the caller's own, to itself in the namespace of the
/// process with this name under `/proc`.
pub(super) fn map_identity(process: &str) -> io::Result<()> {
    let write = |file: &str, text: &str| fs::write(format!("/proc/{process}/{file}"), text);
    let all = |file: &str| -> io::Result<String> {
        let own = fs::read_to_string(format!("/proc/self/{file}"))?;
        let lines = own.lines().filter_map(|line| {
            let mut fields = line.split_whitespace();
            let (inside, _, count) = (fields.next()?, fields.next()?, fields.next()?);
            Some(format!("{inside} {inside} {count}\n"))
        });
        Ok(lines.collect())
    };
    if geteuid().is_root() && write("uid_map", &all("uid_map")?).is_ok() {
        return write("gid_map", &all("gid_map")?);
    }
    let (uid, gid) = (geteuid(), getegid());
    write("uid_map", &format!("{uid} {uid} 1\n"))?;
    match write("setgroups", "deny") {
        // A kernel or a parent namespace in which it is denied already says no; the next step tells whether it matters.
        Ok(()) | Err(_) => write("gid_map", &format!("{gid} {gid} 1\n")),
    }
}

/// Forks into new namespaces; none is the child.
fn fork_into(flags: CloneFlags) -> Result<Option<Pid>, Errno> {
    let flags = libc::c_long::from(flags.bits()) | libc::c_long::from(libc::SIGCHLD);
    // SAFETY: without CLONE_VM and with no stack this is fork(2), and the process has a single thread, so that no lock
    // of the allocator or of the runtime is held by a thread that the child would not have.
    let result = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    match Errno::result(result)? {
        0 => Ok(None),
        child => Ok(Some(Pid::from_raw(i32::try_from(child).map_err(|_| Errno::EOVERFLOW)?))),
    }
}

/// Waits, in the child, until the warden has mapped the ids; ties this process to the life of the warden.
fn await_go(mut line: UnixStream) {
    let _ = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL);
    // The warden's end closes when it dies, also when that was before the line above.
    if line.read_exact(&mut [0]).is_err() {
        super::init::leave(1);
    }
}
