//! Files that survive a crash.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::failpoint;

/// Makes a folder's entries durable: what was created in it or renamed into it is there after a crash.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Asks the system to begin writing a file to the disk, and waits for nothing: a hint, for whoever syncs several files, that
/// lets a file system commit them at once in place of one after the other.
pub fn begin_writing(file: &File) {
    use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
    // Linux begins to write what is dirty, and drops only what is not.
    let _ = posix_fadvise(file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
}

/// Creates a folder and whatever is missing above it, and makes each new entry durable.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        create_folder(parent)?;
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => sync_folder(parent),
        }
    } else {
        fs::create_dir_all(folder)
    }
}

/// Returns how many bytes can be written to the file system of a folder, and how many it has in all.
pub fn free_bytes(folder: &Path) -> io::Result<(u64, u64)> {
    let facts = nix::sys::statvfs::statvfs(folder)?;
    let fragment = facts.fragment_size();
    Ok((facts.blocks_available().saturating_mul(fragment), facts.blocks().saturating_mul(fragment)))
}

/// Returns how many more bytes can be written to the file system that a file lies on.
pub fn free_bytes_beside(file: &File) -> io::Result<u64> {
    let facts = nix::sys::statvfs::fstatvfs(file)?;
    Ok(facts.blocks_available().saturating_mul(facts.fragment_size()))
}

/// Makes a file without a name: it is gone with whoever has it open. The folder has to be there.
pub fn unnamed(folder: &Path) -> io::Result<File> {
    let path = folder.join(format!("{:016x}.tmp", u64::from_be_bytes(crate::random::bytes())));
    let file = File::options().read(true).write(true).create_new(true).open(&path)?;
    fs::remove_file(path)?;
    Ok(file)
}

/// Makes a file that takes memory, and no disk; the name is for whoever looks at the process.
pub fn in_memory(name: &str) -> io::Result<File> {
    use nix::sys::memfd::{MFdFlags, memfd_create};
    Ok(memfd_create(name, MFdFlags::MFD_CLOEXEC)?.into())
}

/// Refuses a place where no file can be written; what is there stays as it is.
pub fn check_writable(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() || metadata.is_dir() => {
            fs::OpenOptions::new().append(true).open(path).map(drop)
        }
        // A pipe would wait for whoever reads it.
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.file_name().is_some() => {
            let name = format!(".outlast-{:08x}.tmp", u32::from_be_bytes(crate::random::bytes()));
            let probe = path.with_file_name(name);
            fs::OpenOptions::new().write(true).create_new(true).open(&probe)?;
            fs::remove_file(probe)
        }
        Err(error) => Err(error),
    }
}

/// Replaces a small file as a whole: after a crash it holds the old bytes or the new ones.
///
/// Failure points: `file.written`, `file.synced`, `file.renamed`.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", u32::from_be_bytes(crate::random::bytes())));
    let temporary = path.with_file_name(name);
    let written = write_synced(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The error that matters is the first one; a leftover is swept at the next start.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    failpoint::pass("file.renamed")?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Writes a small file that only its owner can read, whole or not at all, and never over another.
pub fn create_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let name = format!(".outlast-{:08x}.tmp", u32::from_be_bytes(crate::random::bytes()));
    let temporary = path.with_file_name(name);
    let write = || -> io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        io::Write::write_all(&mut file, bytes)?;
        file.sync_all()?;
        // A link fails where a rename would replace.
        fs::hard_link(&temporary, path)
    };
    let written = write();
    // The error that matters is the first one.
    let _ = fs::remove_file(&temporary);
    written?;
    path.parent().map_or(Ok(()), sync_folder)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    io::Write::write_all(&mut file, bytes)?;
    failpoint::pass("file.written")?;
    file.sync_all()?;
    failpoint::pass("file.synced")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_checked_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("there"), "mine").unwrap();
        let check = |name: &str, expected: Option<io::ErrorKind>| {
            let error = check_writable(&path(name)).err().map(|error| error.kind());
            assert_eq!(error, expected, "{name}");
        };
        check("new", None);
        check("there", None);
        check("nowhere/new", Some(io::ErrorKind::NotFound));
        check("there/new", Some(io::ErrorKind::NotADirectory));
        check(".", Some(io::ErrorKind::IsADirectory));
        assert_eq!(check_writable(Path::new("")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(fs::read(path("there")).unwrap(), b"mine");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_without_a_name_is_seen_by_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = unnamed(folder.path()).unwrap();
        io::Write::write_all(&mut file, b"mine").unwrap();
        assert_eq!(file.metadata().unwrap().len(), 4);
        assert!(free_bytes_beside(&file).unwrap() > 0);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(unnamed(&folder.path().join("nowhere")).is_err());
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = std::env::temp_dir().join(format!("outlast-file-{}", std::process::id()));
        create_folder(&folder.join("a/b")).unwrap();
        let path = folder.join("a/b/c");
        write_atomically(&path, b"one").unwrap();
        write_atomically(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.join("a/b")).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }
}
