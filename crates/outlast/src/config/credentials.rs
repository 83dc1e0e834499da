//! `credentials_file` of an `[[upstream]]`: how Outlast is let in at a host.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use host::http::Credentials;
use toml::Spanned;

use super::Mistake;

/// What others than the owner may do with a file.
const OF_OTHERS: u32 = 0o077;
/// The longest file that is read; tokens have under 4 KB.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Reads the one line of a file that nobody but its owner can read. No message has anything of it.
pub(super) fn read(folder: &Path, host: &str, file: &Spanned<PathBuf>) -> Result<Credentials, Mistake> {
    let path = folder.join(file.get_ref());
    let shown = path.display();
    let mistake = |what: String, hint| Mistake { at: file.span(), what, hint };
    let unreadable = |error: std::io::Error| {
        mistake(format!("`{shown}`: {error}"), "name a file; a relative name is relative to this file")
    };
    let about = std::fs::metadata(&path).map_err(unreadable)?;
    if about.mode() & OF_OTHERS != 0 {
        let what = format!("`{shown}` can be read or changed by others than its owner");
        return Err(mistake(what, "make it its owner's alone: `chmod 600` and its name"));
    }
    let line = if about.len() > FILE_BYTES_MAX {
        String::new()
    } else {
        std::fs::read_to_string(&path).map_err(unreadable)?
    };
    Credentials::read(host, line.trim_end_matches(['\r', '\n'])).ok_or_else(|| {
        let what = format!("`{shown}` is not one line with credentials");
        mistake(what, "write one line: `TOKEN`, which is sent as a bearer token, or `USER:PASSWORD`")
    })
}
