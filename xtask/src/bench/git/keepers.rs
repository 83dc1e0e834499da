//! Who keeps repositories: Outlast, git itself in a loop, and tools that people use for it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::super::text;
use super::plain;
use super::upstream::Upstream;
use crate::step::{download, is_installed, output, run, target};

/// As many as Outlast asks one host at a time.
const N_AT_ONCE: &str = "8";
const GITHUB_BACKUP: &str = "github-backup==0.65.1";
/// It is called for each repository as its own run over an account calls it.
const FETCH_EACH: &str = "import logging, sys\n\
    logging.basicConfig(level=logging.INFO)\n\
    from github_backup.github_backup import fetch_repository\n\
    for line in open(sys.argv[1]):\n    url, folder = line.split()\n    \
    fetch_repository(folder, url, folder, bare_clone=True)\n";
const GICKUP: &str = "github.com/cooperspencer/gickup@v0.10.45";
/// Where a gickup lies that was built elsewhere.
const GICKUP_FILE: &str = "OUTLAST_BENCH_GICKUP";

/// A tool that keeps copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Git,
    GithubBackup,
    Gickup,
    /// With five generations of each copy.
    GickupKeep,
    Outlast,
}

/// A tool, and a folder with the copies it keeps.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) tool: Tool,
    program: PathBuf,
    own: PathBuf,
}

impl Keeper {
    /// Returns every tool that is here, git first and Outlast last.
    pub(crate) fn all(place: &Path, outlast: &Path) -> Result<Vec<Self>> {
        let tools = [Tool::Git, Tool::GithubBackup, Tool::Gickup, Tool::Outlast];
        let mut keepers = Vec::new();
        for tool in tools {
            keepers.extend(Self::find(tool, &place.join(format!("{tool:?}")), outlast)?);
        }
        Ok(keepers)
    }

    /// Returns a tool that keeps in a folder; nothing where it cannot be had.
    pub(crate) fn find(tool: Tool, own: &Path, outlast: &Path) -> Result<Option<Self>> {
        let program = match tool {
            Tool::Git => Some(PathBuf::from("git")),
            Tool::GithubBackup => Some(github_backup()?),
            Tool::Gickup | Tool::GickupKeep => gickup()?,
            Tool::Outlast => Some(outlast.to_owned()),
        };
        let Some(program) = program else { return Ok(None) };
        fs::create_dir_all(own)?;
        Ok(Some(Self { tool, program, own: own.to_owned() }))
    }

