//! Repositories with the shape of real histories, from a seed: the same seed gives the same commits everywhere.
//!
//! What a real history looks like to a server and a client: a few files change in a commit, by a few lines each, so that objects are
//! deltas of others; trees lie in trees; a quarter of all commits are merges; names of tags and branches grow with it; text is
//! words that come again.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use fastrand::Rng;

use super::plain;
use crate::step::output;

const N_WORDS: usize = 4000;
/// Files of a whole history when it begins; one commit in a few adds another.
const N_FILES_AT_FIRST: usize = 300;
const N_LINES_AT_MOST: usize = 2000;
/// Commits between two tags.
const N_TO_TAG: usize = 80;
/// 2020-01-01.
const FIRST_SECOND: u64 = 1_577_836_800;

/// A history that can be written on.
pub(crate) struct History {
    rng: Rng,
    words: Vec<String>,
    files: Vec<File>,
    /// How many files it begins with.
    n_files_at_first: usize,
    n_commits: usize,
    n_tags: usize,
    topic: Option<Topic>,
    /// Branches that git has in memory: it finds what one had before it was started by another spelling.
    begun: BTreeSet<String>,
}

#[derive(Clone)]
struct File {
    path: String,
    lines: Vec<String>,
}

/// A branch that will be merged.
struct Topic {
    name: String,
    changed: BTreeMap<usize, File>,
    n_left: usize,
    is_begun: bool,
}

impl History {
    /// Returns one without commits.
    pub(crate) fn new(seed: u64) -> Self {
        Self::with_files(seed, N_FILES_AT_FIRST)
    }

    /// Returns one without commits that will begin with so many files.
    pub(crate) fn with_files(seed: u64, n_files_at_first: usize) -> Self {
        let mut rng = Rng::with_seed(seed);
        let words = (0..N_WORDS).map(|_| word(&mut rng)).collect();
        let (files, begun) = (Vec::new(), BTreeSet::new());
        Self { rng, words, files, n_files_at_first, n_commits: 0, n_tags: 0, topic: None, begun }
    }

    /// Writes commits as one `git fast-import` reads them.
    pub(crate) fn write(&mut self, n_commits: usize, to: &mut impl Write) -> std::io::Result<()> {
        self.begun.clear();
        for _ in 0..n_commits {
            match &self.topic {
                None if self.n_commits > 0 && self.rng.u8(0..100) < 35 => {
                    let n_left = 1 + self.rng.usize(0..3);
                    let name = format!("refs/heads/topic-{}", self.n_commits);
                    self.topic = Some(Topic { name, changed: BTreeMap::new(), n_left, is_begun: false });
                    self.commit_on_topic(to)?;
                }
                Some(topic) if topic.n_left == 0 => self.merge(to)?,
                Some(_) if self.rng.u8(0..100) < 70 => self.commit_on_topic(to)?,
                _ => self.commit(to)?,
            }
            self.n_commits += 1;
            if self.n_commits.is_multiple_of(N_TO_TAG) {
                self.tag(to)?;
            }
        }
        Ok(())
    }

    fn commit(&mut self, to: &mut impl Write) -> std::io::Result<()> {
        if self.files.is_empty() {
            self.files = (0..self.n_files_at_first).map(|_| self.new_file()).collect();
            self.head("refs/heads/main", to)?;
            self.begun.insert("refs/heads/main".to_owned());
            for file in &self.files {
                put(file, to)?;
            }
            return writeln!(to);
        }
        self.head("refs/heads/main", to)?;
        self.go_on("refs/heads/main", to)?;
        for _ in 0..self.n_changed() {
            let number = self.pick();
            let mut file = self.files[number].clone();
            self.edit(&mut file);
            put(&file, to)?;
            self.files[number] = file;
        }
        if self.rng.u8(0..100) < 8 {
            let file = self.new_file();
            put(&file, to)?;
            self.files.push(file);
        }
        writeln!(to)
    }

