//! One origin, one tool that keeps a copy of it, and what can be asked of both.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::origin::Made;
use super::server::{self, Running, Server};
use super::ways::Harm;
use crate::bench::git::corpus::ask;
use crate::bench::git::keepers::{Keeper, Tool};
use crate::bench::git::plain;
use crate::bench::{folder, text};
use crate::step::output;

pub(super) const NAME: &str = "app";
const REPOSITORY: &str = "forge.example/acme/app";
/// Longer than the patience of everybody who has any.
const RUN_WITHIN: Duration = Duration::from_secs(20 * 60);
/// As long as a run waits in the middle of a pack before it is killed.
const KILL_AFTER: Duration = Duration::from_millis(300);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The disk of the copies, and what is left of it when it is full.
const DISK: &str = "size=64m";
const DISK_LEFT_BYTES: u64 = 96 << 10;

/// A tool, and the server that it asks.
pub(super) type Side = (Keeper, server::Way);

pub(super) struct Scene {
    place: tempfile::TempDir,
    pub(super) server: Server,
    pub(super) keeper: Keeper,
    names: [String; 1],
    has_disk: bool,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Code(i32),
    Killed,
    /// It waits for ever, as far as anybody waited.
    Waits,
}

/// Refs and commits of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub(super) refs: BTreeSet<String>,
    pub(super) commits: BTreeSet<String>,
}

impl Scene {
    /// Makes an origin behind a server, for a tool, with a small disk where that is to be full.
    pub(super) fn new((tool, way): &Side, made: &Made, harm: Harm) -> Result<Self> {
        let place = folder()?;
        let server = Server::start(&place.path().join("server"), *way, made, NAME)?;
        let disk = place.path().join("disk");
        fs::create_dir(&disk)?;
        let has_disk = matches!(harm, Harm::Full);
        if has_disk {
            output(Command::new("mount").args(["-t", "tmpfs", "-o", DISK, "tmpfs"]).arg(&disk))?;
        }
        let keeper = tool.elsewhere(&disk.join("own"))?;
        Ok(Self { place, server, keeper, names: [NAME.to_owned()], has_disk })
    }

    /// Returns the command that gets the first copy.
    pub(super) fn first(&self) -> Result<Command> {
        match &self.server.running {
            Running::Http(upstream) => self.keeper.first(upstream, &self.names),
            Running::Plain { url, .. } => self.outlast(&["adopt", "-q", url]),
        }
    }

    /// Returns what is run every day: for git's loop it is the clone where there is no folder yet.
    pub(super) fn again(&self) -> Result<Command> {
        match (self.keeper.tool, &self.server.running) {
            (Tool::Git, Running::Http(upstream)) if !self.keeper.copy(NAME, upstream).exists() => {
                self.first()
            }
            _ => self.keeper.again(&self.names),
        }
    }

