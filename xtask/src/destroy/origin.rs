//! The repository that is destroyed, and what is done to it where it lies.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::bench::git::corpus::{History, ask, import, init};
use crate::bench::git::plain;
use crate::step::output;

const N_COMMITS: usize = 100;
const N_FILES: usize = 20;
const SEED: u64 = 9;
/// Of somebody else's repository.
const OTHER_SEED: u64 = 10;
/// Too random to be packed small: a disk with less room than this is full.
pub(super) const NOISE_BYTES: usize = 1 << 20;

/// Repositories that are made once and copied for each scene.
pub(super) struct Made {
    origin: PathBuf,
    other: PathBuf,
}

impl Made {
    pub(super) fn new(place: &Path) -> Result<Self> {
        let made = Self { origin: place.join("origin.git"), other: place.join("other.git") };
        make(&made.origin)?;
        make_other(&made.other)?;
        Ok(made)
    }

    /// Lays the repository into a folder that is not there yet.
    pub(super) fn lay(&self, into: &Path) -> Result<()> {
        copy(&self.origin, into)
    }

    /// Lays that of somebody else into a folder that is not there yet.
    pub(super) fn lay_other(&self, into: &Path) -> Result<()> {
        copy(&self.other, into)
    }
}

/// Makes a repository in which each branch and tag has something of its own.
fn make(folder: &Path) -> Result<()> {
    init(folder)?;
    ask(folder, &["config", "gc.auto", "0"])?;
    let mut history = History::with_files(SEED, N_FILES);
    import(folder, |mut to| history.write(N_COMMITS, &mut to))?;
    for (branch, from, n_commits) in
        [("feature", "main~15", 3), ("release", "main~40", 2), ("a", "main~19", 2), ("Case", "main~12", 2)]
    {
        ask(folder, &["branch", branch, from])?;
        for _ in 0..n_commits {
            commit(folder, branch, b"more\n")?;
        }
    }
    ask(folder, &["tag", "r1", "release~1"])?;
    ask(folder, &["tag", "r2", "main~11"])?;
    Ok(())
}

/// Makes a repository of somebody else's, with some of the same names.
fn make_other(folder: &Path) -> Result<()> {
    init(folder)?;
    let mut history = History::with_files(OTHER_SEED, N_FILES);
    import(folder, |mut to| history.write(N_COMMITS / 2, &mut to))?;
    Ok(())
}

/// Adds what a copy does not have yet, more than a packet holds.
pub(super) fn grow(folder: &Path) -> Result<()> {
    let mut noise = vec![0; NOISE_BYTES];
    fastrand::Rng::with_seed(SEED).fill(&mut noise);
    commit(folder, "main", &noise)?;
    ask(folder, &["branch", "new", "main"])?;
    commit(folder, "new", b"new\n")
}

/// Adds a commit to a branch, which begins with it where it is not there.
fn commit(folder: &Path, branch: &str, bytes: &[u8]) -> Result<()> {
    let parent = ask(folder, &["rev-parse", "--verify", "-q", branch]).unwrap_or_default();
    let number = ask(folder, &["rev-list", "--count", "--all"])?;
    let text = format!("commit {number} on {branch}");
    import(folder, |to| {
        writeln!(to, "commit refs/heads/{branch}\ncommitter A <a@example.com> 1767225600 +0000")?;
        writeln!(to, "data {}\n{text}", text.len())?;
        if !parent.is_empty() {
            writeln!(to, "from {parent}")?;
        }
        writeln!(to, "M 100644 inline new-{number}.txt\ndata {}", bytes.len())?;
        to.write_all(bytes)?;
        writeln!(to, "\n")
    })
}

fn set(folder: &Path, name: &str, to: &str) -> Result<()> {
    ask(folder, &["update-ref", name, to]).map(drop)
}

fn delete(folder: &Path, name: &str) -> Result<()> {
    ask(folder, &["update-ref", "-d", name]).map(drop)
}

/// Deletes what is not named.
fn delete_all_but(folder: &Path, spared: &[&str]) -> Result<()> {
    for name in ask(folder, &["for-each-ref", "--format=%(refname)"])?.lines() {
        if !spared.contains(&name) {
            delete(folder, name)?;
        }
    }
    Ok(())
}

fn orphan(folder: &Path) -> Result<()> {
    commit(folder, "gone", b"gone\n")?;
    set(folder, "refs/heads/main", "gone")
}

pub(super) fn orphan_alone(folder: &Path) -> Result<()> {
    orphan(folder)?;
    delete_all_but(folder, &["refs/heads/main"])
}

pub(super) fn main_unrelated(folder: &Path) -> Result<()> {
    orphan(folder)?;
    delete(folder, "refs/heads/gone")
}

pub(super) fn main_rewound(folder: &Path) -> Result<()> {
    set(folder, "refs/heads/main", "main~10")
}

