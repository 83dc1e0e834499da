//! Repositories that a real git clones over smart HTTP, served by git itself.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use flate2::read::GzDecoder;

use crate::{Answer, Asked};

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

    /// Returns the folder of the bare repository.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn git(&self, arguments: &[&str], input: &[u8]) -> String {
        let output = self.try_git(arguments, input);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "git {arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn try_git(&self, arguments: &[&str], input: &[u8]) -> Output {
        run(&self.folder, arguments, "", input)
    }
}

/// Answers the two requests of a fetch; everything else, a push included, is a 404.
pub(crate) fn answer(folder: &Path, prefix: &str, asked: &Asked) -> Option<Answer> {
    let protocol = asked.header("git-protocol");
    match asked.path.strip_prefix(prefix)? {
        "/info/refs?service=git-upload-pack" => {
            let arguments = ["upload-pack", "--stateless-rpc", "--advertise-refs", "."];
            let output = run(folder, &arguments, protocol, &[]);
            // Version 2 has no announcement; gitprotocol-http(5).
            let mut body = if protocol.contains("version=2") {
                Vec::new()
            } else {
                b"001e# service=git-upload-pack\n0000".to_vec()
            };
            body.extend(output.stdout);
            Some(uncached("application/x-git-upload-pack-advertisement", body))
        }
        "/git-upload-pack" => {
            let mut input = Vec::new();
            if asked.header("content-encoding").contains("gzip") {
                GzDecoder::new(&asked.body[..]).read_to_end(&mut input).ok()?;
            } else {
                input.extend_from_slice(&asked.body);
            }
            let output = run(folder, &["upload-pack", "--stateless-rpc", "."], protocol, &input);
            Some(uncached("application/x-git-upload-pack-result", output.stdout))
        }
        _ => None,
    }
}

fn uncached(content_type: &str, body: Vec<u8>) -> Answer {
    Answer::bytes(content_type, body).header("cache-control", "no-cache").without_ranges()
}

fn run(folder: &Path, arguments: &[&str], protocol: &str, input: &[u8]) -> Output {
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
