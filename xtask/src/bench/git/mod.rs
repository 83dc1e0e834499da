//! Keeping repositories, beside what people keep them with today.

mod clones;
pub(crate) mod corpus;
mod first;
pub(crate) mod keepers;
mod large;
mod load;
mod past;
mod poll;
pub(crate) mod upstream;
mod wire;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use super::{Bench, Table, folder, quantile};
use crate::step::{cargo, is_installed, output, run, target};

pub(super) const ALL: [Bench; 5] = [poll::BENCH, first::BENCH, clones::BENCH, past::BENCH, large::BENCH];
/// Where a binary lies that was built already.
pub(crate) const BINARY: &str = "OUTLAST_BENCH_BINARY";
const HEAD: &[&str] = &["what", "who", "measured (quartiles)", "of the first"];

/// How much is measured.
struct Sizes {
    /// How Outlast is built.
    profile: &'static str,
    n_rounds: usize,
    /// Rounds of polls, which take minutes.
    n_polls: usize,
    /// How many repositories are polled, and how many refs each has.
    polled: [(usize, usize); 2],
    /// Commits of the repository that is copied, served and looked back at.
    n_commits: usize,
    n_syncs: usize,
    n_states: usize,
    /// Of these so many are asked for.
    n_moments: usize,
    /// How long there is load in each round.
    load: Duration,
    /// How many refs are very many, and how large a file is very large.
    n_refs: usize,
    blob_mb: usize,
}

const WHOLE: Sizes = Sizes {
    profile: "release",
    n_rounds: 5,
    n_polls: 3,
    polled: [(2000, 4), (200, 1000)],
    n_commits: 5000,
    n_syncs: 300,
    n_states: 10_000,
    n_moments: 20,
    load: Duration::from_secs(8),
    n_refs: 100_000,
    blob_mb: 2048,
};
/// As much as shows that everything runs, with the build that tests have made.
const QUICK: Sizes = Sizes {
    profile: "dev",
    n_rounds: 1,
    n_polls: 1,
    polled: [(6, 4), (6, 40)],
    n_commits: 200,
    n_syncs: 4,
    n_states: 6,
    n_moments: 2,
    load: Duration::from_secs(1),
    n_refs: 500,
    blob_mb: 8,
};

/// Returns Outlast's binary, with everything else that is needed.
fn prepare(sizes: &Sizes) -> Result<PathBuf> {
    binary(sizes.profile)
}

/// Returns Outlast's binary as it is built with a profile, once the programs are there that serve and keep repositories.
pub(crate) fn binary(profile: &str) -> Result<PathBuf> {
    for program in ["git", "nginx", "fcgiwrap", "python3", "time", "xargs"] {
        if !is_installed(program) {
            let hint = "apt-get install -y git nginx-light fcgiwrap python3-venv time findutils";
            bail!("`{program}` is not installed; hint: {hint}");
        }
    }
    if let Some(file) = std::env::var_os(BINARY) {
        return Ok(std::path::absolute(file)?);
    }
    run(&mut cargo(&["build", "--quiet", "--profile", profile, "-p", "outlast"]))?;
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(target().join(folder).join("outlast"))
}

/// Returns a command in a folder that knows nothing of this machine's settings.
pub(crate) fn plain(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.current_dir(folder).env_clear().env("PATH", path).env("HOME", folder);
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
    command
}

/// Returns what a folder takes on a disk.
fn disk_mb(folder: &Path) -> Result<f64> {
    let said = output(plain(Path::new("du"), folder).args(["-sk", "."]))?;
    let kilobytes: f64 = said.split_whitespace().next().unwrap_or_default().parse()?;
    Ok(kilobytes / 1024.0)
}

/// Returns a median with its quartiles, as a cell of a table.
fn quartiles(measured: &[f64], n_digits: usize) -> String {
    let [low, middle, high] = [0.25, 0.5, 0.75].map(|part| quantile(measured, part));
    format!("{middle:.n_digits$} ({low:.n_digits$}–{high:.n_digits$})")
}

/// One figure of several, each measured in the same rounds.
struct Figure<'a> {
    what: String,
    n_digits: usize,
    sides: Vec<(&'a str, Vec<f64>)>,
}

impl Figure<'_> {
    /// Returns a row for each: the median with its quartiles, and the median of the rounds' own ratios to the first.
    fn rows(&self) -> Vec<Vec<String>> {
        let Some((_, first)) = self.sides.first() else { return Vec::new() };
        let row = |(who, measured): &(&str, Vec<f64>)| {
            let ratios: Vec<f64> = measured.iter().zip(first).map(|(own, first)| own / first).collect();
            let ratio = quantile(&ratios, 0.5);
            let ratio = if ratio < 0.1 { format!("{ratio:.3}") } else { format!("{ratio:.2}") };
            vec![self.what.clone(), (*who).to_owned(), quartiles(measured, self.n_digits), ratio]
        };
        self.sides.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stands_beside_the_first_of_its_round() {
        let sides = vec![("git", vec![1.0, 2.0, 4.0]), ("other", vec![0.5, 1.0, 1.0]), ("once", vec![3.0])];
        let rows = Figure { what: "s".to_owned(), n_digits: 1, sides }.rows();
        assert_eq!(rows[0], ["s", "git", "2.0 (2.0–4.0)", "1.00"]);
        assert_eq!(rows[1], ["s", "other", "1.0 (1.0–1.0)", "0.50"]);
        assert_eq!(rows[2], ["s", "once", "3.0 (3.0–3.0)", "3.00"]);
    }
}
