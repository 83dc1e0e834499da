//! What recording costs, and what a warm store saves, against a registry on loopback with latency.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{Bench, Table, cell, folder, ratio, text, time};
use crate::step::{cargo, run, target};

const N_ROUNDS: usize = 15;
const LATENCY_MS: &str = "20";

pub(super) const BENCH: Bench = Bench {
    name: "overhead",
    method: "`npm ci` of 120 and of 400 packages, which does nothing but fetch and unpack, and `cargo build` of 60 crates \
        without dependencies of their own: each package with a file of 40 kB, from registries on loopback that answer \
        after 20 ms, with empty client caches: directly, through `outlast exec` with an empty store (a recorded build), \
        and through `outlast exec` with a warm store; wall time of the whole command in milliseconds, 15 interleaved \
        rounds after one that is not counted, each in new folders. The registries share the cores. A ratio is the median \
        of the rounds' own ratios, with its quartiles.",
    measure,
    quick: None,
};

/// What is built, and how a direct run is told of the registry's CA.
pub(super) struct Work {
    kind: &'static str,
    n_packages: &'static str,
    command: &'static [&'static str],
    files: &'static [&'static str],
    hosts: &'static [&'static str],
    /// One that leaves the client's own roots in use, as a public registry's certificate does: a client that is given
    /// nothing but one CA need not read them, and its connections cost less than anybody's.
    ca_variable: &'static str,
    trust: Trust,
}

/// What the file holds.
pub(super) enum Trust {
    /// The CA: the client adds it to its own.
    Added,
    /// All roots of this machine, and the CA.
    Whole,
}

const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";
const NPM_CI: &[&str] = &["npm", "ci", "--no-audit", "--no-fund"];
const NPM: Work = Work {
    kind: "npm",
    n_packages: "120",
    command: NPM_CI,
    files: &["package.json", "package-lock.json"],
    hosts: &["registry.npmjs.org"],
    ca_variable: "NODE_EXTRA_CA_CERTS",
    trust: Trust::Added,
};
const WORKS: [Work; 3] = [
    NPM,
    Work { n_packages: "400", ..NPM },
    Work {
        kind: "cargo",
        n_packages: "60",
        command: &["cargo", "build", "--quiet"],
        files: &["Cargo.toml", "Cargo.lock", "src/lib.rs"],
        hosts: &["index.crates.io", "static.crates.io"],
        ca_variable: "CARGO_HTTP_CAINFO",
        trust: Trust::Whole,
    },
];

fn measure() -> Result<Table> {
    let mut rows = Vec::new();
    for work in &WORKS {
        let [direct, cold, warm] = rounds(work)?;
        for (how, own) in [("directly", &direct), ("recorded, cold store", &cold), ("warm store", &warm)] {
            let what = format!("`{} {}`, {}", work.command[0], work.command[1], work.n_packages);
            rows.push(vec![what, how.to_owned(), cell(own), ratio(own, &direct)]);
        }
    }
    Ok(Table { head: &["command, packages", "how", "ms (quartiles)", "÷ direct (quartiles)"], rows })
}

/// Returns direct runs, runs that are recorded into an empty store, and runs with a warm one.
fn rounds(work: &'static Work) -> Result<[Vec<Duration>; 3]> {
    let place = folder()?;
    let registry = Registry::start(place.path(), work)?;
    let mut all: [Vec<Duration>; 3] = Default::default();
    for round in 0..=N_ROUNDS {
        // Nothing is removed in between: file systems search long for an inode after many were freed.
        let name = |what: &str| place.path().join(format!("{what}{round}"));
        let took = [
            time(&mut registry.directly(&name("direct"))?)?,
            time(&mut registry.through(&name("store"), &name("cold"))?)?,
            time(&mut registry.through(&place.path().join("store"), &name("warm"))?)?,
        ];
        if round > 0 {
            all.iter_mut().zip(took).for_each(|(series, took)| series.push(took));
        }
    }
    Ok(all)
}

/// A registry that runs as long as this does.
pub(super) struct Registry {
    work: &'static Work,
    child: Child,
    pub(super) project: PathBuf,
    pub(super) address: String,
    proxy: String,
    pub(super) ca: String,
    /// What direct runs trust.
    trusted: PathBuf,
}

