//! Evidence folders: written whole or not at all, verified offline, chained to one another.

mod chain;
mod read;
mod readme;
mod verify;
mod write;

use model::Timestamp;

pub use chain::{ChainError, verify_chain};
pub use readme::readme;
pub use verify::{Checked, VerifyError, verify};
pub use write::{WriteError, Written, sweep, write};

/// The signed statement's file name.
pub const ATTESTATION: &str = "attestation.dsse.json";

/// A file of an evidence folder.
#[derive(Debug, Clone, Copy)]
struct Part {
    name: &'static str,
    /// The largest that is written or read, so that a hostile folder cannot fill the memory.
    bytes_max: u64,
}

/// The attested files. Estimated, not measured: at 400 bytes an object, 100,000 objects make a report of 40 MB.
const PARTS: [Part; 4] = [
    Part { name: "README.txt", bytes_max: 64 * 1024 },
    Part { name: "journal.jsonl", bytes_max: 256 * 1024 * 1024 },
    Part { name: "report.html", bytes_max: 64 * 1024 * 1024 },
    Part { name: "report.json", bytes_max: 128 * 1024 * 1024 },
];

/// The attestation grows with the named outputs, an estimated 200 bytes each.
const ATTESTATION_PART: Part = Part { name: ATTESTATION, bytes_max: 64 * 1024 * 1024 };

/// Returns the name of a drill's folder, such as `20260521T100005Z-github-gone-3f9a`: sortable, and safe everywhere.
pub fn folder_name(finished_at: Timestamp, scenario: &str, random: [u8; 2]) -> String {
    let mut slug = String::new();
    for c in scenario.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= SLUG_BYTES_MAX {
            break;
        }
    }
    let slug = slug.trim_matches('-');
    let slug = if slug.is_empty() { "drill" } else { slug };
    let random = u16::from_be_bytes(random);
    format!("{}-{slug}-{random:04x}", model::format_compact(finished_at))
}

/// Enough to recognise a scenario by.
const SLUG_BYTES_MAX: usize = 40;