    /// Runs the tool to its end, or kills it where the server waits if that is the harm.
    pub(super) fn run(&self, mut command: Command, harm: Option<Harm>) -> Result<Ended> {
        let log = fs::File::create(self.log())?;
        if let Running::Plain { ssh, .. } = &self.server.running {
            command.env("GIT_SSH_COMMAND", ssh);
        }
        command.process_group(0).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let started = Instant::now();
        let mut child = command.spawn()?;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status.code().map_or(Ended::Killed, Ended::Code));
            }
            let is_caught = matches!(harm, Some(Harm::Killed)) && self.server.waits();
            if is_caught || started.elapsed() > RUN_WITHIN {
                std::thread::sleep(KILL_AFTER);
                let group = format!("-{}", child.id());
                output(Command::new("kill").args(["-9", "--", &group]))?;
                child.wait()?;
                return Ok(if is_caught { Ended::Killed } else { Ended::Waits });
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn log(&self) -> PathBuf {
        self.place.path().join("log")
    }

    /// Returns what the last run said.
    pub(super) fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log()).unwrap_or_default()).into_owned()
    }

    /// Takes the space that is left on the disk of the copies.
    pub(super) fn fill_disk(&self) -> Result<()> {
        let own = text(self.keeper.own())?;
        let free = output(Command::new("df").args(["--output=avail", "-B1", own]))?;
        let free: u64 = free.lines().last().unwrap_or_default().trim().parse()?;
        let mut filler = fs::File::create(self.keeper.own().join("filler"))?;
        let mut left = free.saturating_sub(DISK_LEFT_BYTES);
        let block = vec![1; 1 << 16];
        while left > 0 {
            let n = block.len().min(usize::try_from(left)?);
            filler.write_all(&block[..n])?;
            left -= n as u64;
        }
        Ok(())
    }

    pub(super) fn free_disk(&self) -> Result<()> {
        Ok(fs::remove_file(self.keeper.own().join("filler"))?)
    }

    /// Returns every bare repository that the tool keeps, generations included.
    pub(super) fn copies(&self) -> Result<Vec<PathBuf>> {
        let find = output(Command::new("find").arg(self.keeper.own()).args(["-name", "HEAD", "-type", "f"]))?;
        let folders = find.lines().filter_map(|path| Some(Path::new(path).parent()?.to_owned()));
        Ok(folders.filter(|folder| folder.join("objects").is_dir()).collect())
    }

    /// Lets two months go by, and cleans up as git's users do.
    pub(super) fn age(&self) -> Result<()> {
        let touch = ["-exec", "touch", "-h", "-d", "60 days ago", "{}", "+"];
        output(Command::new("find").arg(self.keeper.own()).args(touch))?;
        for copy in self.copies()? {
            // Half a repository cannot be cleaned up.
            let _ = ask(&copy, &["gc", "--quiet"]);
        }
        Ok(())
    }

    /// Runs Outlast in the home of the copies.
    pub(super) fn outlast(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = plain(self.keeper.program(), self.place.path());
        command.args(arguments).args(["--home", text(self.keeper.own())?]);
        Ok(command)
    }

    /// Returns what Outlast calls the repository.
    fn repository(&self) -> &str {
        match &self.server.running {
            Running::Http(_) => REPOSITORY,
            Running::Plain { url, .. } => url,
        }
    }

    /// Has Outlast give the repository back, as it was at a moment, or as it is.
    pub(super) fn restored(&self, moment: Option<&str>) -> Result<State> {
        let into = self.place.path().join("restored");
        let _ = fs::remove_dir_all(&into);
        let at = moment.map(|moment| vec!["--at", moment]).unwrap_or_default();
        let arguments = [&["restore", self.repository(), "--mirror", text(&into)?], &at[..]].concat();
        output(&mut self.outlast(&arguments)?)?;
        state(&into)
    }

    /// Returns the kinds of what Outlast's journal was told, in their order.
    pub(super) fn journal(&self) -> Result<Vec<String>> {
        let text = fs::read_to_string(self.keeper.own().join("journal/current.jsonl"))?;
        let kind = |line: &str| Some(line.split_once("\"kind\":\"")?.1.split('"').next()?.to_owned());
        Ok(text.lines().filter_map(kind).collect())
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.server.serve(None);
        if self.has_disk {
            let _ = Command::new("umount").arg(self.place.path().join("disk")).status();
        }
    }
}

/// Returns the refs and commits of a repository.
pub(super) fn state(folder: &Path) -> Result<State> {
    let listed = ask(folder, &["for-each-ref", "--format=%(refname) %(objectname)"])?;
    let of_outlast = |name: &&str| !name.starts_with("refs/outlast/");
    let mut refs: BTreeSet<String> = listed.lines().filter(of_outlast).map(str::to_owned).collect();
    refs.insert(format!("HEAD {}", ask(folder, &["symbolic-ref", "HEAD"])?));
    Ok(State { refs, commits: reachable(folder)? })
}

/// Returns the commits that some ref reaches.
pub(super) fn reachable(folder: &Path) -> Result<BTreeSet<String>> {
    Ok(ask(folder, &["rev-list", "--all"])?.lines().map(str::to_owned).collect())
}

/// Returns which of some commits are not there, reachable or not.
pub(super) fn missing(folder: &Path, commits: &BTreeSet<String>) -> Result<BTreeSet<String>> {
    let mut git = plain(Path::new("git"), folder);
    let mut child =
        git.args(["cat-file", "--batch-check"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let input: String = commits.iter().map(|id| format!("{id}\n")).collect();
    child.stdin.take().context("no pipe to git")?.write_all(input.as_bytes())?;
    let said = String::from_utf8(child.wait_with_output()?.stdout)?;
    let there: BTreeSet<&str> =
        said.lines().filter_map(|line| line.split_once(" commit ")).map(|(id, _)| id).collect();
    Ok(commits.iter().filter(|id| !there.contains(id.as_str())).cloned().collect())
}
