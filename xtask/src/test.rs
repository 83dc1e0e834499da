//! Installs what tests need, runs them all, and closes with one line that sums up.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use crate::{step, tools};

/// Runs the tests; arguments go to `cargo test`.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let tools = tools::install()?;
    let is_for_some = arguments.iter().any(|argument| ["-p", "--package"].contains(argument));
    let whole: &[&str] = if is_for_some { &[] } else { &["--workspace"] };
    let mut command = step::cargo(&["test", "--no-fail-fast"]);
    command.args(whole).args(arguments).env("OUTLAST_TEST_TOOLS", &tools).stdout(Stdio::piped());
    eprintln!("==> cargo test --no-fail-fast {}", [whole, arguments].concat().join(" "));
    let mut child = command.spawn().context("`cargo test` cannot be started")?;
    let stdout = child.stdout.take().context("no pipe from `cargo test`")?;
    let mut sum = Sum::default();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        sum.add(&line);
    }
    let status = child.wait()?;
    println!("{}", sum.line());
    if !status.success() {
        bail!("`cargo test` failed ({status})");
    }
    if sum.n_passed == 0 {
        bail!("no test was run");
    }
    Ok(())
}

/// What all test programs said at their ends.
#[derive(Debug, Default)]
struct Sum {
    n_passed: u64,
    n_failed: u64,
    n_skipped: u64,
}

impl Sum {
    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 0 ignored; …`; others say nothing.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for count in counts.split(';') {
            let Some((number, word)) = count.trim().split_once(' ') else { continue };
            let number = number.parse().unwrap_or(0);
            match word {
                "passed" => self.n_passed += number,
                "failed" => self.n_failed += number,
                "ignored" => self.n_skipped += number,
                _ => {}
            }
        }
    }

    fn line(&self) -> String {
        let skipped =
            if self.n_skipped == 0 { String::new() } else { format!(", {} skipped", self.n_skipped) };
        format!("{} passed, {} failed{skipped}", self.n_passed, self.n_failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_sums_up() {
        let check = |lines: &[&str], expected: &str| {
            let mut sum = Sum::default();
            lines.iter().for_each(|line| sum.add(line));
            assert_eq!(sum.line(), expected);
        };
        let good =
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.10s";
        let bad = "test result: FAILED. 1 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out";
        check(&[good, "test a ... ok", good], "6 passed, 0 failed");
        check(&[good, bad], "4 passed, 2 failed, 1 skipped");
        check(&["5 passed; 1 failed"], "0 passed, 0 failed");
    }
}
