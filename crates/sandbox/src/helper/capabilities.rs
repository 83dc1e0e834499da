//! Takes from real root the rights with which it could undo the room, where no user namespace does.

use std::ffi::{CString, OsString};
use std::io;

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, initgroups, setgroups, setresgid, setresuid};

/// Rights over mounts, routes, devices and other processes, by their numbers in capabilities(7): DAC_READ_SEARCH
/// (opens files by handle, under any mask), NET_BROADCAST, NET_ADMIN, NET_RAW, SYS_MODULE, SYS_RAWIO, SYS_PTRACE,
/// SYS_PACCT, SYS_ADMIN, SYS_BOOT, SYS_TIME, MKNOD, AUDIT_CONTROL, MAC_OVERRIDE, MAC_ADMIN, SYSLOG, PERFMON, BPF,
/// CHECKPOINT_RESTORE.
const TAKEN: [u8; 19] = [2, 11, 12, 13, 16, 17, 19, 20, 21, 22, 25, 27, 30, 32, 33, 34, 38, 39, 40];
/// `_LINUX_CAPABILITY_VERSION_3`.
const VERSION: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Drops the rights for good: no program that is executed later can have them.
pub(super) fn drop_for_good() -> io::Result<()> {
    for capability in TAKEN {
        // SAFETY: prctl with these arguments reads and writes no memory of ours.
        let result = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability), 0, 0, 0) };
        // A kernel that does not know the capability has not given it either.
        if result != 0 && Errno::last() != Errno::EINVAL {
            return Err(Errno::last().into());
        }
    }
    let header = Header { version: VERSION, pid: 0 };
    let mut data = [Data::default(); 2];
    // SAFETY: version 3 reads one header and writes two data structures, which is what the pointers lead to.
    Errno::result(unsafe { libc::syscall(libc::SYS_capget, &raw const header, data.as_mut_ptr()) })?;
    let keep = TAKEN.iter().fold(u64::MAX, |keep, capability| keep & !(1 << capability));
    for (half, data) in data.iter_mut().enumerate() {
        let keep = u32::try_from((keep >> (32 * half)) & u64::from(u32::MAX)).unwrap_or(0);
        data.effective &= keep;
        data.permitted &= keep;
        data.inheritable = 0;
    }
    // SAFETY: as above; the kernel only reads.
    Errno::result(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) })?;
    Ok(())
}

/// The person who called sudo.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    name: Option<CString>,
}

/// Returns who called sudo, from the variables it sets.
pub(super) fn caller_of_sudo(environment: &[(OsString, OsString)]) -> Option<Person> {
    let value =
        |name: &str| environment.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.to_str());
    let uid: u32 = value("SUDO_UID")?.parse().ok()?;
    let gid: u32 = value("SUDO_GID")?.parse().ok()?;
    let name = value("SUDO_USER").and_then(|name| CString::new(name).ok());
    Some(Person { uid: Uid::from_raw(uid), gid: Gid::from_raw(gid), name })
}

/// Becomes that person, with the groups of the machine's own list where it can be read.
pub(super) fn become_person(person: &Person) -> io::Result<()> {
    let named = person.name.as_ref().is_some_and(|name| initgroups(name, person.gid).is_ok());
    if !named {
        setgroups(&[person.gid])?;
    }
    setresgid(person.gid, person.gid, person.gid)?;
    setresuid(person.uid, person.uid, person.uid)?;
    Ok(())
}
