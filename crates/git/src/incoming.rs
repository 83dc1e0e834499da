//! Objects that came and are not the repository's yet: indexed, hashed and connected before they are.

use std::fs;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use model::ObjectId;

use crate::bare::Bare;
use crate::command::{Git, GitError};
use crate::pack::{self, GivenUp};

/// How the folders of objects that are not taken in yet begin.
pub(crate) const PREFIX: &str = "incoming-";

/// A pack on its way into a repository; dropped before it is taken in, nothing of it stays.
#[derive(Debug)]
pub struct Incoming {
    /// Where it is until it is taken in.
    folder: PathBuf,
    /// The repository's packs.
    into: PathBuf,
    git: Git,
}

/// Why a pack is not taken.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// It is the pack's fault: damaged, cut, or built on what is not here.
    #[error("the pack is damaged or incomplete: {said}")]
    Bad {
        /// What git says.
        said: String,
    },
    /// It lacks something that the refs need.
    #[error("objects are missing that the refs need: {said}")]
    Incomplete {
        /// What git says.
        said: String,
    },
    /// It is not the pack's fault.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl From<io::Error> for PackError {
    fn from(error: io::Error) -> Self {
        Self::Git(error.into())
    }
}

impl Bare {
    /// Returns a folder that is not there, and is swept where a killed process leaves it.
    pub(crate) fn folder_of_a_moment(&self) -> PathBuf {
        self.folder.join(format!("{PREFIX}{:016x}", fastrand::u64(..)))
    }

    /// Begins to take a pack in.
    pub fn incoming(&self) -> io::Result<Incoming> {
        let folder = self.folder_of_a_moment();
        fs::create_dir_all(folder.join("pack"))?;
        let git = self.git.with_objects(&folder);
        Ok(Incoming { folder, into: self.folder.join("objects/pack"), git })
    }
}

impl Incoming {
    /// Indexes a pack that stands on its own, without writing its bytes a second time: `link` gives the file another name.
    pub fn index_whole(
        &self,
        pack: &File,
        link: impl FnOnce(&Path) -> io::Result<()>,
        format: &str,
    ) -> Result<(), PackError> {
        let name = format!("pack-{}.pack", trailer(pack, format)?);
        let path = self.folder.join("pack").join(&name);
        link(&path)?;
        match pack::index(&path, format) {
            Ok(()) => Ok(()),
            Err(reason) => self.ask_git(reason, &["index-pack", &path.to_string_lossy()], None),
        }
    }

    /// Indexes a pack that builds on objects of the repository, and adds those to it.
    pub fn index_thin(&self, mut pack: File, format: &str) -> Result<(), PackError> {
        match pack::complete(pack.try_clone()?, &self.into, &self.folder.join("pack"), format) {
            Ok(()) => Ok(()),
            Err(reason) => {
                pack.rewind()?;
                self.ask_git(reason, &["index-pack", "--stdin", "--fix-thin"], Some(pack))
            }
        }
    }

    /// Has git index a pack that was given up, or say what is wrong with it.
    fn ask_git(&self, reason: GivenUp, arguments: &[&str], pack: Option<File>) -> Result<(), PackError> {
        tracing::debug!("a pack is left to git: {}", reason.0);
        let output = self.git.run_on(arguments, pack)?;
        match self.git.good(arguments, output) {
            Ok(_) => Ok(()),
            Err(GitError::Failed { said, .. }) if is_disk(&said) => {
                Err(GitError::Failed { what: "index-pack".to_owned(), said }.into())
            }
            Err(GitError::Failed { said, .. }) => Err(PackError::Bad { said }),
            Err(error) => Err(error.into()),
        }
    }

    /// Checks that everything is here that tips reach.
    pub fn check_connected(&self, tips: &[ObjectId]) -> Result<(), PackError> {
        check_connected(&self.git, tips, &["--not", "--all"])
    }

    /// Returns git for the repository with what came.
    pub(crate) const fn git(&self) -> &Git {
        &self.git
    }

    /// Lets the repository have what came.
    pub fn take_in(self) -> io::Result<()> {
        let mut names: Vec<_> = fs::read_dir(self.folder.join("pack"))?
            .map(|entry| Ok(entry?.file_name()))
            .collect::<io::Result<_>>()?;
        // Git looks for indexes: what they are of comes first.
        names.sort_by_key(|name| Path::new(name).extension().is_some_and(|extension| extension == "idx"));
        for name in names {
            // An index that a power failure left empty would hide that something is missing.
            File::open(self.folder.join("pack").join(&name))?.sync_all()?;
            fs::rename(self.folder.join("pack").join(&name), self.into.join(&name))?;
        }
        // Before anybody notes that they are here.
        host::file::sync_folder(&self.into)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // A leftover is swept when the repository is opened next.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Bare {
    /// Checks that everything is in the repository that tips reach, whatever was checked before.
    pub fn check_connected(&self, tips: &[ObjectId]) -> Result<(), PackError> {
        check_connected(&self.git, tips, &[])
    }
}

/// Checks that everything is there that tips reach and others do not: what a ref or a pin reaches was checked when it came.
fn check_connected(git: &Git, tips: &[ObjectId], others: &[&str]) -> Result<(), PackError> {
    let input: String = tips.iter().map(|id| format!("{id}\n")).collect();
    match git.ask(&[&["rev-list", "--objects", "--quiet", "--stdin"], others].concat(), &input) {
        Ok(_) => Ok(()),
        Err(GitError::Failed { said, .. }) => Err(PackError::Incomplete { said }),
        Err(error) => Err(error.into()),
    }
}

/// Returns whether what git says is about the disk rather than about the pack.
pub(crate) fn is_disk(said: &str) -> bool {
    [
        "No space left",
        "Disk quota",
        "Read-only file system",
        "Permission denied",
        "Input/output error",
        "Out of memory",
    ]
    .iter()
    .any(|reason| said.contains(reason))
}

/// Returns the digest at the end of a pack, which names its file.
fn trailer(mut pack: &File, format: &str) -> Result<String, PackError> {
    let n_bytes: usize = if format == "sha256" { 32 } else { 20 };
    if pack.metadata()?.len() < 12 + n_bytes as u64 {
        return Err(PackError::Bad { said: "it is too short".to_owned() });
    }
    pack.seek(SeekFrom::End(-(n_bytes as i64)))?;
    let mut bytes = vec![0; n_bytes];
    pack.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
