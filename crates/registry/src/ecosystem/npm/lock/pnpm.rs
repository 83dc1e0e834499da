//! `pnpm-lock.yaml`, lock versions 5 to 9.
//!
//! pnpm writes one shape of YAML: under `packages:` a key of two spaces, `/name/1.0.0:` (5), `/name@1.0.0:` (6) or
//! `name@1.0.0:` (9), and four spaces further in one `resolution: {…}`. Lines of any other shape are passed over.

use super::{Locked, pin};
use crate::lock::{LockError, Pin};

/// Reads the pins of a lock.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Pin>, LockError> {
    let text = std::str::from_utf8(bytes).map_err(|source| LockError::NotText { source })?;
    if !text.lines().any(|line| line.starts_with("lockfileVersion:")) {
        return Err(LockError::Format);
    }
    let mut pins = Vec::new();
    let mut is_inside = false;
    let mut package = None;
    for line in text.lines() {
        if !line.starts_with(' ') && !line.is_empty() {
            is_inside = line.trim_end() == "packages:";
            package = None;
        } else if is_inside && !line.starts_with("   ") {
            package = line.trim().strip_suffix(':').and_then(name_and_version);
        } else if let (Some((name, version)), Some(resolution)) = (package, resolution(line)) {
            let (mut integrity, mut resolved) = (None, None);
            for field in resolution.split(", ") {
                match field.split_once(": ") {
                    Some(("integrity", value)) => integrity = Some(unquote(value)),
                    Some(("tarball", value)) => resolved = Some(unquote(value)),
                    _ => {}
                }
            }
            pins.extend(pin(&Locked { name, version, resolved, integrity })?);
        }
    }
    Ok(pins)
}

fn resolution(line: &str) -> Option<&str> {
    line.strip_prefix("    resolution: {")?.trim_end().strip_suffix('}')
}

/// Reads a key without its colon; what follows the version, such as `(react@18.0.0)`, tells peers apart.
fn name_and_version(key: &str) -> Option<(&str, &str)> {
    let key = unquote(key);
    let key = key.split('(').next().unwrap_or(key);
    let key = key.strip_prefix('/').unwrap_or(key);
    let scope = if key.starts_with('@') { key.find('/')? + 1 } else { 0 };
    let split = scope + key[scope..].find(['@', '/'])?;
    let version = &key[split + 1..];
    Some((&key[..split], version.split('_').next().unwrap_or(version)))
}

fn unquote(text: &str) -> &str {
    let text = text.trim();
    ['\'', '"'].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(text)
}
