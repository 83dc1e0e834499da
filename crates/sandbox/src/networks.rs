//! The network namespaces of the machine. A Unix socket in the file system is reached from any of them, and each has a
//! list of its own.
//!
//! A namespace is told by the number of its list, which anybody may read who sees a process in it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;

/// A process has no more ancestors than that; more is a table that changed while it was read.
const N_ANCESTORS_MAX: usize = 4096;

/// A network namespace, by a process that is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    number: u64,
    pub(crate) process: u32,
}

/// Returns every network namespace but this process's own in which `/proc` shows a process.
pub(crate) fn others() -> Vec<Network> {
    let own = fs::metadata("/proc/self/net/unix").map(|metadata| metadata.ino()).ok();
    let mut others: Vec<Network> = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let process = entry.file_name().to_str().and_then(|name| name.parse().ok());
        // A process that has ended meanwhile is in none.
        let Some(Ok(network)) = process.map(Network::of) else { continue };
        if Some(network.number) != own && others.iter().all(|other| other.number != network.number) {
            others.push(network);
        }
    }
    others
}

impl Network {
    fn of(process: u32) -> io::Result<Self> {
        Ok(Self { number: fs::metadata(format!("/proc/{process}/net/unix"))?.ino(), process })
    }

    /// Reads the list of the Unix sockets in it; none if the process has ended or left it.
    pub(crate) fn unix_sockets(&self) -> Option<Vec<u8>> {
        let mut list = File::open(format!("/proc/{}/net/unix", self.process)).ok()?;
        let mut text = Vec::new();
        (list.metadata().ok()?.ino() == self.number).then(|| list.read_to_end(&mut text).ok())?;
        Some(text)
    }

    /// Returns whether the process descends from `ancestor`; true as well where that can no longer be told.
    pub(crate) fn may_descend_from(&self, ancestor: u32) -> bool {
        let mut process = self.process;
        for _ in 0..N_ANCESTORS_MAX {
            match parent_of(process) {
                Some(0) => return false,
                Some(parent) if parent != ancestor => process = parent,
                _ => return true,
            }
        }
        true
    }
}

/// Returns the parent of a process, 0 for the first one; none if it has ended.
fn parent_of(process: u32) -> Option<u32> {
    let facts = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // After the name in parentheses: state, parent.
    facts.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ancestors_are_found_and_others_are_none() {
        let own = Network::of(std::process::id()).unwrap();
        assert!(own.may_descend_from(parent_of(own.process).unwrap()));
        assert!(!own.may_descend_from(own.process));
        let ended = Network { process: u32::MAX, ..own };
        assert!(ended.may_descend_from(1), "nobody can tell");
        assert_eq!(ended.unix_sockets(), None);
        assert!(own.unix_sockets().unwrap().starts_with(b"Num "));
        assert_eq!(Network { number: 0, ..own }.unix_sockets(), None, "another namespace");
    }
}
