//! A sealed replay of the example beside the direct build, both from empty caches.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{Bench, Table, cell, folder, median, text, time};
use crate::project::{BUILD, OUTPUT, Project};
use crate::step::run;

const N_PAIRS: usize = 7;

pub(super) const BENCH: Bench = Bench {
    name: "replay",
    method: "The example project (4 crates, 3 npm packages), built directly from the real registries with an empty \
        HOME and without earlier outputs, and by `outlast drill` with every host cut; wall time in milliseconds, 7 \
        interleaved pairs. The drill's figure includes copying the project, comparing outputs and signing evidence; \
        the line above it is the build inside the room alone.",
    measure,
};

fn measure() -> Result<Table> {
    let place = folder()?;
    let project = Project::prepare(&place.path().join("outlast"))?;
    run(&mut project.outlast(&["init"]))?;
    run(&mut project.outlast(&["exec", "--fresh", "--output", OUTPUT, "--", BUILD]))?;
    let (mut direct, mut inside, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..N_PAIRS {
        let (home, copy) =
            (place.path().join(format!("home{round}")), place.path().join(format!("copy{round}")));
        project.lay(&copy)?;
        direct.push(time(project.with_home(&home, &copy, &mut Command::new(BUILD)))?);

        let evidence = place.path().join(format!("evidence{round}"));
        let drill = ["drill", "--output", OUTPUT, "--evidence", text(&evidence)?, "--", BUILD];
        whole.push(time(&mut project.outlast(&drill))?);
        let report: Value = serde_json::from_slice(&fs::read(evidence.join("report.json"))?)?;
        inside.push(Duration::from_millis(report["duration_ms"].as_u64().context("no `duration_ms`")?));
    }
    let row = |name: &str, list: &[Duration]| {
        vec![name.to_owned(), cell(list), format!("{:.2}", median(list) / median(&direct))]
    };
    let rows = vec![
        row("direct build", &direct),
        row("sealed replay, the build alone", &inside),
        row("sealed replay, the whole drill", &whole),
    ];
    Ok(Table { head: &["run", "ms (quartiles)", "÷ direct"], rows })
}
