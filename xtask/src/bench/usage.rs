//! What a command uses: wall time, and the time of processors with all its children.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::time;

/// The kernel counts the time of ended processes in these; fixed for programs since Linux 2.6 (time(7)).
const TICKS_PER_SECOND: f64 = 100.0;

/// Runs a command silently; returns how long it took, and the time of processors it used with its children.
pub(super) fn timed(command: &mut Command) -> Result<(Duration, f64)> {
    let before = used_by_children()?;
    let wall = time(command)?;
    Ok((wall, used_by_children()? - before))
}

/// Returns the seconds of processors that ended children of this process have used.
fn used_by_children() -> Result<f64> {
    seconds(&fs::read_to_string("/proc/self/stat")?, 15..=16)
}

/// Returns the seconds of processors that a process, its children that ended, and those that run have used.
pub(super) fn used_by(pid: u32) -> Result<f64> {
    let mut used = seconds(&fs::read_to_string(format!("/proc/{pid}/stat"))?, 13..=16)?;
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    for child in children.split_whitespace() {
        // One that ended meanwhile is counted with its parent.
        let stat = fs::read_to_string(format!("/proc/{child}/stat"));
        used += stat.map_or(Ok(0.0), |stat| seconds(&stat, 13..=16))?;
    }
    Ok(used)
}

/// Adds up fields of `/proc/PID/stat`: the time of the process, user and system, is the 14th and 15th, that of its children the
/// 16th and 17th, counted from 1 (proc(5)); here they are counted from 0.
fn seconds(stat: &str, fields: std::ops::RangeInclusive<usize>) -> Result<f64> {
    // The second one, a name in parentheses, may hold spaces.
    let rest = stat.rsplit_once(") ").context("`/proc/PID/stat` is not as documented")?.1;
    let all: Vec<&str> = rest.split_whitespace().collect();
    let wanted = all.get(fields.start() - 2..=fields.end() - 2).context("`/proc/PID/stat` is short")?;
    let ticks = wanted.iter().map(|field| field.parse::<f64>()).sum::<Result<f64, _>>()?;
    Ok(ticks / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_that_ended_are_counted() {
        let before = used_by_children().unwrap();
        let mut busy = Command::new("sh");
        let (wall, cpu) =
            timed(busy.args(["-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"])).unwrap();
        assert!(cpu > 0.0 && used_by_children().unwrap() >= before + cpu, "{cpu} in {wall:?}");
    }

    #[test]
    fn fields_are_those_of_the_manual() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 100 200 400 800 20 0 1 0 1 1 1";
        let check = |fields, expected: f64| {
            assert!((seconds(stat, fields).unwrap() - expected).abs() < 1e-9, "{expected}");
        };
        check(15..=16, 12.0);
        check(13..=16, 15.0);
        assert!(seconds("7 (a) S 1", 13..=16).is_err());
    }
}
