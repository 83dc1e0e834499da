//! What recording costs, and what a warm store saves, against a registry on loopback with latency.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{Bench, Table, cell, folder, ratio, text, time};
use crate::step::{cargo, run, target};

const N_ROUNDS: usize = 15;
const N_PACKAGES: [&str; 2] = ["120", "400"];
const LATENCY_MS: &str = "20";

pub(super) const BENCH: Bench = Bench {
    name: "overhead",
    method: "`npm ci` of 120 and of 400 packages of 40 kB from a registry on loopback that answers after 20 ms, with \
        an empty client cache: directly, through `outlast exec` with an empty store (a recorded build), and through \
        `outlast exec` with a warm store; wall time of the whole command in milliseconds, 15 interleaved rounds after \
        one that is not counted, each in new folders. The registry shares the cores. A ratio is the median of the \
        rounds' own ratios, with its quartiles.",
    measure,
};

fn measure() -> Result<Table> {
    let mut rows = Vec::new();
    for n_packages in N_PACKAGES {
        let [direct, cold, warm] = rounds(n_packages)?;
        for (what, own) in [("directly", &direct), ("recorded, cold store", &cold), ("warm store", &warm)] {
            rows.push(vec![n_packages.to_owned(), what.to_owned(), cell(own), ratio(own, &direct)]);
        }
    }
    Ok(Table { head: &["packages", "`npm ci`", "ms (quartiles)", "÷ direct (quartiles)"], rows })
}

/// Returns direct runs, runs that are recorded into an empty store, and runs with a warm one.
fn rounds(n_packages: &str) -> Result<[Vec<Duration>; 3]> {
    let place = folder()?;
    let registry = Registry::start(place.path(), n_packages)?;
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
struct Registry {
    child: Child,
    project: PathBuf,
    address: String,
    proxy: String,
    ca: String,
}

impl Registry {
    fn start(place: &Path, n_packages: &str) -> Result<Self> {
        run(&mut cargo(&["build", "--quiet", "--release", "-p", "fakes", "--example", "registry"]))?;
        run(&mut cargo(&["build", "--quiet", "--release", "-p", "outlast"]))?;
        let project = place.join("project");
        fs::create_dir(&project)?;
        let mut command = Command::new(target().join("release/examples/registry"));
        command.arg(&project).args([n_packages, LATENCY_MS]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("the registry cannot be started")?;
        let mut lines = BufReader::new(child.stdout.take().context("no pipe from the registry")?).lines();
        let mut line = || lines.next().context("the registry said too little")?.map_err(anyhow::Error::from);
        let (address, proxy, ca) = (line()?, line()?, line()?);
        Ok(Self { child, project, address, proxy, ca })
    }

    /// A copy of the project, and a command in it with an empty HOME.
    fn command(&self, program: &Path, copy: &Path) -> Result<Command> {
        fs::create_dir(copy)?;
        for file in ["package.json", "package-lock.json"] {
            fs::copy(self.project.join(file), copy.join(file))?;
        }
        let home = copy.join("home");
        fs::create_dir(&home)?;
        let mut command = Command::new(program);
        command.current_dir(copy).env_clear().env("HOME", home);
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        Ok(command)
    }

    fn directly(&self, copy: &Path) -> Result<Command> {
        let mut command = self.command(Path::new("npm"), copy)?;
        command.args(["ci", "--no-audit", "--no-fund"]).env("HTTPS_PROXY", &self.proxy);
        command.env("npm_config_cafile", &self.ca);
        Ok(command)
    }

    fn through(&self, own: &Path, copy: &Path) -> Result<Command> {
        fs::create_dir_all(own)?;
        let (address, ca) = (&self.address, &self.ca);
        let upstream = format!(
            "[[upstream]]\nhost = \"registry.npmjs.org\"\nconnect = \"{address}\"\nca_file = \"{ca}\"\n"
        );
        fs::write(own.join("outlast.toml"), upstream)?;
        let mut command = self.command(&target().join("release/outlast"), copy)?;
        command.args(["exec", "-q", "--home", text(own)?, "--", "npm", "ci", "--no-audit", "--no-fund"]);
        Ok(command)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It ends with its standard input; waiting leaves nothing behind.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
