//! Named benchmarks: peers beside us in one run, ratios printed, docs/BENCHMARKS.md rewritten on request.

mod composer;
pub(crate) mod doors;
pub(crate) mod git;
mod hang;
mod overhead;
mod peers;
mod replay;
mod room;
mod scale;
mod usage;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::step::{output, root};

const DOCUMENT: &str = "docs/BENCHMARKS.md";
/// Where benchmarks of the group `git` are written down.
const DOCUMENT_OF_GIT: &str = "docs/BENCHMARKS-GIT.md";
const INTRODUCTION: &str = "# Benchmarks\n\nWritten by `cargo xtask bench --write`. Pairs are interleaved, so that a \
    busy moment of the machine meets both sides; figures are medians, with the quartiles behind them.\n";

/// One benchmark.
struct Bench {
    name: &'static str,
    /// What is measured and how, for the document.
    method: &'static str,
    measure: fn() -> Result<Table>,
    /// The same with so little that it only shows that everything runs.
    quick: Option<fn() -> Result<Table>>,
}

impl Bench {
    /// Returns whether a name is its own, or that of a group: `git` is `git-poll` and all others of git.
    fn is_called(&self, name: &str) -> bool {
        self.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }
}

/// In the order of the document.
fn all() -> impl Iterator<Item = Bench> {
    let one_each = [
        room::BENCH,
        replay::BENCH,
        overhead::BENCH,
        composer::BENCH,
        hang::BENCH,
        doors::BENCH,
        scale::BENCH,
    ];
    one_each.into_iter().chain(git::ALL)
}

/// What was measured.
#[derive(Debug)]
pub(crate) struct Table {
    head: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

/// Measures the named benchmarks, or all.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let (flags, names): (Vec<&str>, Vec<&str>) =
        arguments.iter().partition(|argument| argument.starts_with("--"));
    if let Some(unknown) = flags.iter().find(|flag| !["--write", "--quick"].contains(flag)) {
        bail!("unknown option `{unknown}`; hint: `--write` or `--quick`");
    }
    let is_quick = flags.contains(&"--quick");
    if is_quick && flags.contains(&"--write") {
        bail!("what is quick is not worth writing down; hint: leave out one of the two");
    }
    if let Some(unknown) = names.iter().find(|name| !all().any(|bench| bench.is_called(name))) {
        let known: Vec<&str> = all().map(|bench| bench.name).collect();
        bail!("there is no benchmark `{unknown}`; hint: {}", known.join(", "));
    }
    for bench in all().filter(|bench| names.is_empty() || names.iter().any(|name| bench.is_called(name))) {
        let measure = match (is_quick, bench.quick) {
            (true, Some(quick)) => quick,
            (true, None) => bail!("`{}` has no quick form", bench.name),
            (false, _) => bench.measure,
        };
        let table = measure().with_context(|| format!("benchmark `{}`", bench.name))?;
        let text = markdown(&table);
        println!("{}\n\n{text}", bench.name);
        if flags.contains(&"--write") {
            let path = root().join(if bench.is_called("git") { DOCUMENT_OF_GIT } else { DOCUMENT });
            let old = fs::read_to_string(&path).unwrap_or_else(|_| INTRODUCTION.to_owned());
            let section = format!("{}\n\n{text}\nMeasured {}.\n", bench.method, circumstances()?);
            fs::write(&path, put(&old, bench.name, &section))?;
        }
    }
    Ok(())
}

