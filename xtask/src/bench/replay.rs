//! Sealed replays of the examples beside the direct runs, both from empty caches.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::usage::timed;
use super::{Bench, Table, cell, folder, median, quantile, ratio, text};
use crate::project::{Example, HELLO, MANY, Project};
use crate::step::run;

const N_ROUNDS: usize = 11;

pub(super) const BENCH: Bench = Bench {
    name: "replay",
    method: "Two projects: `hello` (4 crates and 3 npm packages, built) and `many` (182 crates and 313 npm packages, \
        `cargo fetch` and `npm ci`, not built). Each is recorded once (`exec --fresh`), then run directly from the \
        real registries with an empty HOME in a new folder, and by `outlast drill` with every host cut; wall time in \
        milliseconds, 11 interleaved rounds after one that is not counted. The drill's figure is the whole command: \
        making the room, copying the project, the run, comparing outputs, signing evidence, removing the copies; the \
        line above it is the run inside the room alone. The drill chooses memory for its copies where they fit, while \
        the direct run is on disk; the last line is the same drill made to use the disk (`TMPDIR`). A ratio is the \
        median of the rounds' own ratios. CPU seconds are of all processes, user and system, the median.",
    measure,
    quick: None,
};

/// What one kind of run took.
#[derive(Debug)]
struct Series {
    wall: Vec<Duration>,
    cpu: Vec<f64>,
}

impl Series {
    fn row(&self, example: &Example, what: &str, direct: &Self) -> Vec<String> {
        let cpu = match quantile(&self.cpu, 0.5) {
            cpu if cpu.is_nan() => String::new(),
            cpu => format!("{cpu:.2}"),
        };
        let ratio = ratio(&self.wall, &direct.wall);
        vec![example.name.to_owned(), what.to_owned(), cell(&self.wall), ratio, cpu]
    }
}

fn measure() -> Result<Table> {
    let mut rows = Vec::new();
    for example in [&HELLO, &MANY] {
        let [direct, inside, whole, on_disk] = rounds(example)?;
        rows.push(direct.row(example, "direct", &direct));
        rows.push(inside.row(example, "sealed replay, the run alone", &direct));
        rows.push(whole.row(example, "sealed replay, the whole drill", &direct));
        rows.push(on_disk.row(example, "the whole drill, made to use the disk", &direct));
        eprintln!("{}: {:.0} ms directly", example.name, median(&direct.wall));
    }
    Ok(Table { head: &["project", "run", "ms (quartiles)", "÷ direct (quartiles)", "CPU s"], rows })
}

/// Returns direct runs, the runs inside drills, the drills, and drills on disk.
fn rounds(example: &'static Example) -> Result<[Series; 4]> {
    let place = folder()?;
    let project = Project::prepare(example, &place.path().join("outlast"))?;
    run(&mut project.outlast(&["init"]))?;
    run(&mut project.outlast(&[&["exec", "--fresh"], &example.arguments()[..]].concat()))?;
    let disk = place.path().join("disk");
    fs::create_dir(&disk)?;
    let mut all = [const { Series { wall: Vec::new(), cpu: Vec::new() } }; 4];
    for round in 0..=N_ROUNDS {
        let name = |what: &str| place.path().join(format!("{what}{round}"));
        let (home, copy, evidence) = (name("home"), name("copy"), name("evidence"));
        project.lay(&copy)?;
        let direct = timed(project.with_home(&home, &copy, &mut Command::new(example.command)))?;
        let options = ["drill", "--evidence", text(&evidence)?];
        let mut drill = project.outlast(&[&options, &example.arguments()[..]].concat());
        let whole = timed(drill.env_remove("TMPDIR"))?;
        let report: Value = serde_json::from_slice(&fs::read(evidence.join("report.json"))?)?;
        let alone = Duration::from_millis(report["duration_ms"].as_u64().context("no `duration_ms`")?);
        let mut drill = project.outlast(&[&["drill"], &example.arguments()[..]].concat());
        let on_disk = timed(drill.env("TMPDIR", &disk))?;
        if round > 0 {
            for (series, (wall, cpu)) in all.iter_mut().zip([direct, (alone, f64::NAN), whole, on_disk]) {
                series.wall.push(wall);
                series.cpu.push(cpu);
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_the_median_of_the_rounds_own() {
        let series =
            |list: [u64; 3]| Series { wall: list.map(Duration::from_millis).to_vec(), cpu: vec![1.5] };
        let (direct, other) = (series([100, 200, 400]), series([50, 200, 100]));
        let row = other.row(&HELLO, "other", &direct);
        assert_eq!(row, ["hello", "other", "100.0 (100.0–200.0)", "0.50 (0.50–1.00)", "1.50"]);
    }
}
