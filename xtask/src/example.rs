//! The README's main job: records the example project from the real registries, cuts everything off, builds it again.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::project::{HELLO, Project};
use crate::step::{Exit, root, run, status, target};

/// Runs the example from nothing to verified evidence; its exit code is the drill's.
pub(crate) fn run_example() -> Result<()> {
    let place = target().join("example");
    if place.exists() {
        fs::remove_dir_all(&place)?;
    }
    fs::create_dir_all(&place)?;
    let (home, evidence, record) = (place.join("home"), place.join("evidence"), place.join("record.json"));
    let project = Project::prepare(&HELLO, &home)?;

    println!("\n1. A home for Outlast, and the first build, live and from empty caches\n");
    run(&mut project.outlast(&["init"]))?;
    let record_text = text(&record)?;
    let exec = ["exec", "--fresh", "--record", record_text];
    run(&mut project.outlast(&[&exec, &HELLO.arguments()[..]].concat()))?;
    let recorded = read(&record)?;
    println!("\nWhat it touched:\n\n{}", hosts(&recorded));

    println!("2. The same build, with every host cut off and nothing but what Outlast keeps\n");
    let drill = ["drill", "--evidence", text(&evidence)?];
    let ended = status(&mut project.outlast(&[&drill, &HELLO.arguments()[..]].concat()))?;
    let Ok(report) = read(&evidence.join("report.json")) else {
        anyhow::bail!("the drill left no report.json ({ended})");
    };
    println!("\n{}", verdict(&recorded, &report));

    println!("3. The evidence, checked offline\n");
    run(&mut project.outlast(&["evidence", "verify", text(&evidence)?]))?;
    println!(
        "\nThe evidence lies in {}: open report.html, or read README.txt for the check without Outlast.",
        short(&evidence)
    );
    println!(
        "Your own project: outlast exec -- make, then outlast drill -- make   ({})",
        short(&target().join("release/outlast"))
    );
    match ended.code() {
        Some(0) => Ok(()),
        code => Err(Exit(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)).into()),
    }
}

fn read(path: &Path) -> Result<Value> {
    let text = fs::read(path).with_context(|| format!("`{}` cannot be read", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("`{}` is no JSON", path.display()))
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("the workspace lies in a folder whose name is no text")
}

/// Shows a path from where the user is.
fn short(path: &Path) -> String {
    path.strip_prefix(root()).map_or_else(|_| path.to_owned(), PathBuf::from).display().to_string()
}

/// Returns the hosts of a record as a table.
fn hosts(record: &Value) -> String {
    let mut table = format!("  {:<32} {:>8} {:>12}  kept\n", "host", "requests", "bytes");
    for host in record["hosts"].as_array().into_iter().flatten() {
        let name = format!("{}:{}", host["host"].as_str().unwrap_or("?"), host["port"]);
        let kept = if host["kept"] == true { "yes" } else { "no" };
        let (n, size) = (host["n_requests"].to_string(), host["size_bytes"].to_string());
        table.push_str(&format!("  {name:<32} {n:>8} {size:>12}  {kept}\n"));
    }
    table
}

/// Returns the verdict with the measured times.
fn verdict(recorded: &Value, report: &Value) -> String {
    let seconds = |value: &Value, key: &str| match value[key].as_f64() {
        None => "-".to_owned(),
        Some(ms) if ms < 100.0 => format!("{ms} ms"),
        Some(ms) => format!("{:.2} s", ms / 1000.0),
    };
    let mut text = format!("   {}\n\n", report["verdict"].as_str().unwrap_or("no verdict").to_uppercase());
    for (what, value) in [
        ("live build", seconds(recorded, "duration_ms")),
        ("sealed build", seconds(report, "duration_ms")),
        ("outage detected after", seconds(report, "detected_ms")),
        ("recovered after", seconds(report, "recovered_ms")),
        ("bytes from hosts that were cut", report["bytes_from_cut_hosts"].to_string()),
    ] {
        text.push_str(&format!("   {what:<31} {value}\n"));
    }
    for reason in report["reasons"].as_array().into_iter().flatten() {
        text.push_str(&format!("   reason: {}\n", reason.as_str().unwrap_or_default()));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_is_shown_by_host() {
        let record = json!({ "hosts": [
            { "host": "index.crates.io", "port": 443, "n_requests": 7, "size_bytes": 4096, "kept": true },
            { "host": "lost.example", "port": 80, "n_requests": 1, "size_bytes": 2, "kept": false },
        ] });
        let table = hosts(&record);
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["index.crates.io:443", "7", "4096", "yes"]);
        assert_eq!(lines[2], ["lost.example:80", "1", "2", "no"]);
    }

    #[test]
    fn a_verdict_has_its_reasons_and_says_what_was_not_measured() {
        let report = json!({ "verdict": "fail", "duration_ms": 1500, "detected_ms": 2, "reasons": ["one blob is missing"] });
        let text = verdict(&json!({ "duration_ms": 2000 }), &report);
        for part in [
            "FAIL",
            "live build                      2.00 s",
            "1.50 s",
            "detected after           2 ms",
            "recovered after                 -",
            "reason: one blob is missing",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("PASS"));
    }
}
