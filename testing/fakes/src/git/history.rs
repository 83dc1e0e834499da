//! Histories that are made up from a seed: the same on every machine, in one run of git.

use std::fmt::Write as _;

use super::repository::Repository;

/// How many files a made-up history has at most.
const N_FILES: u32 = 24;
const WHO: &str = "A Person <person@example.com>";
/// 2026-01-01T00:00:00Z; each commit is a minute later than the one before.
const FIRST_AT: usize = 1_767_225_600;

/// A line of work that commits are added to.
struct Branch {
    name: String,
    /// Its newest commit, in the words of fast-import; none where it has none yet.
    tip: String,
}

impl Repository {
    /// Adds so many commits, with branches, merges and tags of both kinds, made up from a seed; `main` goes on from where it is.
    ///
    /// What is added is named after the seed: the same seed twice makes branches of the first time move.
    ///
    /// # Panics
    /// When git refuses.
    pub fn grow(&self, seed: u64, n_commits: usize) {
        let mut random = fastrand::Rng::with_seed(seed);
        let main = self.try_git(&["rev-parse", "--verify", "--quiet", "refs/heads/main"], &[]).stdout;
        let tip = String::from_utf8_lossy(&main).trim().to_owned();
        let mut branches = vec![Branch { name: "main".to_owned(), tip }];
        let mut stream = String::new();
        for n in 1..=n_commits {
            let kind = random.u32(..100);
            // The first commit has nothing to start from.
            let is_rooted = branches[0].tip.is_empty();
            if kind < 10 && !is_rooted {
                let tip = random.choice(&branches).expect("there is main").tip.clone();
                branches.push(Branch { name: format!("s{seed}/{n}"), tip });
            }
            let at = if kind < 55 || is_rooted { 0 } else { random.usize(..branches.len()) };
            let other = random.usize(..branches.len());
            let merged =
                (kind >= 85 && branches[other].tip != branches[at].tip).then(|| branches[other].tip.clone());
            add_commit(&mut stream, &mut random, n, &branches[at], merged.as_deref());
            branches[at].tip = format!(":{n}");
            match kind % 20 {
                0 => drop(write!(stream, "reset refs/tags/s{seed}-{n}\nfrom :{n}\n\n")),
                1 => drop(write!(
                    stream,
                    "tag s{seed}-{n}-signed\nfrom :{n}\ntagger {WHO} {} +0000\ndata 4\ntag\n",
                    FIRST_AT + n * 60
                )),
                _ => {}
            }
        }
        for branch in &branches {
            let _ = write!(stream, "reset refs/heads/{}\nfrom {}\n\n", branch.name, branch.tip);
        }
        self.git(&["fast-import", "--quiet", "--force"], stream.as_bytes());
    }
}

/// Writes a commit that changes one file, for fast-import.
fn add_commit(stream: &mut String, random: &mut fastrand::Rng, n: usize, on: &Branch, merged: Option<&str>) {
    let message = format!("commit {n} of {}\n", on.name);
    let _ = write!(
        stream,
        "commit refs/heads/{}\nmark :{n}\ncommitter {WHO} {} +0000\ndata {}\n{message}\n",
        on.name,
        FIRST_AT + n * 60,
        message.len()
    );
    for (word, tip) in [("from", Some(on.tip.as_str())), ("merge", merged)] {
        if let Some(tip) = tip.filter(|tip| !tip.is_empty()) {
            let _ = writeln!(stream, "{word} {tip}");
        }
    }
    let lines: String = (0..random.u32(1..40)).map(|_| format!("{:016x}\n", random.u64(..))).collect();
    let file = random.u32(..N_FILES);
    let _ = write!(stream, "M 100644 inline src/{}/{file}.txt\ndata {}\n{lines}\n", file % 5, lines.len());
}