    /// Returns what one keeps anew, in a folder that is not there yet.
    pub(crate) fn elsewhere(&self, own: &Path) -> Result<Self> {
        fs::create_dir(own)?;
        Ok(Self { tool: self.tool, program: self.program.clone(), own: own.to_owned() })
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self.tool {
            Tool::Git => "`git clone --mirror`, `git remote update --prune`",
            Tool::GithubBackup => "python-github-backup",
            Tool::Gickup => "gickup",
            Tool::GickupKeep => "gickup, `keep: 5`",
            Tool::Outlast => "Outlast",
        }
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Returns the folder of its copies.
    pub(crate) fn own(&self) -> &Path {
        &self.own
    }

    /// Returns the bare repository in which it keeps one.
    pub(crate) fn copy(&self, name: &str, upstream: &Upstream) -> PathBuf {
        match self.tool {
            Tool::Git | Tool::GithubBackup => self.own.join(format!("{name}.git")),
            Tool::Gickup | Tool::GickupKeep => {
                let host = upstream.address.split(':').next().unwrap_or_default();
                self.own.join(format!("copies/{host}/git/{name}.git"))
            }
            Tool::Outlast => self.own.join(format!("git/forge.example%2Facme%2F{name}.git")),
        }
    }

    /// Returns the command that gets copies of repositories for the first time.
    pub(crate) fn first(&self, upstream: &Upstream, names: &[String]) -> Result<Command> {
        let list = self.own.join("list");
        let mut pairs = String::new();
        for name in names {
            writeln!(pairs, "{} {}", upstream.url(name), text(&self.own.join(format!("{name}.git")))?)?;
        }
        fs::write(&list, pairs)?;
        let mut command = plain(Path::new("xargs"), &self.own);
        match self.tool {
            Tool::Git => {
                command.arg("-a").arg(&list).args(["-P", N_AT_ONCE, "-n", "2"]);
                command.args(["git", "clone", "-q", "--mirror"]);
            }
            Tool::Outlast => {
                let settings = format!(
                    "[sync]\nevery = \"20h\"\n[[upstream]]\nhost = \"forge.example\"\nconnect = \"{}\"\n",
                    upstream.address
                );
                fs::write(self.own.join("outlast.toml"), settings)?;
                command = plain(&self.program, &self.own);
                command.args(["adopt", "-q", "--home", text(&self.own)?]);
                command.args(names.iter().map(|name| format!("http://forge.example/acme/{name}.git")));
            }
            Tool::Gickup | Tool::GickupKeep => {
                fs::write(self.own.join("gickup.yml"), self.gickup_settings(upstream, names)?)?;
                return self.again(names);
            }
            Tool::GithubBackup => return self.again(names),
        }
        Ok(command)
    }

    fn gickup_settings(&self, upstream: &Upstream, names: &[String]) -> Result<String> {
        let sources: String =
            names.iter().map(|name| format!("    - url: {}\n", upstream.url(name))).collect();
        let copies = text(&self.own.join("copies"))?.to_owned();
        let keep = if self.tool == Tool::GickupKeep { "      keep: 5\n" } else { "" };
        Ok(format!(
            "source:\n  any:\n{sources}destination:\n  local:\n    - path: {copies}\n      structured: true\n      mirror: true\n      bare: true\n{keep}"
        ))
    }

    /// Returns the command that brings the copies up to date.
    pub(crate) fn again(&self, names: &[String]) -> Result<Command> {
        let mut command;
        match self.tool {
            Tool::Git => {
                let folders = self.own.join("folders");
                fs::write(&folders, names.iter().map(|name| format!("{name}.git\n")).collect::<String>())?;
                command = plain(Path::new("xargs"), &self.own);
                command.arg("-a").arg(&folders).args(["-P", N_AT_ONCE, "-I{}"]);
                command.args(["git", "-C", "{}", "remote", "update", "--prune"]);
            }
            Tool::GithubBackup => {
                command = plain(&self.program, &self.own);
                command.args(["-c", FETCH_EACH]).arg(self.own.join("list"));
            }
            Tool::Gickup | Tool::GickupKeep => {
                command = plain(&self.program, &self.own);
                command.arg(self.own.join("gickup.yml"));
            }
            Tool::Outlast => {
                command = plain(&self.program, &self.own);
                command.args(["sync", "-q", "--home", text(&self.own)?]);
            }
        }
        Ok(command)
    }

    /// Fails unless a copy has a commit: a tool that did nothing would be the fastest of all.
    pub(crate) fn check_has(&self, name: &str, upstream: &Upstream, commit: &str) -> Result<()> {
        let mut git = plain(Path::new("git"), &self.own);
        git.arg("--git-dir").arg(self.copy(name, upstream)).args(["cat-file", "-e", commit]);
        output(&mut git).with_context(|| format!("{} did not get what is new", self.name()))?;
        Ok(())
    }
}

fn github_backup() -> Result<PathBuf> {
    let tools = target().join("bench/github-backup");
    let python = tools.join("bin/python");
    if !tools.join("bin/github-backup").exists() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&tools))?;
        download(Command::new(&python).args(["-m", "pip", "install", "-q", GITHUB_BACKUP]))?;
    }
    Ok(python)
}

/// Returns where gickup is: what the variable names, or what Go builds; nothing where Go's proxy does not have it.
fn gickup() -> Result<Option<PathBuf>> {
    if let Some(file) = std::env::var_os(GICKUP_FILE) {
        let file = std::path::absolute(file)?;
        if !file.is_file() {
            bail!("{GICKUP_FILE} names no file");
        }
        return Ok(Some(file));
    }
    let folder = target().join("bench/gickup");
    let file = folder.join("gickup");
    if !file.exists() && is_installed("go") {
        fs::create_dir_all(&folder)?;
        if let Err(error) = run(Command::new("go").args(["install", GICKUP]).env("GOBIN", &folder)) {
            eprintln!("without gickup: {error:#}; hint: build it elsewhere and let {GICKUP_FILE} name it");
        }
    }
    Ok(file.exists().then_some(file))
}
