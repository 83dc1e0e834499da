//! The table of mounts that this process sees, as the kernel writes it (proc_pid_mountinfo(5)).

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// Its number, which an open file tells too.
    pub(super) id: u64,
    /// Major and minor number of the file system.
    pub(super) device: Vec<u8>,
    /// What of the file system shows, as a path in it.
    pub(super) root: PathBuf,
    /// Where it shows.
    pub(super) point: PathBuf,
    /// The file system's kind, such as `ext4`.
    pub(super) kind: Vec<u8>,
}

/// Reads the table; empty if it cannot be read.
pub(super) fn read() -> Vec<Mount> {
    read_of("self")
}

/// Reads the table of the process with this name under `/proc`, as that process sees it.
pub(super) fn read_of(process: &str) -> Vec<Mount> {
    parse_all(&fs::read(format!("/proc/{process}/mountinfo")).unwrap_or_default())
}

pub(super) fn parse_all(table: &[u8]) -> Vec<Mount> {
    table.split(|byte| *byte == b'\n').filter_map(parse).collect()
}

/// Returns whether something is mounted at exactly this path.
pub(super) fn has_point(table: &[Mount], path: &Path) -> bool {
    table.iter().any(|mount| mount.point == path)
}

fn parse(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let id = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let device = fields.nth(1)?.to_vec();
    let root = unescaped(fields.next()?);
    let point = unescaped(fields.next()?);
    // The options, and any number of optional fields.
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?.to_vec();
    Some(Mount { id, device, root, point, kind })
}

/// Reads a path, in which blanks and backslashes are `\` and three octal digits.
fn unescaped(text: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let digits =
            tail.get(..3).filter(|digits| first == b'\\' && digits.iter().all(|d| (b'0'..=b'7').contains(d)));
        if let Some(digits) = digits {
            bytes.push(digits.iter().fold(0, |value: u8, digit| (value << 3) | (digit - b'0')));
            rest = &tail[3..];
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    PathBuf::from(OsStr::from_bytes(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_the_kernel_writes_them() {
        let check = |line: &[u8], expected: Option<(u64, &str, &str, &str, &str)>| {
            let expected = expected.map(|(id, device, root, point, kind)| Mount {
                id,
                device: device.into(),
                root: root.into(),
                point: point.into(),
                kind: kind.into(),
            });
            assert_eq!(parse(line), expected);
        };
        let line = br"36 35 98:0 /mnt1 /a\040b\134c\9 rw,noatime master:1 shared:2 - ext3 /dev/root rw";
        check(line, Some((36, "98:0", "/mnt1", r"/a b\c\9", "ext3")));
        check(b"36 35 98:0 / /x rw - tmpfs - rw", Some((36, "98:0", "/", "/x", "tmpfs")));
        check(b"36 35 98:0 / /x rw", None);
        check(b"", None);
    }
}