pub(super) fn feature_amended(folder: &Path) -> Result<()> {
    set(folder, "refs/heads/feature", "feature~1")?;
    commit(folder, "feature", b"amended\n")
}

pub(super) fn branch_unrelated(folder: &Path) -> Result<()> {
    delete(folder, "refs/heads/release")?;
    commit(folder, "release", b"of no origin\n")
}

pub(super) fn branch_deleted(folder: &Path) -> Result<()> {
    delete(folder, "refs/heads/feature")
}

pub(super) fn branches_deleted(folder: &Path) -> Result<()> {
    for branch in ["feature", "release", "a", "Case"] {
        delete(folder, &format!("refs/heads/{branch}"))?;
    }
    Ok(())
}

pub(super) fn tag_moved(folder: &Path) -> Result<()> {
    delete(folder, "refs/heads/release")?;
    set(folder, "refs/tags/r1", "main")
}

pub(super) fn tag_deleted(folder: &Path) -> Result<()> {
    delete(folder, "refs/heads/release")?;
    delete(folder, "refs/tags/r1")
}

pub(super) fn default_renamed(folder: &Path) -> Result<()> {
    set(folder, "refs/heads/trunk", "main")?;
    ask(folder, &["symbolic-ref", "HEAD", "refs/heads/trunk"])?;
    delete(folder, "refs/heads/main")
}

pub(super) fn in_the_way(folder: &Path) -> Result<()> {
    delete(folder, "refs/heads/a")?;
    set(folder, "refs/heads/a/b", "main")
}

pub(super) fn case_changed(folder: &Path) -> Result<()> {
    delete(folder, "refs/heads/Case")?;
    set(folder, "refs/heads/case", "main")
}

pub(super) fn yesterday(folder: &Path) -> Result<()> {
    set(folder, "refs/heads/main", "main~3")?;
    set(folder, "refs/heads/feature", "feature~2")?;
    delete(folder, "refs/tags/r2")?;
    delete(folder, "refs/heads/a")
}

pub(super) fn rewritten(folder: &Path) -> Result<()> {
    let script = "git fast-export --all --signed-tags=strip --reencode=no | \
        sed -E 's/^(author|committer|tagger) Person/\\1 Nosrep/; s/^committer A </committer B </' | \
        git fast-import --quiet --force";
    output(plain(Path::new("sh"), folder).args(["-c", script])).map(drop)
}

pub(super) fn removed(folder: &Path) -> Result<()> {
    Ok(fs::remove_dir_all(folder)?)
}

pub(super) fn emptied(folder: &Path) -> Result<()> {
    removed(folder)?;
    init(folder)
}

pub(super) fn taken_over(folder: &Path) -> Result<()> {
    removed(folder)?;
    make_other(folder)
}

/// Puts a copy in its place that has not everything.
fn replace(folder: &Path, clone: &[&str]) -> Result<()> {
    let whole = folder.with_extension("whole");
    fs::rename(folder, &whole)?;
    ask(&whole, &["config", "uploadpack.allowFilter", "true"])?;
    let url = format!("file://{}", whole.display());
    let mut git = plain(Path::new("git"), Path::new("/"));
    output(git.args(["clone", "-q", "--mirror"]).args(clone).arg(url).arg(folder))?;
    removed(&whole)
}

pub(super) fn shallow(folder: &Path) -> Result<()> {
    replace(folder, &["--depth=3", "--no-single-branch"])
}

pub(super) fn partial(folder: &Path) -> Result<()> {
    replace(folder, &["--filter=blob:none"])
}

/// Loses a file's bytes on the origin's disk.
pub(super) fn object_missing(folder: &Path) -> Result<()> {
    let path = ask(folder, &["ls-tree", "--name-only", "new"])?;
    let newest = path.lines().rfind(|path| path.starts_with("new-")).context("nothing new")?;
    let id = ask(folder, &["rev-parse", &format!("new:{newest}")])?;
    let (start, rest) = id.split_at(2);
    Ok(fs::remove_file(folder.join("objects").join(start).join(rest))?)
}

/// Turns a byte of the origin's largest pack.
pub(super) fn bit_rot(folder: &Path) -> Result<()> {
    ask(folder, &["repack", "-adq"])?;
    let pack = fs::read_dir(folder.join("objects/pack"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|it| it == "pack"))
        .context("no pack")?;
    let mut bytes = fs::read(&pack)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::remove_file(&pack)?;
    Ok(fs::write(&pack, bytes)?)
}

/// Keeps a repository as it is, beside it.
pub(super) fn save(folder: &Path) -> Result<()> {
    copy(folder, &folder.with_extension("saved"))
}

/// Puts back what was saved.
pub(super) fn put_back(folder: &Path) -> Result<()> {
    let _ = fs::remove_dir_all(folder);
    copy(&folder.with_extension("saved"), folder)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    output(Command::new("cp").arg("-a").args([from, to])).map(drop)
}
