//! Times: RFC 3339 or the compact forms of addresses and file names.

pub use jiff::Timestamp;

/// Reads `2026-05-21T10:00:05Z`, `20260521T1000Z` or `20260521T100005Z`.
pub fn parse_time(text: &str) -> Result<Timestamp, jiff::Error> {
    let bare = text.strip_suffix('Z').unwrap_or(text);
    let is_compact = matches!(bare.len(), 13 | 15)
        && bare.as_bytes()[8] == b'T'
        && bare.bytes().enumerate().all(|(i, c)| i == 8 || c.is_ascii_digit());
    if !is_compact {
        return text.parse();
    }
    let seconds = if bare.len() == 15 { &bare[13..] } else { "00" };
    format!("{}-{}-{}T{}:{}:{seconds}Z", &bare[..4], &bare[4..6], &bare[6..8], &bare[9..11], &bare[11..13])
        .parse()
}

/// Returns `20260521T100005Z`, which sorts as text and needs no escaping.
pub fn format_compact(time: Timestamp) -> String {
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_form_is_read() {
        let expected: Timestamp = "2026-05-21T10:00:00Z".parse().unwrap();
        for text in
            ["20260521T1000Z", "20260521T100000Z", "2026-05-21T10:00:00Z", "2026-05-21T12:00:00+02:00"]
        {
            assert_eq!(parse_time(text).unwrap(), expected, "{text}");
        }
        for text in ["", "20260521", "20261321T1000Z", "2026052XT1000Z", "ééééééé"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
        assert_eq!(format_compact(expected), "20260521T100000Z");
    }
}
