//! What a hung upstream costs: the first request for what is held, and later ones.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::{Bench, Table, cell, folder, text};
use crate::step::{cargo, run, target};

const N_ROUNDS: usize = 9;
const N_LATER: usize = 20;
const URL: &str = "https://registry.npmjs.org/left-pad";

pub(super) const BENCH: Bench = Bench {
    name: "hang",
    method: "One curl asks 21 times on one connection for an index that is held, while its registry hangs (`outlast \
        exec --cut registry.npmjs.org=hang`, `index_fresh_for = \"0s\"`): milliseconds from the sent request to the \
        first byte of the answer, 9 rounds with a copy of the store in which nothing is known to be down; the later \
        ones are the medians of each round's 20, and the slowest of all.",
    measure,
    quick: None,
};

fn measure() -> Result<Table> {
    run(&mut cargo(&["build", "--quiet", "--release", "-p", "outlast"]))?;
    let place = folder()?;
    let own = place.path().join("own");
    fs::create_dir(&own)?;
    fs::write(own.join("outlast.toml"), "[limits]\nindex_fresh_for = \"0s\"\n")?;
    curl(place.path(), &own, &[], 1)?;
    let (mut first, mut later, mut slowest) = (Vec::new(), Vec::new(), Duration::ZERO);
    for round in 0..N_ROUNDS {
        let copy = place.path().join(format!("own{round}"));
        run(Command::new("cp").arg("-a").arg(&own).arg(&copy))?;
        let mut took = curl(place.path(), &copy, &["--cut", "registry.npmjs.org=hang"], 1 + N_LATER)?;
        first.push(took.remove(0));
        took.sort_unstable();
        slowest = slowest.max(took[N_LATER - 1]);
        later.push(took[N_LATER / 2]);
    }
    let rows = vec![
        vec!["the first".to_owned(), cell(&first)],
        vec!["later ones".to_owned(), cell(&later)],
        vec!["the slowest of the later ones".to_owned(), format!("{:.1}", slowest.as_secs_f64() * 1000.0)],
    ];
    Ok(Table { head: &["request", "ms (quartiles)"], rows })
}

/// Asks some times in one room; returns how long each answer took to begin.
fn curl(place: &Path, own: &Path, options: &[&str], n_times: usize) -> Result<Vec<Duration>> {
    let format = "%{time_pretransfer} %{time_starttransfer} %{http_code}\n";
    let mut asked = Command::new(target().join("release/outlast"));
    asked.args(["exec", "-q", "--home", text(own)?]).args(options).args(["--", "curl", "-sS", "-w", format]);
    asked.args((0..n_times).flat_map(|_| ["-o", "/dev/null", URL])).current_dir(place);
    let output = asked.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    let said = String::from_utf8(output.stdout)?;
    let took: Option<Vec<Duration>> = said.lines().map(read).collect();
    let took = took.with_context(|| format!("an answer without its times, or not 200: {said}"))?;
    if took.len() != n_times {
        bail!("{} answers in place of {n_times}", took.len());
    }
    Ok(took)
}

/// Reads `0.001 0.901 200`.
fn read(line: &str) -> Option<Duration> {
    let [sent, begun] = line.strip_suffix(" 200")?.split_once(' ').map(<[&str; 2]>::from)?;
    let [sent, begun]: [f64; 2] = [sent.parse().ok()?, begun.parse().ok()?];
    Duration::try_from_secs_f64(begun - sent).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_takes_from_the_sent_request_to_its_first_byte() {
        assert_eq!(read("0.5 1.5 200"), Some(Duration::from_secs(1)));
        assert_eq!(read("0.5 1.5 503"), None);
        assert_eq!(read("0.5"), None);
    }
}
