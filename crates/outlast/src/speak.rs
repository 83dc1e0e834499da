//! Words for people: stdout for data, stderr for everything else.

use std::fmt::Display;
use std::io::{self, Write as _};

use anyhow::anyhow;
use indicatif::{ProgressBar, ProgressStyle};

use crate::command_line::Global;
use crate::failure::Failure;

/// Writes data to stdout. A reader that has gone, as in `outlast status | head`, ends the command quietly.
pub(crate) fn data(text: &dyn Display) -> Result<(), Failure> {
    to_stdout(|| writeln!(io::stdout(), "{text}"))
}

/// As [`data`], for what writes itself.
pub(crate) fn to_stdout(write: impl FnOnce() -> io::Result<()>) -> Result<(), Failure> {
    match sandbox::check_stdout().and_then(|()| write()).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::no(anyhow!(error).context("could not write to standard output"))
                .hint("check where standard output leads"))
        }
        _ => Ok(()),
    }
}

/// Writes data to stdout as JSON.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(Failure::no)?;
    data(&text)
}

/// Says something to a person, unless asked to be quiet.
pub(crate) fn say(global: &Global, text: &dyn Display) {
    if !global.quiet {
        tell(text);
    }
}

/// Returns a bar that shows how far long work is, by a template of `indicatif`; nothing is seen of it where there is no terminal.
pub(crate) fn bar(global: &Global, template: &str) -> ProgressBar {
    let bar = if global.quiet { ProgressBar::hidden() } else { ProgressBar::new(0) };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// Says something to a person, asked to be quiet or not. That nobody can be told changes nothing else.
pub(crate) fn tell(text: &dyn Display) {
    let _ = Stderr.write_all(format!("{text}\n").as_bytes());
}

/// Standard error as it is written to from everywhere in Outlast: what it does not take is lost, and no error. A full
/// disk or a reader that has gone (`2>&1 | head -1`) is no reason for another exit code, where `eprintln!` panics.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stderr;

impl io::Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns a name as one word of a line: without letters that move a terminal's cursor or turn its lines around, and not
/// longer than `n_letters_max`.
pub(crate) fn in_line(text: &str, n_letters_max: usize) -> String {
    let moves = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut line = String::new();
    for (n, letter) in text.chars().enumerate() {
        if n == n_letters_max {
            line.push('…');
            break;
        }
        if moves(letter) {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
    }
    line
}

/// Returns `1 object`, `2 objects`, `3 repositories`.
pub(crate) fn count(n: u64, noun: &str) -> String {
    match noun.strip_suffix('y') {
        _ if n == 1 => format!("{n} {noun}"),
        Some(stem) => format!("{n} {stem}ies"),
        None => format!("{n} {noun}s"),
    }
}

/// Returns the day and minute of a moment.
pub(crate) fn minute(at: model::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

/// Returns a size in units of 1000 bytes, as package clients show it.
pub(crate) fn size(size_bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    for (unit, unit_bytes) in UNITS {
        if size_bytes >= unit_bytes {
            let tenths = size_bytes / (unit_bytes / 10);
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{size_bytes} B")
}

/// Returns a duration as `850 ms`, `12.3 s` or `4 min 5 s`.
pub(crate) fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_its_line() {
        assert_eq!(in_line("café: \"a\" 'b' \\", 99), "café: \"a\" 'b' \\");
        assert_eq!(in_line("a\nb\t\u{1b}[2J\u{202e}c\u{9b}", 99), r"a\nb\t\u{1b}[2J\u{202e}c\u{9b}");
        assert_eq!((in_line("abc", 3), in_line("abcd", 3)), ("abc".into(), "abc…".into()));
    }

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(
            (size(999), size(1_250), size(12_345_678)),
            ("999 B".into(), "1.2 kB".into(), "12.3 MB".into())
        );
        assert_eq!(
            (duration(12), duration(1_250), duration(125_000)),
            ("12 ms".into(), "1.2 s".into(), "2 min 5 s".into())
        );
        assert_eq!((count(1, "host"), count(0, "host")), ("1 host".into(), "0 hosts".into()));
        assert_eq!((count(1, "copy"), count(2, "copy")), ("1 copy".into(), "2 copies".into()));
    }
}
