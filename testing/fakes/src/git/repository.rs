//! A repository on disk, as an upstream has it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A bare repository in a folder, whose commits have the same ids on every machine.
#[derive(Debug, Clone)]
pub struct Repository {
    folder: PathBuf,
}

impl Repository {
    /// Makes an empty repository with the branch `main`.
    ///
    /// # Panics
    /// When git cannot be run, or the folder not be written to.
    pub fn create(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("a folder that can be written to");
        let repository = Self { folder: folder.to_owned() };
        repository.git(&["init", "--quiet", "--bare", "--initial-branch=main", "."], &[]);
        repository.git(&["config", "uploadpack.allowAnySHA1InWant", "true"], &[]);
        repository.git(&["config", "uploadpack.allowFilter", "true"], &[]);
        repository
    }

    /// Adds a commit with exactly these files to a branch and returns its id.
    ///
    /// # Panics
    /// When git refuses.
    pub fn commit(&self, branch: &str, message: &str, files: &[(&str, &str)]) -> String {
        let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
        self.commit_bytes(branch, message, &files)
    }

    /// Does what `commit` does, with files that are no text.
    ///
    /// # Panics
    /// When git refuses.
    pub fn commit_bytes(&self, branch: &str, message: &str, files: &[(&str, &[u8])]) -> String {
        self.commit_linked(branch, message, files, &[])
    }

    /// Does what `commit_bytes` does, with submodules: folders, each at a commit of another repository.
    ///
    /// # Panics
    /// When git refuses.
    pub fn commit_linked(
        &self,
        branch: &str,
        message: &str,
        files: &[(&str, &[u8])],
        links: &[(&str, &str)],
    ) -> String {
        let reference = format!("refs/heads/{branch}");
        let mut stream = format!(
            "commit {reference}\ncommitter A Person <person@example.com> 1767225600 +0000\ndata {}\n{message}\n",
            message.len()
        )
        .into_bytes();
        if self.try_git(&["rev-parse", "--verify", "--quiet", &reference], &[]).status.success() {
            stream.extend_from_slice(format!("from {reference}^0\n").as_bytes());
        }
        stream.extend_from_slice(b"deleteall\n");
        for (path, bytes) in files {
            stream.extend_from_slice(format!("M 100644 inline {path}\ndata {}\n", bytes.len()).as_bytes());
            stream.extend_from_slice(bytes);
            stream.push(b'\n');
        }
        for (path, commit) in links {
            stream.extend_from_slice(format!("M 160000 {commit} {path}\n").as_bytes());
        }
        self.git(&["fast-import", "--quiet"], &stream);
        self.git(&["rev-parse", &reference], &[]).trim().to_owned()
    }

    /// Points a tag at a revision.
    ///
    /// # Panics
    /// When git refuses.
    pub fn tag(&self, name: &str, revision: &str) {
        self.git(&["tag", "--force", name, revision], &[]);
    }

    /// Returns what `git archive` makes of a commit, the same in every time zone.
    ///
    /// # Panics
    /// When git refuses.
    pub fn archive(&self, arguments: &[&str]) -> Vec<u8> {
        let arguments = [&["archive"], arguments].concat();
        let output = self.try_git(&arguments, &[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Returns a file as it is in a revision, if it is there.
    pub fn file(&self, revision: &str, path: &str) -> Option<Vec<u8>> {
        let output = self.try_git(&["cat-file", "blob", &format!("{revision}:{path}")], &[]);
        output.status.success().then_some(output.stdout)
    }

    /// Returns a pack of everything that revisions reach, except for some objects.
    ///
    /// # Panics
    /// When git refuses.
    pub fn pack(&self, revisions: &[&str], without: &[&str]) -> Vec<u8> {
        let reached = self.git(&[&["rev-list", "--objects", "--no-object-names"], revisions].concat(), &[]);
        let ids: String =
            reached.lines().filter(|id| !without.contains(id)).map(|id| format!("{id}\n")).collect();
        let output = self.try_git(&["pack-objects", "--quiet", "--stdout"], ids.as_bytes());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Copies it as it is now into a folder that is not there yet.
    ///
    /// # Panics
    /// When the folder cannot be written to.
    pub fn copy_to(&self, folder: &Path) -> Self {
        let copied = Command::new("cp").arg("-a").args([&self.folder, folder]).status();
        assert!(copied.expect("cp is installed").success(), "a folder that can be written to");
        Self { folder: folder.to_owned() }
    }

    /// Returns the folder of the bare repository.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn git(&self, arguments: &[&str], input: &[u8]) -> String {
        let output = self.try_git(arguments, input);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "git {arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(super) fn try_git(&self, arguments: &[&str], input: &[u8]) -> Output {
        run(&self.folder, arguments, "", input)
    }
}

pub(super) fn run(folder: &Path, arguments: &[&str], protocol: &str, input: &[u8]) -> Output {
    let mut child = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_PROTOCOL", protocol)
        // A zip has local times.
        .env("TZ", "UTC")
        .env_remove("GIT_DIR")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("git is installed");
    let mut stdin = child.stdin.take().expect("a pipe that was asked for");
    let input = input.to_vec();
    // On a thread of its own: git may answer before it has read everything.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("git ends");
    // A broken pipe is git's own decision not to read on.
    let _ = writer.join();
    output
}
