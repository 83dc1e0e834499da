//! Everything that must hold before a change lands; quick checks first.

use anyhow::Result;

use crate::{step, test, tidy};

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
    test::run(&[])
}
