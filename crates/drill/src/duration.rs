//! Durations as people write and read them: `15m`, `90s`, `500ms`.

use std::time::Duration;

/// The units, longest spelling first so that `ms` is not read as `m`.
const UNITS_MS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Reads a whole number and a unit: `500ms`, `90s`, `15m`, `2h` or `30d`.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let n_digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(n_digits);
    if number.is_empty() {
        return Err(DurationError::Number { text: text.to_owned() });
    }
    let (_, unit_ms) = UNITS_MS
        .into_iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(|| DurationError::Unit { unit: unit.to_owned() })?;
    let total_ms = number.parse().ok().and_then(|number: u64| number.checked_mul(unit_ms));
    total_ms.map(Duration::from_millis).ok_or_else(|| DurationError::TooLong { text: text.to_owned() })
}

/// Returns a duration in words for a person: `340 ms`, `12.4 s`, `4 min 3 s`, `2 h 5 min`, `3 d 4 h`.
pub fn format_duration(duration: Duration) -> String {
    let (total_ms, total_s) = (duration.as_millis(), duration.as_secs());
    match total_s {
        0 => format!("{total_ms} ms"),
        1..60 => format!("{}.{} s", total_s, duration.subsec_millis() / 100),
        60..3_600 => two(total_s / 60, "min", total_s % 60, "s"),
        3_600..86_400 => two(total_s / 3_600, "h", total_s % 3_600 / 60, "min"),
        _ => two(total_s / 86_400, "d", total_s % 86_400 / 3_600, "h"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        format!("{large} {large_unit}")
    } else {
        format!("{large} {large_unit} {small} {small_unit}")
    }
}

/// Why a duration could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It does not begin with a whole number.
    #[error("`{text}` does not begin with a whole number")]
    Number {
        /// What was written.
        text: String,
    },
    /// The unit is missing or unknown.
    #[error("unknown unit `{unit}`, known are ms, s, m, h and d")]
    Unit {
        /// What was written.
        unit: String,
    },
    /// More milliseconds than 64 bits hold.
    #[error("`{text}` is too long")]
    TooLong {
        /// What was written.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        let check = |text: &str, expected_ms: u64| {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(expected_ms)), "{text}");
        };
        check("500ms", 500);
        check("90s", 90_000);
        check("15m", 900_000);
        check("2h", 7_200_000);
        check("30d", 2_592_000_000);
        check("0s", 0);
    }

    #[test]
    fn what_is_not_a_duration_says_why() {
        let check = |text: &str, expected: &str| {
            assert_eq!(parse_duration(text).unwrap_err().to_string(), expected);
        };
        check("", "`` does not begin with a whole number");
        check("m", "`m` does not begin with a whole number");
        check("-5m", "`-5m` does not begin with a whole number");
        check("15", "unknown unit ``, known are ms, s, m, h and d");
        check("15 m", "unknown unit ` m`, known are ms, s, m, h and d");
        check("1.5h", "unknown unit `.5h`, known are ms, s, m, h and d");
        check("999999999999999999d", "`999999999999999999d` is too long");
        check("99999999999999999999999s", "`99999999999999999999999s` is too long");
    }

    #[test]
    fn a_duration_reads_well() {
        let check = |millis: u64, expected: &str| {
            assert_eq!(format_duration(Duration::from_millis(millis)), expected);
        };
        check(0, "0 ms");
        check(340, "340 ms");
        check(12_450, "12.4 s");
        check(243_000, "4 min 3 s");
        check(900_000, "15 min");
        check(7_500_000, "2 h 5 min");
        check(273_600_000, "3 d 4 h");
    }
}
