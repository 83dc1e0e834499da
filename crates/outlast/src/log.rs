//! What the crates log, on stderr: errors always, the rest when asked for.
//!
//! Where a command runs in a room, stderr is the command's. What goes wrong meanwhile waits until the command has ended
//! and its result was told; with `-v` it stands among the command's own lines, as asked.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

use crate::speak::Stderr;

/// How many errors wait; of the rest only the number is told. Each may be about one of thousands of files.
const N_WAITING_MAX: usize = 20;

/// What waits, while something does.
static WAITING: Mutex<Option<Waiting>> = Mutex::new(None);

/// Errors that are told later.
#[derive(Debug, Default)]
struct Waiting {
    texts: Vec<String>,
    n_more: usize,
}

impl Waiting {
    fn take(&mut self, text: String) {
        if self.texts.contains(&text) {
            return;
        }
        if self.texts.len() < N_WAITING_MAX {
            self.texts.push(text);
        } else {
            self.n_more += 1;
        }
    }

    fn tell(&self, to: &mut impl Write) -> io::Result<()> {
        for text in &self.texts {
            to.write_all(text.as_bytes())?;
        }
        if self.n_more > 0 {
            writeln!(to, "ERROR and {} more; hint: with -v each is shown when it happens", self.n_more)?;
        }
        Ok(())
    }
}

/// Sends what the crates log to stderr.
pub(crate) fn begin(verbose: u8) {
    let lines = tracing_subscriber::fmt().without_time();
    match verbose {
        0 => lines.with_max_level(tracing::Level::ERROR).with_target(false).with_writer(Patient).init(),
        1 => lines.with_max_level(tracing::Level::INFO).with_writer(|| Stderr).init(),
        _ => lines.with_max_level(tracing::Level::DEBUG).with_writer(|| Stderr).init(),
    }
}

/// Lets errors wait until the returned value is dropped.
#[must_use]
pub(crate) fn wait() -> Silence {
    waiting().get_or_insert_default();
    Silence
}

/// As long as it lives, errors wait.
#[derive(Debug)]
pub(crate) struct Silence;

impl Drop for Silence {
    fn drop(&mut self) {
        if let Some(waiting) = waiting().take() {
            let _ = waiting.tell(&mut Stderr);
        }
    }
}

/// Gives each logged error to stderr, or to what waits.
#[derive(Debug, Clone, Copy)]
struct Patient;

impl MakeWriter<'_> for Patient {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

impl Write for Patient {
    /// Takes one whole event: the subscriber writes each with one call.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *waiting() {
            Some(waiting) => {
                waiting.take(String::from_utf8_lossy(bytes).into_owned());
                Ok(bytes.len())
            }
            None => Stderr.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn waiting() -> MutexGuard<'static, Option<Waiting>> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[String], expected: &str) {
        let mut waiting = Waiting::default();
        for text in texts {
            waiting.take(text.clone());
        }
        let mut told = Vec::new();
        waiting.tell(&mut told).unwrap();
        assert_eq!(String::from_utf8(told).unwrap(), expected);
    }

    #[test]
    fn what_waits_is_told_once_and_is_bounded() {
        check(&[], "");
        check(&["ERROR a\n", "ERROR b\n", "ERROR a\n"].map(str::to_owned), "ERROR a\nERROR b\n");
        let many: Vec<String> = (0..N_WAITING_MAX + 2).map(|n| format!("ERROR {n}\n")).collect();
        let hint = "ERROR and 2 more; hint: with -v each is shown when it happens\n";
        check(&many, &format!("{}{hint}", many[..N_WAITING_MAX].concat()));
    }
}