    fn commit_on_topic(&mut self, to: &mut impl Write) -> std::io::Result<()> {
        let Some(mut topic) = self.topic.take() else { return Ok(()) };
        self.head(&topic.name, to)?;
        match topic.is_begun {
            true => self.go_on(&topic.name, to)?,
            false => writeln!(to, "from refs/heads/main")?,
        }
        self.begun.insert(topic.name.clone());
        for _ in 0..self.n_changed() {
            let number = self.pick();
            let mut file = topic.changed.get(&number).unwrap_or(&self.files[number]).clone();
            self.edit(&mut file);
            put(&file, to)?;
            topic.changed.insert(number, file);
        }
        writeln!(to)?;
        topic.is_begun = true;
        topic.n_left -= 1;
        self.topic = Some(topic);
        Ok(())
    }

    fn merge(&mut self, to: &mut impl Write) -> std::io::Result<()> {
        let Some(topic) = self.topic.take() else { return Ok(()) };
        self.head("refs/heads/main", to)?;
        self.go_on("refs/heads/main", to)?;
        writeln!(to, "merge {}", topic.name)?;
        for (number, file) in topic.changed {
            put(&file, to)?;
            self.files[number] = file;
        }
        writeln!(to)?;
        // Most are deleted once they are merged.
        if self.rng.u8(0..100) < 95 {
            let nothing = "0".repeat(40);
            writeln!(to, "reset {}\nfrom {nothing}\n", topic.name)?;
        }
        Ok(())
    }

    fn tag(&mut self, to: &mut impl Write) -> std::io::Result<()> {
        self.n_tags += 1;
        let message = self.text(6);
        write!(to, "tag v{}\nfrom refs/heads/main\n", self.n_tags)?;
        writeln!(to, "tagger {}\ndata {}\n{message}", self.person(), message.len())
    }

    fn head(&mut self, branch: &str, to: &mut impl Write) -> std::io::Result<()> {
        let n_lines = 1 + self.rng.usize(0..12);
        let message = self.text(n_lines);
        let person = self.person();
        writeln!(
            to,
            "commit {branch}\nauthor {person}\ncommitter {person}\ndata {}\n{message}",
            message.len()
        )
    }

    /// Continues a branch.
    fn go_on(&mut self, branch: &str, to: &mut impl Write) -> std::io::Result<()> {
        match self.begun.insert(branch.to_owned()) {
            true => writeln!(to, "from {branch}^0"),
            false => Ok(()),
        }
    }

    fn person(&mut self) -> String {
        let number = self.rng.usize(0..60);
        let second = FIRST_SECOND + 3000 * self.n_commits as u64;
        format!("Person {number} <person{number}@example.com> {second} +0000")
    }

    /// Most commits change one file or two.
    fn n_changed(&mut self) -> usize {
        let mut n = 1;
        while n < 30 && self.rng.u8(0..100) < 45 {
            n += 1;
        }
        n
    }

    /// Some files change again and again.
    fn pick(&mut self) -> usize {
        let part = self.rng.f64();
        let n = self.files.len();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index of a list")]
        #[expect(clippy::cast_precision_loss, reason = "an index of a list")]
        let number = (part * part * part * n as f64) as usize;
        number.min(n - 1)
    }

    fn edit(&mut self, file: &mut File) {
        for _ in 0..1 + self.rng.usize(0..3) {
            let n_lines = file.lines.len();
            let at = self.rng.usize(0..=n_lines);
            let n_removed = self.rng.usize(0..6).min(n_lines - at);
            let n_added = if n_lines < N_LINES_AT_MOST { self.rng.usize(0..14) } else { 0 };
            let added: Vec<String> = (0..n_added).map(|_| self.line()).collect();
            file.lines.splice(at..at + n_removed, added);
        }
        // Never what was there: a commit without a change is no commit.
        let line = self.line();
        file.lines.push(line);
    }

    fn new_file(&mut self) -> File {
        let mut path = String::new();
        for _ in 0..self.rng.usize(0..4) {
            // Few folders, so that many files lie in each.
            path.push_str(&format!("{}/", self.words[self.rng.usize(0..12)]));
        }
        let (number, word) = (self.files.len(), self.rng.usize(0..N_WORDS));
        path.push_str(&format!("{}{}-{number}.c", self.words[word], self.rng.u32(..)));
        // Many small ones, few large ones.
        let n_lines = 4usize << self.rng.usize(0..9);
        let lines = (0..n_lines + self.rng.usize(0..n_lines)).map(|_| self.line()).collect();
        File { path, lines }
    }

