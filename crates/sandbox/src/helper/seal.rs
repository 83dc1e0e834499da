//! Closes what a namespace leaves open: socket families that ignore it, and descriptors that came from outside.

use std::io;

use nix::errno::Errno;

use super::bpf::Step::{self, Do, If, Label, Return};
use super::bpf::{AT_LEAST, EQUAL, LOAD_WORD, NEXT, assemble, program};

/// Offsets in `struct seccomp_data`; the low half of the first argument, of which the kernel takes an `int`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;

const ALLOW: u32 = 0x7fff_0000;
const ERROR: u32 = 0x0005_0000;
const NO_SUCH_FAMILY: u32 = ERROR | 97;
const NO_SUCH_CALL: u32 = ERROR | 38;

/// The same number on every architecture. A ring opens sockets where no filter sees it.
const IO_URING_SETUP: u32 = 425;
/// Every call of the x32 interface has this bit; no distribution ships programs that use it.
const X32: u32 = 0x4000_0000;
/// `socketcall` of 32-bit x86 keeps the family in memory that no filter can read, so sockets of programs that still use
/// it are refused altogether; libraries fall back to nothing, but a silent hole would be worse.
const SOCKETCALL: u32 = 102;
const SOCKETCALL_SOCKET: u32 = 1;

/// Lets a program open sockets of the families that a network namespace confines, and no others: AF_VSOCK reaches the
/// hypervisor from every namespace.
const FILTER: &[Step] = &[
    Do(LOAD_WORD, ARCHITECTURE),
    If(EQUAL, 0xc000_003e, "x86_64", NEXT),
    If(EQUAL, 0x4000_0003, "i386", NEXT),
    If(EQUAL, 0xc000_00b7, "aarch64", NEXT),
    If(EQUAL, 0x4000_0028, "arm", "no such call"),
    Label("x86_64"),
    Do(LOAD_WORD, NUMBER),
    If(AT_LEAST, X32, "no such call", NEXT),
    If(EQUAL, 41, "family", NEXT),
    If(EQUAL, 53, "family", "ring"),
    Label("i386"),
    Do(LOAD_WORD, NUMBER),
    If(EQUAL, SOCKETCALL, "socketcall", NEXT),
    If(EQUAL, 359, "family", NEXT),
    If(EQUAL, 360, "family", "ring"),
    Label("aarch64"),
    Do(LOAD_WORD, NUMBER),
    If(EQUAL, 198, "family", NEXT),
    If(EQUAL, 199, "family", "ring"),
    Label("arm"),
    Do(LOAD_WORD, NUMBER),
    If(EQUAL, 281, "family", NEXT),
    If(EQUAL, 288, "family", "ring"),
    Label("ring"),
    If(EQUAL, IO_URING_SETUP, "no such call", "allow"),
    Label("socketcall"),
    Do(LOAD_WORD, FIRST_ARGUMENT),
    If(EQUAL, SOCKETCALL_SOCKET, "no such family", "allow"),
    Label("family"),
    Do(LOAD_WORD, FIRST_ARGUMENT),
    If(EQUAL, 1, "allow", NEXT),
    If(EQUAL, 2, "allow", NEXT),
    If(EQUAL, 10, "allow", NEXT),
    If(EQUAL, 16, "allow", NEXT),
    If(EQUAL, 17, "allow", "no such family"),
    Label("no such family"),
    Return(NO_SUCH_FAMILY),
    Label("no such call"),
    Return(NO_SUCH_CALL),
    Label("allow"),
    Return(ALLOW),
];

/// Installs the filter for this process and everything it starts.
///
/// Where the rights suffice, set-user-id programs such as sudo keep working in the room.
pub(super) fn restrict_sockets() -> io::Result<()> {
    let instructions = assemble(FILTER);
    let program = program(&instructions);
    let install = || {
        // SAFETY: `program` and the instructions it points to live through the call, and the kernel only copies them.
        Errno::result(unsafe {
            libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program, 0, 0)
        })
    };
    if install().is_err() {
        nix::sys::prctl::set_no_new_privs()?;
        install()?;
    }
    Ok(())
}

/// Marks every descriptor above the standard three to be closed when the program is executed.
pub(super) fn close_descriptors_on_exec() -> io::Result<()> {
    // SAFETY: the call changes one flag of descriptors and no memory; what is open stays open until exec.
    let result =
        unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if Errno::result(result).is_ok() {
        return Ok(());
    }
    // Kernels before 5.11.
    let open: Vec<i32> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for fd in open.into_iter().filter(|fd| *fd > 2) {
        // SAFETY: as above.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the filter as the kernel would.
    fn judge(architecture: u32, number: u32, argument: u32) -> u32 {
        let program = assemble(FILTER);
        let (mut at, mut value) = (0, 0);
        loop {
            let line = program[at];
            at += 1;
            let jump = |holds: bool| usize::from(if holds { line.jt } else { line.jf });
            match line.code {
                LOAD_WORD => {
                    value = match line.k {
                        NUMBER => number,
                        ARCHITECTURE => architecture,
                        FIRST_ARGUMENT => argument,
                        other => panic!("offset {other}"),
                    }
                }
                EQUAL => at += jump(value == line.k),
                AT_LEAST => at += jump(value >= line.k),
                0x06 => return line.k,
                other => panic!("code {other:#x}"),
            }
        }
    }

    #[test]
    fn only_confined_families_are_allowed_whatever_the_interface() {
        const VSOCK: u32 = 40;
        for (architecture, socket, pair) in
            [(0xc000_003e, 41, 53), (0x4000_0003, 359, 360), (0xc000_00b7, 198, 199), (0x4000_0028, 281, 288)]
        {
            for call in [socket, pair] {
                for family in [1, 2, 10, 16, 17] {
                    assert_eq!(judge(architecture, call, family), ALLOW, "{architecture:#x} {call} {family}");
                }
                for family in [0, VSOCK, 38, 44, u32::MAX] {
                    assert_eq!(
                        judge(architecture, call, family),
                        NO_SUCH_FAMILY,
                        "{architecture:#x} {call} {family}"
                    );
                }
            }
            assert_eq!(judge(architecture, IO_URING_SETUP, 8), NO_SUCH_CALL);
            assert_eq!(judge(architecture, 0, VSOCK), ALLOW);
        }
        assert_eq!(judge(0xc000_003e, X32 | 41, 2), NO_SUCH_CALL);
        assert_eq!(judge(0x4000_0003, SOCKETCALL, SOCKETCALL_SOCKET), NO_SUCH_FAMILY);
        assert_eq!(judge(0x4000_0003, SOCKETCALL, 3), ALLOW);
        assert_eq!(judge(0x1234, 41, 2), NO_SUCH_CALL);
    }
}
