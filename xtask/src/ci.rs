//! Everything that must hold before a change lands; quick checks first.

use anyhow::Result;

use crate::{destroy, step, test, tidy, tools};

/// Runs what CI runs.
pub(crate) fn run() -> Result<()> {
    step::run(&mut step::cargo(&["fmt", "--all", "--check"]))?;
    tidy::run(&[])?;
    step::run(&mut step::cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]))?;
    let document = ["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"];
    step::run(step::cargo(&document).env("RUSTDOCFLAGS", "-D warnings"))?;
    tools::install()?;
    tools::install_servers()?;
    step::run(&mut step::cargo(&["test", "--workspace", "--no-run", "--quiet"]))?;
    destroy::quick(&step::target().join("debug/outlast"))?;
    test::run(&[])
}