fn markdown(table: &Table) -> String {
    let mut text = format!("| {} |\n", table.head.join(" | "));
    text.push_str(&format!("|{}\n", " --- |".repeat(table.head.len())));
    for row in &table.rows {
        text.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    text
}

/// Puts a section between its marks, at the end where it has none yet.
pub(crate) fn put(document: &str, name: &str, section: &str) -> String {
    let (start, end) = (format!("<!-- bench {name} -->"), format!("<!-- end {name} -->"));
    let whole = format!("{start}\n{section}{end}");
    match (document.find(&start), document.find(&end)) {
        (Some(from), Some(to)) if from < to => {
            format!("{}{whole}{}", &document[..from], &document[to + end.len()..])
        }
        _ => format!("{}\n## {name}\n\n{whole}\n", document),
    }
}

/// Returns when and on what was measured.
pub(crate) fn circumstances() -> Result<String> {
    let date = output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    let cores = std::thread::available_parallelism()?;
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("an unnamed processor", |(_, name)| name.trim());
    Ok(format!("{} on {cores} cores of {model}", date.trim()))
}

/// Runs a command silently and returns how long it took; a failure is an error.
pub(crate) fn time(command: &mut Command) -> Result<Duration> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let started = Instant::now();
    let output = command.output()?;
    let took = started.elapsed();
    if !output.status.success() {
        bail!("{:?} failed ({}): {}", command, output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(took)
}

/// Returns a quantile (0.5: the median) of what was measured.
pub(crate) fn quantile(measured: &[f64], part: f64) -> f64 {
    let mut sorted = measured.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index of a short list")]
    #[expect(clippy::cast_precision_loss, reason = "an index of a short list")]
    let index = ((sorted.len() as f64 - 1.0) * part).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

fn milliseconds(measured: &[Duration]) -> Vec<f64> {
    measured.iter().map(|one| one.as_secs_f64() * 1000.0).collect()
}

/// Returns the median in milliseconds.
pub(crate) fn median(measured: &[Duration]) -> f64 {
    quantile(&milliseconds(measured), 0.5)
}

/// Returns a median in milliseconds with its quartiles, as a cell of a table.
pub(crate) fn cell(measured: &[Duration]) -> String {
    let measured = milliseconds(measured);
    let [low, middle, high] = [0.25, 0.5, 0.75].map(|part| quantile(&measured, part));
    format!("{middle:.1} ({low:.1}–{high:.1})")
}

/// Returns the median of the rounds' own ratios with its quartiles, as a cell of a table.
pub(crate) fn ratio(measured: &[Duration], direct: &[Duration]) -> String {
    let ratios: Vec<f64> =
        measured.iter().zip(direct).map(|(own, direct)| own.as_secs_f64() / direct.as_secs_f64()).collect();
    let [low, middle, high] = [0.25, 0.5, 0.75].map(|part| quantile(&ratios, part));
    format!("{middle:.2} ({low:.2}–{high:.2})")
}

/// Returns a new folder for a home of Outlast; it is gone when dropped.
pub(crate) fn folder() -> Result<tempfile::TempDir> {
    Ok(tempfile::Builder::new().prefix("outlast-bench-").tempdir()?)
}

/// Returns a path as text.
pub(crate) fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a folder whose name is no text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_added_once_and_then_replaced() {
        let first = put("# B\n", "room", "one\n");
        assert_eq!(first, "# B\n\n## room\n\n<!-- bench room -->\none\n<!-- end room -->\n");
        let other = put(&first, "replay", "x\n");
        let second = put(&other, "room", "two\n");
        assert!(second.contains("two") && second.contains('x') && !second.contains("one"), "{second}");
        assert_eq!(second.matches("## room").count(), 1);
    }

    #[test]
    fn a_name_is_that_of_one_or_of_a_group() {
        let check = |name: &str, expected: &[&str]| {
            let called: Vec<&str> = all().filter(|it| it.is_called(name)).map(|it| it.name).collect();
            assert_eq!(called, expected, "{name}");
        };
        check("room", &["room"]);
        check("git", &["git-poll", "git-first", "git-clones", "git-past", "git-large"]);
        check("git-poll", &["git-poll"]);
        check("g", &[]);
        check("git-", &[]);
    }

    #[test]
    fn quantiles_are_of_the_sorted_list() {
        let measured = [5.0, 1.0, 3.0, 2.0, 4.0];
        let check = |part: f64, expected: f64| assert!((quantile(&measured, part) - expected).abs() < 1e-9);
        check(0.5, 3.0);
        check(0.25, 2.0);
        check(1.0, 5.0);
    }
}
