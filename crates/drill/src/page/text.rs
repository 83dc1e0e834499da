//! Words, numbers and names as people read them.

use std::time::Duration;

use maud::{Markup, html};
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

/// Shows a text of ours in which literals stand in backticks.
pub(super) fn marked(text: &str) -> Markup {
    let shown = shown(text);
    let parts: Vec<&str> = shown.split('`').collect();
    html! {
        @if parts.len().is_multiple_of(2) {
            // A backtick without a partner came from outside; then none is taken for ours.
            (shown)
        } @else {
            @for (index, part) in parts.iter().enumerate() {
                @if index.is_multiple_of(2) { (part) } @else { code { (part) } }
            }
        }
    }
}

/// Shows a text as [`marked`] does, beginning with a capital letter.
pub(super) fn sentence(text: &str) -> Markup {
    let mut chars = text.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    marked(&(first + chars.as_str()))
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
