//! One part of an object, as a client asks for it and as an answer names it.

use http::HeaderValue;

/// One byte range (RFC 9110 §14.1.2); several at once are answered with the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    From(u64, Option<u64>),
    Last(u64),
}

impl Range {
    /// Reads a `Range` header; nothing where it is not one range of bytes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
        if first.is_empty() {
            return last.parse().ok().map(Self::Last);
        }
        let last = if last.is_empty() { None } else { Some(last.parse().ok()?) };
        Some(Self::From(first.parse().ok()?, last))
    }

    /// Returns the first byte and the one after the last.
    pub(crate) fn within(self, size: u64) -> Option<(u64, u64)> {
        let (start, end) = match self {
            Self::From(first, last) => (first, last.map_or(size, |last| last.saturating_add(1).min(size))),
            Self::Last(n) => (size.saturating_sub(n), size),
        };
        (start < end).then_some((start, end))
    }
}

/// Returns the `Content-Range` of a part; it has at least one byte.
pub(crate) fn of_part(start: u64, end: u64, size: u64) -> HeaderValue {
    HeaderValue::try_from(format!("bytes {start}-{}/{size}", end - 1)).expect("digits are a header value")
}

/// Returns the `Content-Range` that says that there is no such part.
pub(crate) fn of_nothing(size: u64) -> HeaderValue {
    HeaderValue::try_from(format!("bytes */{size}")).expect("digits are a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_name_the_bytes_they_say() {
        let check = |text: &str, expected: Option<(u64, u64)>| {
            assert_eq!(Range::parse(text).and_then(|range| range.within(10)), expected, "{text}");
        };
        check("bytes=0-0", Some((0, 1)));
        check("bytes=2-", Some((2, 10)));
        check("bytes=5-99", Some((5, 10)));
        check("bytes=-3", Some((7, 10)));
        check("bytes=-99", Some((0, 10)));
        for text in ["bytes=10-", "bytes=5-2", "bytes=-0", "bytes=a-b", "items=0-1", "bytes=0-1,3-4"] {
            check(text, None);
        }
        check("bytes=0-18446744073709551615", Some((0, 10)));
    }
}
