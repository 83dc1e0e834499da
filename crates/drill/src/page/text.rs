//! Words, numbers and names as people read them.

use std::time::Duration;

use model::Timestamp;

use crate::duration::format_duration;

/// The longest name shown; report.json has it whole.
const SHOWN_CHARS_MAX: usize = 2_000;

/// Makes what is invisible visible: control characters, and those that change the direction of writing, with which a
/// name can be made to look like another.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (index, c) in text.chars().enumerate() {
        if index == SHOWN_CHARS_MAX {
            shown.push('…');
            break;
        }
        let is_invisible = c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if is_invisible {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Returns `21 May 2026, 10:00:05 UTC`.
pub(super) fn time(time: Timestamp) -> String {
    time.strftime("%-d %B %Y, %H:%M:%S UTC").to_string()
}

/// Returns a duration in words, or a dash.
pub(super) fn millis(millis: Option<u64>) -> String {
    millis.map_or_else(|| "–".to_owned(), |millis| format_duration(Duration::from_millis(millis)))
}

/// Returns `1.4 MB`; decimal units, as disks are sold.
pub(super) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["bytes", "kB", "MB", "GB"] {
        if value < 1_000.0 {
            return if unit == "bytes" { format!("{bytes} {unit}") } else { format!("{value:.1} {unit}") };
        }
        value /= 1_000.0;
    }
    format!("{value:.1} TB")
}

/// Returns `1 object` or `7 objects`.
pub(super) fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}
