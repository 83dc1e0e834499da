//! Archives of a commit, packed as forges pack them, and what the commit says must be in them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use gix_object::Find as _;
use model::{ObjectId, Sha256};

use crate::bases::Bases;
use crate::command::{Git, GitError};
use crate::pack::kind;

/// How long an archive, or the list of its files, may take.
const ARCHIVE: Duration = Duration::from_secs(300);

/// A file of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Whether it is a symbolic link, whose bytes are where it leads.
    pub is_link: bool,
    /// Whether its owner may execute it.
    pub is_executable: bool,
    /// How many bytes it has.
    pub size_bytes: u64,
    /// Its bytes.
    pub id: ObjectId,
}

/// Reads blobs of a repository, and finds them damaged where their bytes are not what they are named after.
#[derive(Debug)]
pub struct Blobs {
    bases: Bases,
    kind: gix_hash::Kind,
    buffer: Vec<u8>,
}

impl Git {
    /// Returns the commit that an object is, or a tag leads to; nothing where it is not here, or something else.
    pub fn commit(&self, folder: &Path, id: &ObjectId) -> Result<Option<ObjectId>, GitError> {
        let name = format!("{id}^{{commit}}");
        let output =
            self.of(folder).run_on(&["rev-parse", "--verify", "--quiet", "--end-of-options", &name], None)?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().parse().ok().filter(|_| output.status.success()))
    }

    /// Packs the files of a commit below `prefix`, in one of git's formats, as the commit's attributes say.
    pub fn archive(
        &self,
        folder: &Path,
        commit: &ObjectId,
        prefix: &str,
        format: &str,
    ) -> Result<File, GitError> {
        let place = folder.join("at");
        fs::create_dir_all(&place)?;
        let path = place.join(format!("{:016x}.archive", fastrand::u64(..)));
        let (format, prefix) = (format!("--format={format}"), format!("--prefix={prefix}"));
        let (output, commit) = (format!("--output={}", path.display()), commit.to_string());
        let arguments = ["archive", &format, &prefix, &output, &commit];
        let packed = self.of(folder).run_within(ARCHIVE, &arguments);
        let packed = packed.and_then(|output| self.good(&arguments, output));
        let file = File::open(&path);
        // Whoever reads it has it open.
        let _ = fs::remove_file(path);
        packed?;
        Ok(file?)
    }

    /// Returns the files of a commit by their paths.
    pub fn files(&self, folder: &Path, commit: &ObjectId) -> Result<BTreeMap<Vec<u8>, Committed>, GitError> {
        let arguments = ["ls-tree", "-r", "-l", "-z", "--full-tree", &commit.to_string()];
        let output = self.of(folder).run_within(ARCHIVE, &arguments)?;
        let unknown = || GitError::Unknown { what: "ls-tree".to_owned() };
        let mut files = BTreeMap::new();
        for line in output.stdout.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
            let tab = line.iter().position(|byte| *byte == b'\t').ok_or_else(unknown)?;
            let text = std::str::from_utf8(&line[..tab]).map_err(|_| unknown())?;
            let [mode, kind, id, size] = text.split_ascii_whitespace().collect::<Vec<_>>()[..] else {
                return Err(unknown());
            };
            // A submodule's files are another repository's.
            if kind == "blob" {
                let id = id.parse().map_err(|_| unknown())?;
                let size_bytes = size.parse().map_err(|_| unknown())?;
                let (is_link, is_executable) = (mode == "120000", mode == "100755");
                let file = Committed { is_link, is_executable, size_bytes, id };
                files.insert(line[tab + 1..].to_vec(), file);
            }
        }
        match output.status.success() {
            true => Ok(files),
            false => self.good(&arguments, output).map(|_| files),
        }
    }
}

impl Blobs {
    /// Reads those of a repository on disk.
    pub fn of(folder: &Path, format: &str) -> Self {
        let kind = kind(format);
        Self { bases: Bases::new(&folder.join("objects/pack"), kind), kind, buffer: Vec::new() }
    }

    /// Returns the bytes of a blob; nothing where it is not here, or damaged.
    pub fn read(&mut self, id: &ObjectId) -> Option<&[u8]> {
        let wanted = gix_hash::ObjectId::from_hex(id.to_string().as_bytes()).ok()?;
        let object = self.bases.try_find(&wanted, &mut self.buffer).ok()??;
        let got = gix_object::compute_hash(self.kind, object.kind, object.data).ok()?;
        (got == wanted).then_some(object.data)
    }

    /// Returns the digest of a blob.
    pub fn digest(&mut self, id: &ObjectId) -> Option<Sha256> {
        self.read(id).map(Sha256::of)
    }
}
