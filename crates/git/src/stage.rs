//! Where a repository is put together that does not come at once: a repository beside its copy, of which nothing is served, and of which
//! everything is there that its pins reach.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;

use host::file::write_atomically;
use host::process::{Limits, Stream};
use model::ObjectId;

use crate::bare::{Bare, BareError};
use crate::command::{GitError, STDERR_BYTES_MAX};
use crate::incoming::PackError;
use crate::remote::{FETCH, packing};
use crate::serve::PACK_BYTES_MAX;

/// Its folder below that of the copy.
const FOLDER: &str = "staged";

impl Bare {
    /// Returns whether something of it is put together.
    pub fn is_staged(&self) -> bool {
        self.folder.join(FOLDER).exists()
    }

    /// Opens what is put together beside it, which may use its objects.
    pub fn stage(&self, object_format: &str) -> Result<Self, BareError> {
        let folder = self.folder.join(FOLDER);
        let failed = |source| BareError::Io { folder: folder.display().to_string(), source };
        let stage = Self::lock(&self.git, &folder)?;
        stage.lay_out(object_format).map_err(failed)?;
        write_atomically(&folder.join("objects/info/alternates"), b"../../objects\n").map_err(failed)?;
        Ok(stage)
    }

    /// Removes what was put together: it is the copy's, or begun anew.
    pub fn unstage(&self) -> io::Result<()> {
        match fs::remove_dir_all(self.folder.join(FOLDER)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes a pack in, once everything is there that commits reach.
    pub fn add_step(&self, pack: File, commits: &[ObjectId], object_format: &str) -> Result<(), PackError> {
        let incoming = self.incoming()?;
        incoming.index_thin(pack, object_format)?;
        incoming.check_connected(commits)?;
        incoming.take_in()?;
        let pins: BTreeSet<ObjectId> = self.pins()?.into_iter().chain(commits.iter().copied()).collect();
        Ok(self.write_refs(&BTreeMap::new(), &pins)?)
    }

    /// Returns a pack of what objects reach and others do not, as it is packed here: no better one is looked for.
    pub fn pack(&self, wants: &[ObjectId], haves: &[ObjectId]) -> Result<Stream, GitError> {
        let limits = Limits { time: FETCH, stdout_bytes: PACK_BYTES_MAX, stderr_bytes: STDERR_BYTES_MAX };
        let program =
            self.git.bare_program(limits).folder(&self.folder).environment([("GIT_DIR", &self.folder)]);
        Ok(packing(program, wants, haves)?.args(["--window=0"]).stream(FETCH, ())?)
    }
}