    fn text(&mut self, n_lines: usize) -> String {
        (0..n_lines).map(|_| self.line() + "\n").collect()
    }

    /// Returns a line of an indented text whose frequent words are frequent.
    fn line(&mut self) -> String {
        let mut line = "\t".repeat(self.rng.usize(0..4));
        for _ in 0..self.rng.usize(0..9) {
            let (one, other) = (self.rng.usize(0..N_WORDS), self.rng.usize(1..60));
            line.push_str(&self.words[one / other]);
            line.push([' ', ' ', '(', ')', ';', '_'][self.rng.usize(0..6)]);
        }
        line
    }
}

fn word(rng: &mut Rng) -> String {
    (0..2 + rng.usize(0..7)).map(|_| rng.lowercase()).collect()
}

fn put(file: &File, to: &mut impl Write) -> std::io::Result<()> {
    let text = file.lines.join("\n") + "\n";
    writeln!(to, "M 100644 inline {}\ndata {}\n{text}", file.path, text.len())
}

/// Makes an empty bare repository.
pub(crate) fn init(folder: &Path) -> Result<()> {
    let mut init = plain(Path::new("git"), Path::new("/"));
    output(init.args(["init", "-q", "--bare", "--template=", "-b", "main"]).arg(folder))?;
    Ok(())
}

/// Lets git take commits into a repository.
pub(crate) fn import(folder: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    let mut import = plain(Path::new("git"), folder);
    let mut child = import.args(["fast-import", "--quiet", "--force"]).stdin(Stdio::piped()).spawn()?;
    let mut to = std::io::BufWriter::new(child.stdin.take().context("no pipe to git")?);
    write(&mut to)?;
    to.flush()?;
    drop(to);
    if !child.wait()?.success() {
        bail!("git does not take the history");
    }
    Ok(())
}

/// Has git pack a repository as a forge would.
pub(crate) fn pack(folder: &Path) -> Result<()> {
    for arguments in [&["repack", "-adfq"][..], &["pack-refs", "--all"]] {
        output(plain(Path::new("git"), folder).args(arguments))?;
    }
    Ok(())
}

/// Returns what git says in a repository.
pub(crate) fn ask(folder: &Path, arguments: &[&str]) -> Result<String> {
    Ok(output(plain(Path::new("git"), folder).args(arguments))?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(seed: u64, n_times: usize) -> (tempfile::TempDir, String) {
        let place = tempfile::tempdir().unwrap();
        init(place.path()).unwrap();
        let mut history = History::with_files(seed, 20);
        for _ in 0..n_times {
            import(place.path(), |mut to| history.write(200 / n_times, &mut to)).unwrap();
        }
        let refs = ask(place.path(), &["for-each-ref", "--format=%(objectname) %(refname)"]).unwrap();
        (place, refs)
    }

    #[test]
    fn a_seed_gives_one_history_at_once_or_in_parts() {
        let (_place, once) = made(1, 1);
        assert_eq!(made(1, 4).1, once);
        assert_ne!(made(2, 1).1, once);
    }

    #[test]
    fn it_has_the_shape_of_a_real_one() {
        let (place, _) = made(1, 1);
        let count = |arguments: &[&str]| -> usize { ask(place.path(), arguments).unwrap().parse().unwrap() };
        let n_commits = count(&["rev-list", "--count", "--all"]);
        assert_eq!(n_commits, 200);
        let n_merges = count(&["rev-list", "--count", "--merges", "--all"]);
        assert!((20..=80).contains(&n_merges), "{n_merges}");
        let n_objects = ask(place.path(), &["rev-list", "--objects", "--all"]).unwrap().lines().count();
        assert!((4 * n_commits..=9 * n_commits).contains(&n_objects), "{n_objects}");
        ask(place.path(), &["fsck", "--strict"]).unwrap();
    }
}
