//! Archives that a forge would pack, packed from the copy of their repository, and compared with the commit that they are of.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;

use git::{Blobs, Committed, GitError};
use model::{ObjectId, Target, Timestamp};
use registry::RevisionArchive;
use registry::archive::{ArchiveError as ContentError, Content, contents};

use crate::served::{Refs, ServeError, Served};

/// What lets the packed bytes of a file be others than the committed ones, gitattributes(5); a forge does the same.
const CONVERSIONS: [&[u8]; 4] = [b"export-subst", b"eol=crlf", b" ident", b"working-tree-encoding"];
/// As many as an archive may have that is read.
const N_FILES_MAX: usize = 400_000;
const FILES_BYTES_MAX: u64 = 2 << 30;
const ATTRIBUTES: &[u8] = b".gitattributes";

/// An archive of a commit.
#[derive(Debug)]
pub struct Archive {
    /// Its bytes.
    pub file: File,
    /// How many.
    pub size_bytes: u64,
    /// The commit that it was compared with.
    pub commit: ObjectId,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The copy.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// What was packed cannot be read.
    #[error("what was packed cannot be read")]
    Content(#[from] ContentError),
    /// The disk.
    #[error("what was packed cannot be read")]
    Io(#[from] io::Error),
    /// More than any package needs.
    #[error("commit {commit} has more files, or larger ones, than are packed")]
    Large {
        /// The commit.
        commit: ObjectId,
    },
    /// What was packed is not what was committed.
    #[error("`{path}` of commit {commit} is not what was committed; run `outlast store verify`")]
    Differs {
        /// The file.
        path: String,
        /// The commit.
        commit: ObjectId,
    },
}

impl Served {
    /// Packs a revision of a repository as its forge does, once there is a turn for it; nothing where no copy has it.
    pub async fn archive(
        &self,
        asked: &RevisionArchive,
        at: Option<Timestamp>,
    ) -> Result<Option<Archive>, ArchiveError> {
        let _turn = self.turn().await?;
        tokio::task::block_in_place(|| self.pack(asked, at))
    }

    fn pack(&self, asked: &RevisionArchive, at: Option<Timestamp>) -> Result<Option<Archive>, ArchiveError> {
        let Some(refs) = self.refs(&asked.repo, at).map_err(ServeError::from)? else { return Ok(None) };
        let Some(id) = named(&refs, asked) else { return Ok(None) };
        // Whatever was served when, the copy has every object.
        let (git, folder) = (self.git(), self.folder(&asked.repo, None, &refs)?);
        let Some(commit) = git.commit(&folder, &id)? else { return Ok(None) };
        let prefix = asked.prefix(&commit.to_string());
        // First: what has too many files, or too large ones, is not packed.
        let files = git.files(&folder, &commit)?;
        let size_bytes: u64 = files.values().map(|file| file.size_bytes).sum();
        if files.len() > N_FILES_MAX || size_bytes > FILES_BYTES_MAX {
            return Err(ArchiveError::Large { commit });
        }
        let mut file = git.archive(&folder, &commit, &prefix, asked.packing.format())?;
        let blobs = Blobs::of(&folder, refs.object_format);
        if let Some(path) = difference(&contents(&mut file)?, &files, blobs) {
            return Err(ArchiveError::Differs { path: String::from_utf8_lossy(path).into_owned(), commit });
        }
        Ok(Some(Archive { size_bytes: file.metadata()?.len(), file, commit }))
    }
}

/// Returns the object that is asked for: a commit by its id, or what a tag or else a branch of this name leads to.
fn named(refs: &Refs, asked: &RevisionArchive) -> Option<ObjectId> {
    if asked.is_of_commit() {
        return asked.revision.parse().ok();
    }
    let of = |kind: &str| refs.refs.get(format!("refs/{kind}/{}", asked.revision).as_str());
    let found = match asked.kind {
        Some(kind) => of(kind),
        None => of("tags").or_else(|| of("heads")),
    };
    found.and_then(Target::id).copied()
}

/// Returns the first file that is not as it was committed, or not there although no attribute leaves it out.
fn difference<'a>(
    packed: &'a BTreeMap<Vec<u8>, Content>,
    committed: &'a BTreeMap<Vec<u8>, Committed>,
    mut blobs: Blobs,
) -> Option<&'a [u8]> {
    let mut attributes = Vec::new();
    let is_attributes = |path: &[u8]| path.rsplit(|byte| *byte == b'/').next() == Some(ATTRIBUTES);
    for (path, file) in committed.iter().filter(|(path, _)| is_attributes(path)) {
        match blobs.read(&file.id) {
            Some(bytes) => attributes.extend_from_slice(bytes),
            None => return Some(path),
        }
    }
    let says = |word: &[u8]| memchr::memmem::find(&attributes, word).is_some();
    let (may_convert, may_leave_out) = (CONVERSIONS.iter().any(|word| says(word)), says(b"export-ignore"));
    for (path, content) in packed {
        let Some(file) = committed.get(path) else { return Some(path) };
        let is_same = match content {
            Content::Folder => true,
            Content::Link { target } => file.is_link && blobs.read(&file.id) == Some(target),
            Content::File { is_executable, sha256 } => {
                let is_kind = !file.is_link && *is_executable == file.is_executable;
                // Whatever becomes of its bytes, they have to be those that it is named after.
                let committed = blobs.digest(&file.id);
                is_kind && committed.is_some() && (committed == Some(*sha256) || may_convert)
            }
        };
        if !is_same {
            return Some(path);
        }
    }
    let is_missing = |path: &&Vec<u8>| !may_leave_out && !packed.contains_key(*path);
    committed.keys().find(is_missing).map(Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::process::Command;

    use fakes::git::Repository;
    use git::Git;

    use super::*;

    /// Returns where an archive of one commit is not what another one says.
    fn compared(packed: &[(&str, &str)], committed: &[(&str, &str)]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::create(folder.path());
        let packed = repository.commit("packed", "packed", packed);
        let committed = repository.commit("main", "committed", committed);
        #[expect(clippy::disallowed_methods, reason = "tests run git as its users do")]
        let status = Command::new("git").args(["repack", "-adq"]).current_dir(folder.path()).status();
        assert!(status.unwrap().success());
        let contents =
            contents(&mut Cursor::new(repository.archive(&["--format=zip", "--prefix=a/", &packed])))
                .unwrap();
        let git = Git::new("/usr/local/bin:/usr/bin:/bin");
        let files = git.files(folder.path(), &committed.parse().unwrap()).unwrap();
        let found = difference(&contents, &files, Blobs::of(folder.path(), "sha1"));
        found.map(|path| String::from_utf8_lossy(path).into_owned())
    }

    #[test]
    fn what_is_packed_is_what_was_committed() {
        let ab = [("a/1", "one\n"), ("b", "two\n")];
        assert_eq!(compared(&ab, &ab), None);
        assert_eq!(compared(&[("a/1", "One\n"), ("b", "two\n")], &ab).as_deref(), Some("a/1"));
        assert_eq!(compared(&ab[..1], &ab).as_deref(), Some("b"), "a file is missing");
        assert_eq!(compared(&ab, &ab[..1]).as_deref(), Some("b"), "there is one too many");
    }

    #[test]
    fn attributes_say_what_may_be_left_out_or_converted() {
        let with = |attributes| [(".gitattributes", attributes), ("a", "$Format:%H$\n"), ("b", "two\n")];
        assert_eq!(compared(&with("b export-ignore\n"), &with("b export-ignore\n")), None);
        assert_eq!(compared(&with("a export-subst\n"), &with("a export-subst\n")), None);
        assert_eq!(compared(&with("a text eol=crlf\n"), &with("a text eol=crlf\n")), None);
        assert_eq!(compared(&with("a -diff\n"), &with("a -diff\n")), None);
        let other = [(".gitattributes", "a -diff\n"), ("a", "$Format:%h$\n"), ("b", "two\n")];
        assert_eq!(
            compared(&other, &with("a -diff\n")).as_deref(),
            Some("a"),
            "nothing says that it may differ"
        );
    }
}
