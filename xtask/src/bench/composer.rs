//! How much longer `composer install` takes in an outage than normally.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{Bench, Table, cell, folder, quantile};
use crate::step::{cargo, run};
use crate::tools;

const N_ROUNDS: usize = 5;

pub(super) const BENCH: Bench = Bench {
    name: "composer",
    method: "`composer install` of an untouched lock of 30 packages in the Composers of three Debians, with empty \
        caches, from Packagist and GitHub as the tests play them on loopback: directly while all is well, and through \
        `outlast exec` while all four hosts fail; wall time of the whole command in milliseconds, 5 rounds of the \
        tests that also check what was installed, with their debug build of Outlast. The last column is the largest \
        difference of any round.",
    measure,
    quick: None,
};

fn measure() -> Result<Table> {
    let tools = tools::install()?;
    let place = folder()?;
    let times = place.path().join("times");
    let mut tests =
        cargo(&["test", "--quiet", "--package", "outlast", "--test", "it", "composer::composer_2_"]);
    tests.args(["--", "--test-threads=1"]).env("OUTLAST_TEST_TOOLS", tools).env("OUTLAST_TIMES", &times);
    for _ in 0..N_ROUNDS {
        run(&mut tests)?;
    }
    let mut cases: BTreeMap<(String, String), Vec<[Duration; 2]>> = BTreeMap::new();
    for line in fs::read_to_string(&times)?.lines() {
        let (composer, fault, took) = read(line).with_context(|| format!("a line of times: {line}"))?;
        cases.entry((composer, fault)).or_default().push(took);
    }
    let rows = cases.into_iter().map(|((composer, fault), took)| row(composer, fault, &took)).collect();
    Ok(Table {
        head: &["Composer", "fault", "normal ms (quartiles)", "outage ms (quartiles)", "ms more, at most"],
        rows,
    })
}

/// Reads `2.5 hang 900 1200`.
fn read(line: &str) -> Option<(String, String, [Duration; 2])> {
    let [composer, fault, normal, outage] = line.split(' ').collect::<Vec<_>>().try_into().ok()?;
    let took = |text: &str| text.parse().ok().map(Duration::from_millis);
    Some((composer.to_owned(), fault.to_owned(), [took(normal)?, took(outage)?]))
}

fn row(composer: String, fault: String, took: &[[Duration; 2]]) -> Vec<String> {
    let [normal, outage] = [0, 1].map(|which| took.iter().map(|pair| pair[which]).collect::<Vec<_>>());
    let more: Vec<f64> =
        took.iter().map(|[normal, outage]| (outage.as_secs_f64() - normal.as_secs_f64()) * 1000.0).collect();
    vec![composer, fault, cell(&normal), cell(&outage), format!("{:+.0}", quantile(&more, 1.0))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_a_cell_of_its_case() {
        let (composer, fault, took) = read("2.5 hang 900 1200").unwrap();
        let row = row(composer, fault, &[took, took.map(|took| took * 2)]);
        assert_eq!(row, ["2.5", "hang", "1800.0 (900.0–1800.0)", "2400.0 (1200.0–2400.0)", "+600"]);
        assert_eq!(read("2.5 hang 900"), None);
    }
}
