//! How long a room takes to start, beside the same command without one and in namespaces made by `unshare`.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::{Bench, Table, cell, folder, median, time};
use crate::project::{HELLO, Project};
use crate::step::{is_installed, run};

const N_PAIRS: usize = 30;

pub(super) const BENCH: Bench = Bench {
    name: "room",
    method: "`true`, run directly, by `unshare` in namespaces of its own, and by `outlast exec` in a room; wall time \
        of the whole command in milliseconds, 30 interleaved rounds after one that is not counted.",
    measure,
    quick: None,
};

fn measure() -> Result<Table> {
    let home = folder()?;
    let project = Project::prepare(&HELLO, &home.path().join("outlast"))?;
    run(&mut project.outlast(&["init"]))?;
    let direct = || {
        let mut command = Command::new("true");
        project.at(&project.path(), &mut command);
        command
    };
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net", "--mount", "--pid", "--ipc", "--fork", "true"]);
        project.at(&project.path(), &mut command);
        command
    };
    let has_peer = is_installed("unshare") && time(&mut unshare()).is_ok();
    let mut measured = [const { Vec::<Duration>::new() }; 3];
    for round in 0..=N_PAIRS {
        let times = [
            time(&mut direct())?,
            if has_peer { time(&mut unshare())? } else { Duration::ZERO },
            time(&mut project.outlast(&["exec", "--require-sealed", "--", "true"]))?,
        ];
        if round > 0 {
            measured.iter_mut().zip(times).for_each(|(list, one)| list.push(one));
        }
    }
    let base = median(&measured[0]);
    let mut rows = Vec::new();
    for (name, list) in ["directly", "unshare", "outlast exec"].iter().zip(&measured) {
        if *name != "unshare" || has_peer {
            rows.push(vec![(*name).to_owned(), cell(list), format!("{:+.1}", median(list) - base)]);
        }
    }
    Ok(Table { head: &["`true` run", "ms (quartiles)", "ms more than directly"], rows })
}
