//! The kernel's list of the Unix sockets of a network namespace, `/proc/net/unix` (proc_net(5)).

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// `Type` of a socket that takes datagrams.
const DATAGRAM: &[u8] = b"0002";
/// `St` of a socket that is not connected, which all are that listen.
const UNCONNECTED: &[u8] = b"01";

/// A socket with a name in the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listed<'a> {
    /// The socket's own number, which no other gets while the machine is up.
    pub(crate) inode: u64,
    /// The name as it was bound: in the binder's view of the file system, and relative to its folder if not absolute.
    pub(crate) path: &'a Path,
    /// Whether somebody may reach it by that name. Each connection that a service accepted is listed under the
    /// service's name too, and takes no other.
    pub(crate) can_be_reached: bool,
}

/// Reads the list of the network namespace that this process is in, in place of what `text` held.
pub(crate) fn read(text: &mut Vec<u8>) -> io::Result<()> {
    text.clear();
    File::open("/proc/self/net/unix")?.read_to_end(text).map(drop)
}

/// Returns the sockets with a path; those without a name and abstract ones are passed over.
pub(crate) fn parse(text: &[u8]) -> impl Iterator<Item = Listed<'_>> {
    text.split(|byte| *byte == b'\n').filter_map(parse_line)
}

/// A line ends where the path does, which may hold anything but a zero byte.
fn parse_line(line: &[u8]) -> Option<Listed<'_>> {
    let mut rest = line;
    let mut field = || {
        rest = rest.trim_ascii_start();
        let end = rest.iter().position(|byte| *byte == b' ')?;
        let (field, tail) = rest.split_at(end);
        rest = tail;
        Some(field)
    };
    // Number, references, protocol, flags.
    for _ in 0..4 {
        field()?;
    }
    let (kind, state, inode) = (field()?, field()?, field()?);
    let inode = std::str::from_utf8(inode).ok()?.parse().ok()?;
    let name = rest.strip_prefix(b" ").filter(|name| !name.is_empty() && !name.starts_with(b"@"))?;
    let can_be_reached = kind == DATAGRAM || state == UNCONNECTED;
    Some(Listed { inode, path: Path::new(OsStr::from_bytes(name)), can_be_reached })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_the_kernel_writes_them() {
        let check = |line: &[u8], expected: Option<(u64, &str, bool)>| {
            let expected = expected.map(|(inode, path, can_be_reached)| Listed {
                inode,
                path: Path::new(path),
                can_be_reached,
            });
            assert_eq!(parse_line(line), expected, "{}", String::from_utf8_lossy(line));
        };
        let listening = b"00000000c1a5: 00000002 00000000 00010000 0001 01 20154 /srv/a b/x.sock";
        check(listening, Some((20154, "/srv/a b/x.sock", true)));
        check(b"0000: 00000002 00000000 00000000 0002 01   154  /odd", Some((154, " /odd", true)));
        check(
            b"0000: 00000003 00000000 00000000 0001 03 20155 /srv/x.sock",
            Some((20155, "/srv/x.sock", false)),
        );
        check(b"0000: 00000002 00000000 00000000 0005 01 7 public/pickup", Some((7, "public/pickup", true)));
        check(b"0000: 00000002 00000000 00010000 0001 01 20156 @/tmp/.X11-unix/X0", None);
        check(b"0000: 00000003 00000000 00000000 0001 03  1057", None);
        check(b"Num       RefCount Protocol Flags    Type St Inode Path", None);
        check(b"", None);
    }
}
