//! One way, played on one tool.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use super::origin::{self, Made};
use super::scene::{Ended, Scene, Side, State, missing, reachable, state};
use super::ways::{Harm, Way};
use crate::bench::git::keepers::Tool;
use crate::bench::git::plain;
use crate::step::output;

/// A bit more than one.
const SECOND: Duration = Duration::from_millis(1100);
/// What tools say where something is wrong or is destroyed.
const WORDS: [&str; 7] = ["error", "fatal", "warn", "skipping", "forced update", "[deleted]", "corrupt"];
/// What Outlast's journal is told then.
const EVENTS: [&str; 3] = ["down", "destroyed", "refused"];

/// What of a repository can still be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) n_lost: usize,
    /// Whether the refs can be had exactly as they should be.
    pub(super) is_back: bool,
}

/// What became of it.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) n_commits: usize,
    /// After the next run.
    pub(super) soon: Left,
    /// A month later, cleaned up.
    pub(super) later: Left,
    /// How the run ended that met it.
    pub(super) ended: Ended,
    /// Whether anything was written down of it, to a log or a journal.
    pub(super) is_told: bool,
    /// How the run ended that came after it was over, where it was.
    pub(super) mended: Option<Ended>,
}

/// Plays a way on a tool, which runs so many times in it.
pub(super) fn play(way: &Way, side: &Side, made: &Made, n_runs: usize) -> Result<Cell> {
    let (scene, tool) = (Scene::new(side, made, way.harm)?, side.0.tool);
    let mut moment = None;
    if !way.is_first {
        let ended = scene.run(scene.first()?, None)?;
        if ended != Ended::Code(0) {
            bail!("the first copy fails ({ended:?}): {}", scene.said());
        }
        another_second(tool);
        moment = Some(output(Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ"]))?.trim().to_owned());
    }
    let before = state(&scene.server.origin)?;
    let n_told = told(&scene)?;
    begin(&scene, way)?;
    let command = if way.is_first { scene.first()? } else { scene.again()? };
    if let Harm::Full = way.harm {
        scene.fill_disk()?;
    }
    let ended = scene.run(command, Some(way.harm))?;
    let said = scene.said().to_lowercase();
    let is_told = match tool {
        Tool::Outlast => told(&scene)? > n_told,
        _ => WORDS.iter().any(|word| said.contains(word)),
    };
    let is_for_good = matches!(way.harm, Harm::Destroyed(_));
    // What has an end needs no past.
    let moment = moment.as_deref().filter(|_| is_for_good);
    let soon = is_for_good.then(|| left(&scene, &before, &before.commits, moment)).transpose()?;
    if is_for_good || matches!(way.harm, Harm::Server(_)) && !way.is_slow {
        for _ in 1..n_runs {
            another_second(tool);
            scene.run(scene.again()?, None)?;
        }
    }
    let mended = end(&scene, way)?;
    let wanted = if mended.is_some() { state(&scene.server.origin)? } else { before.clone() };
    let commits: BTreeSet<String> = before.commits.union(&wanted.commits).cloned().collect();
    let soon = match soon {
        Some(soon) => soon,
        None => left(&scene, &wanted, &commits, moment)?,
    };
    scene.age()?;
    let later = later(&scene, &wanted, &commits, moment)?;
    Ok(Cell { n_commits: commits.len(), soon, later, ended, is_told, mended })
}

/// Begins what a way is about.
fn begin(scene: &Scene, way: &Way) -> Result<()> {
    if !matches!(way.harm, Harm::Destroyed(_)) {
        origin::grow(&scene.server.origin)?;
    }
    match way.harm {
        Harm::Destroyed(harm) => harm(&scene.server.origin),
        Harm::Damaged(harm) => {
            origin::save(&scene.server.origin)?;
            harm(&scene.server.origin)
        }
        Harm::Server(fault) => scene.server.serve(Some(fault)),
        Harm::Killed => scene.server.serve(Some("stalled")),
        Harm::Full => Ok(()),
    }
}

/// Ends it where it has an end, and lets the tool run once more.
fn end(scene: &Scene, way: &Way) -> Result<Option<Ended>> {
    match way.harm {
        Harm::Destroyed(_) => return Ok(None),
        Harm::Damaged(_) => origin::put_back(&scene.server.origin)?,
        Harm::Server(_) | Harm::Killed => scene.server.serve(None)?,
        Harm::Full => scene.free_disk()?,
    }
    another_second(scene.keeper.tool);
    scene.run(scene.again()?, None).map(Some)
}

/// Waits where generations or states are named by seconds.
fn another_second(tool: Tool) {
    if matches!(tool, Tool::GickupKeep | Tool::Outlast) {
        std::thread::sleep(SECOND);
    }
}

/// Returns how much Outlast's journal was told of what is wrong.
fn told(scene: &Scene) -> Result<usize> {
    if scene.keeper.tool != Tool::Outlast || !scene.keeper.own().join("journal/current.jsonl").exists() {
        return Ok(0);
    }
    Ok(scene.journal()?.iter().filter(|kind| EVENTS.contains(&kind.as_str())).count())
}

/// Looks at what whoever clones a copy would get.
fn left(scene: &Scene, wanted: &State, commits: &BTreeSet<String>, moment: Option<&str>) -> Result<Left> {
    let mut lost = commits.clone();
    for copy in scene.copies()? {
        let there = reachable(&copy).unwrap_or_default();
        lost.retain(|id| !there.contains(id));
    }
    Ok(Left { n_lost: lost.len(), is_back: is_back(scene, wanted, moment)? })
}

/// Looks at what is there at all; Outlast has to give it without what is derived.
fn later(scene: &Scene, wanted: &State, commits: &BTreeSet<String>, moment: Option<&str>) -> Result<Left> {
    let mut lost = commits.clone();
    for copy in scene.copies()? {
        lost = missing(&copy, &lost)?;
    }
    let mut n_lost = lost.len();
    if scene.keeper.tool == Tool::Outlast {
        output(&mut scene.outlast(&["store", "verify"])?)?;
        fs::remove_dir_all(scene.keeper.own().join("git"))?;
        scene.restored(moment)?;
        for copy in scene.copies()? {
            output(plain(Path::new("git"), &copy).args(["fsck", "--full"]))?;
            n_lost = n_lost.max(left_out(&copy, commits)?);
        }
    }
    Ok(Left { n_lost, is_back: is_back(scene, wanted, moment)? })
}

fn left_out(copy: &Path, commits: &BTreeSet<String>) -> Result<usize> {
    let there = reachable(copy)?;
    Ok(commits.iter().filter(|id| !there.contains(*id)).count())
}

fn is_back(scene: &Scene, wanted: &State, moment: Option<&str>) -> Result<bool> {
    if scene.keeper.tool == Tool::Outlast {
        return Ok(scene.restored(moment)?.refs == wanted.refs);
    }
    let has = |copy: &Path| state(copy).is_ok_and(|state| state.refs == wanted.refs);
    Ok(scene.copies()?.iter().any(|copy| has(copy)))
}
