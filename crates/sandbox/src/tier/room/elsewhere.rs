//! Looks for Unix sockets of other network namespaces: of containers, and of services that have one to themselves.
//!
//! Their lists name a socket as its binder did, who may see another file system. It counts where a socket is at that path
//! here too, or where the binder's mounts and those of this process show the same: otherwise every container that starts
//! while a command runs would look like a way past Outlast.

use std::collections::HashSet;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::{helper, networks, unix};

/// The sockets that were seen so far.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    /// Never forgotten: a namespace is out of sight while no process that was found is in it.
    known: HashSet<(u64, PathBuf)>,
}

impl Elsewhere {
    /// Returns where sockets are that were not there when this was last asked.
    pub(super) fn look(&mut self) -> Vec<PathBuf> {
        let mut new = Vec::new();
        for network in networks::others() {
            // The room has a network namespace too, and may make more: what is bound in those is its own.
            if network.may_descend_from(std::process::id()) {
                continue;
            }
            let text = network.unix_sockets().unwrap_or_default();
            for socket in unix::parse(&text).filter(|socket| socket.can_be_reached) {
                if self.known.insert((socket.inode, socket.path.to_path_buf())) {
                    new.extend(place_of(socket.path, network.process));
                }
            }
        }
        new
    }
}

/// Returns where a socket is here that a process knows by `path`.
fn place_of(path: &Path, process: u32) -> Option<PathBuf> {
    if path.is_relative() {
        return None;
    }
    if is_socket(path) {
        return Some(path.to_path_buf());
    }
    helper::paths_here(path, process).into_iter().find(|path| is_socket(path))
}

fn is_socket(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.file_type().is_socket())
}
