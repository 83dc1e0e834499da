//! Paths from outside: refused when hostile, decoded exactly once.

use std::borrow::Cow;

/// The longest path that is accepted; the longest in real registries has under 1 KB.
const PATH_BYTES_MAX: usize = 4 * 1024;

/// Why a path is refused without asking anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Hostile {
    /// A `..` between slashes, plain or escaped.
    #[error("path climbs out of its folder with `..`")]
    Traversal,
    /// A backslash, which some servers take for a slash.
    #[error("path has a backslash")]
    Backslash,
    /// NUL, a line end or another control character.
    #[error("path has a control character")]
    Control,
    /// A `%` that is not followed by two hexadecimal digits.
    #[error("path has a `%` without two hexadecimal digits")]
    Escape,
    /// Longer than 4 KB.
    #[error("path is longer than 4 KB")]
    TooLong,
    /// A slash escaped as `%2f` where a name must stand.
    #[error("path hides a slash in a name")]
    Slash,
    /// A package name that no registry would give out.
    #[error("package name is longer than any registry allows")]
    NameTooLong,
}

impl Hostile {
    /// Returns the status that says so.
    pub const fn status(self) -> u16 {
        match self {
            Self::TooLong => 414,
            Self::Traversal
            | Self::Backslash
            | Self::Control
            | Self::Escape
            | Self::Slash
            | Self::NameTooLong => 400,
        }
    }
}

/// Refuses a path that tries to be read differently by two servers.
///
/// `classify` calls it for the path of an `ObjectUrl`, which is already normalised; whoever holds the path as the
/// client sent it should call it on that as well. `%2f` alone is fine: forges use it in the names of projects.
pub fn check_path(path: &str) -> Result<(), Hostile> {
    if path.len() > PATH_BYTES_MAX {
        return Err(Hostile::TooLong);
    }
    let decoded = decode(path.as_bytes())?;
    for &byte in decoded.iter() {
        match byte {
            0..=0x1f | 0x7f => return Err(Hostile::Control),
            b'\\' => return Err(Hostile::Backslash),
            _ => {}
        }
    }
    if decoded.split(|&byte| byte == b'/').any(|segment| segment == b"..") {
        return Err(Hostile::Traversal);
    }
    Ok(())
}

/// One part of a path between slashes.
#[derive(Debug, Clone)]
pub(crate) struct Segment<'a> {
    /// As it stands in the address.
    pub(crate) raw: &'a str,
    /// Decoded once; it may contain a slash that was escaped.
    pub(crate) text: Cow<'a, str>,
}

/// Splits a path that [`check_path`] let pass, without its leading slash; `None` if it is not UTF-8 once decoded.
pub(crate) fn segments(path: &str) -> Option<Vec<Segment<'_>>> {
    path.strip_prefix('/')?.split('/').map(|raw| Some(Segment { raw, text: decoded(raw)? })).collect()
}

/// Returns a text whose `%41` are decoded once; `None` if it is not UTF-8 then.
pub(crate) fn decoded(raw: &str) -> Option<Cow<'_, str>> {
    Some(match decode(raw.as_bytes()).ok()? {
        Cow::Borrowed(_) => Cow::Borrowed(raw),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8(bytes).ok()?),
    })
}

/// Returns the path of leading segments as it stands in the address: empty, or `/a/b`.
pub(crate) fn base(segments: &[Segment<'_>]) -> String {
    let mut base = String::new();
    for segment in segments {
        base.push('/');
        base.push_str(segment.raw);
    }
    base
}

fn decode(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Hostile> {
    if !bytes.contains(&b'%') {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            decoded.push(*first);
            continue;
        }
        let [high, low, tail @ ..] = rest else {
            return Err(Hostile::Escape);
        };
        decoded.push(nibble(*high)? << 4 | nibble(*low)?);
        rest = tail;
    }
    Ok(Cow::Owned(decoded))
}

const fn nibble(byte: u8) -> Result<u8, Hostile> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        b'A'..=b'F' => Ok(byte - b'A' + 10),
        _ => Err(Hostile::Escape),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_path_is_refused_and_a_strange_one_is_not() {
        let check = |path: &str, expected: Result<(), Hostile>| {
            assert_eq!(check_path(path), expected, "{path}");
        };
        check("/a/../b", Err(Hostile::Traversal));
        check("/a/%2e%2E/b", Err(Hostile::Traversal));
        check("/a%2f..%2fb", Err(Hostile::Traversal));
        check("/..", Err(Hostile::Traversal));
        check("/a\\b", Err(Hostile::Backslash));
        check("/a%5cb", Err(Hostile::Backslash));
        check("/a%00", Err(Hostile::Control));
        check("/a%0d%0aHost:%20evil", Err(Hostile::Control));
        check("/a\u{7f}", Err(Hostile::Control));
        check("/100%", Err(Hostile::Escape));
        check("/%zz", Err(Hostile::Escape));
        check("/%2", Err(Hostile::Escape));
        check(&"/a".repeat(PATH_BYTES_MAX), Err(Hostile::TooLong));
        check("/", Ok(()));
        check("/a..b/..c/d../...", Ok(()));
        check("/api/v4/projects/group%2Fproject", Ok(()));
        check("/caf%C3%A9/%FF", Ok(()));
        check("/%252e%252e/", Ok(()));
    }

    #[test]
    fn segments_are_decoded_once() {
        let texts = |path: &str| -> Option<Vec<String>> {
            Some(segments(path)?.into_iter().map(|segment| segment.text.into_owned()).collect())
        };
        assert_eq!(texts("/@a%2fb/c"), Some(vec!["@a/b".to_owned(), "c".to_owned()]));
        assert_eq!(texts("/%252e"), Some(vec!["%2e".to_owned()]));
        assert_eq!(texts("/"), Some(vec![String::new()]));
        assert_eq!(texts("/%FF"), None);
    }
}
