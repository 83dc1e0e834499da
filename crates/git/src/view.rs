//! Repositories beside a bare one, which have its objects and other refs: those of another moment. They are derived and swept.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use host::file::write_atomically;
use model::{RefName, Target};

use crate::bare::{PARTS, config, head, packed};

/// The file by which such a repository says when it was asked for last.
const ASKED: &str = "outlast.asked";
/// How long one stays that nobody asks for; no clone of it takes as long.
const VIEW_FOR: Duration = Duration::from_secs(7 * 86_400);

/// Makes a repository beside a bare one that has its objects, and other refs: those of another moment. The same refs give the same
/// folder, which is made once.
///
/// Nobody has to wait for who writes to the bare one: objects only become more.
pub fn view(bare: &Path, refs: &BTreeMap<RefName, Target>, object_format: &str) -> io::Result<PathBuf> {
    let text = packed(refs, &BTreeSet::new());
    let head = head(refs);
    let digest = model::Sha256::of(format!("{head}{text}").as_bytes());
    let folder = bare.join("at").join(digest.to_string());
    if folder.join("HEAD").exists() {
        // Who is asked for stays.
        write_atomically(&folder.join(ASKED), b"")?;
        return Ok(folder);
    }
    let new = bare.join("at").join(format!("{:016x}.new", fastrand::u64(..)));
    lay_out_beside(&new, "../../../objects\n", object_format, text.as_bytes(), &head)?;
    write_atomically(&new.join(ASKED), b"")?;
    let now = fs::metadata(new.join(ASKED))?.modified()?;
    if folder.exists() && !folder.join("HEAD").exists() {
        // Half of it was swept.
        fs::remove_dir_all(&folder)?;
    }
    match fs::rename(&new, &folder) {
        // Another one was faster.
        Err(_) if folder.join("HEAD").exists() => fs::remove_dir_all(&new)?,
        renamed => renamed?,
    }
    sweep_views(&bare.join("at"), now)?;
    Ok(folder)
}

/// Removes what was made of other moments and nobody asked for lately: it is made again when somebody does.
fn sweep_views(at: &Path, now: SystemTime) -> io::Result<()> {
    for entry in fs::read_dir(at)? {
        let path = entry?.path();
        let Ok(asked) = fs::metadata(path.join(ASKED)).or_else(|_| fs::metadata(&path)) else { continue };
        if now.duration_since(asked.modified()?).is_ok_and(|age| age > VIEW_FOR) {
            // Whole, or not at all; another process may sweep as well.
            let swept = path.with_extension("old");
            let Ok(()) = fs::rename(&path, &swept) else { continue };
            let removed = if swept.is_dir() { fs::remove_dir_all(&swept) } else { fs::remove_file(&swept) };
            removed.or_else(|error| if swept.exists() { Err(error) } else { Ok(()) })?;
        }
    }
    Ok(())
}

/// Makes a repository that has the objects of another one: those of the folder that `alternates` names.
pub(crate) fn lay_out_beside(
    folder: &Path,
    alternates: &str,
    object_format: &str,
    packed_refs: &[u8],
    head: &str,
) -> io::Result<()> {
    for part in PARTS {
        fs::create_dir_all(folder.join(part))?;
    }
    write_atomically(&folder.join("objects/info/alternates"), alternates.as_bytes())?;
    write_atomically(&folder.join("config"), config(object_format).as_bytes())?;
    write_atomically(&folder.join("packed-refs"), packed_refs)?;
    write_atomically(&folder.join("HEAD"), head.as_bytes())
}