impl Registry {
    fn start(place: &Path, work: &'static Work) -> Result<Self> {
        Self::answering_after(LATENCY_MS, place, work, work.n_packages)
    }

    /// Starts one with so many packages of npm.
    pub(super) fn of_npm(place: &Path, n_packages: &str, latency_ms: &str) -> Result<Self> {
        Self::answering_after(latency_ms, place, &NPM, n_packages)
    }

    fn answering_after(
        latency_ms: &str,
        place: &Path,
        work: &'static Work,
        n_packages: &str,
    ) -> Result<Self> {
        run(&mut cargo(&["build", "--quiet", "--release", "-p", "fakes", "--example", "registry"]))?;
        run(&mut cargo(&["build", "--quiet", "--release", "-p", "outlast"]))?;
        let project = place.join("project");
        fs::create_dir(&project)?;
        let mut command = Command::new(target().join("release/examples/registry"));
        command.arg(&project).args([work.kind, n_packages, latency_ms]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("the registry cannot be started")?;
        let mut lines = BufReader::new(child.stdout.take().context("no pipe from the registry")?).lines();
        let mut line = || lines.next().context("the registry said too little")?.map_err(anyhow::Error::from);
        let (address, proxy, ca) = (line()?, line()?, line()?);
        let mut roots = match work.trust {
            Trust::Added => Vec::new(),
            Trust::Whole => {
                fs::read(SYSTEM_ROOTS).with_context(|| format!("{SYSTEM_ROOTS} cannot be read"))?
            }
        };
        roots.extend(fs::read(&ca)?);
        let trusted = place.join("trusted.pem");
        fs::write(&trusted, roots)?;
        Ok(Self { work, child, project, address, proxy, ca, trusted })
    }

    /// A copy of the project, and a command in it with an empty HOME.
    fn command(&self, program: &Path, copy: &Path) -> Result<Command> {
        for file in self.work.files {
            let to = copy.join(file);
            fs::create_dir_all(to.parent().unwrap_or(copy))?;
            fs::copy(self.project.join(file), to)?;
        }
        let home = copy.join("home");
        fs::create_dir(&home)?;
        let mut command = Command::new(program);
        // A machine's own settings of npm, such as a company's `cafile`, would be measured as well.
        let none = home.join("no-npmrc");
        command.current_dir(copy).env_clear().env("npm_config_globalconfig", none);
        command.env("HOME", home).env("PATH", path()?);
        Ok(command)
    }

    fn directly(&self, copy: &Path) -> Result<Command> {
        let mut command = self.command(Path::new(self.work.command[0]), copy)?;
        command.args(&self.work.command[1..]).env("HTTPS_PROXY", &self.proxy);
        command.env(self.work.ca_variable, &self.trusted);
        Ok(command)
    }

    /// Makes a home that finds the registry.
    pub(super) fn configure(&self, own: &Path) -> Result<()> {
        fs::create_dir_all(own)?;
        let (address, ca) = (&self.address, &self.ca);
        let place = |host: &&str| {
            format!("[[upstream]]\nhost = \"{host}\"\nconnect = \"{address}\"\nca_file = \"{ca}\"\n")
        };
        let upstreams: String = self.work.hosts.iter().map(place).collect();
        fs::write(own.join("outlast.toml"), upstreams)?;
        Ok(())
    }

    fn through(&self, own: &Path, copy: &Path) -> Result<Command> {
        self.configure(own)?;
        let mut command = self.command(&target().join("release/outlast"), copy)?;
        command.args(["exec", "-q", "--home", text(own)?, "--"]).args(self.work.command);
        Ok(command)
    }
}

/// Returns the search path with the toolchain before rustup's own programs, which look for it below HOME.
fn path() -> Result<OsString> {
    let cargo = std::env::var_os("CARGO").map(PathBuf::from);
    let toolchain = cargo.iter().filter_map(|cargo| cargo.parent()).map(Path::to_owned);
    let system = std::env::var_os("PATH").unwrap_or_default();
    Ok(std::env::join_paths(toolchain.chain(std::env::split_paths(&system)))?)
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It ends with its standard input; waiting leaves nothing behind.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
