//! What recording costs, and what a warm store saves, against a registry on loopback with latency.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{Bench, Table, cell, folder, quantile, text, time};
use crate::step::{cargo, run, target};

const N_PAIRS: usize = 15;
const N_PACKAGES: &str = "120";
const LATENCY_MS: &str = "20";

pub(super) const BENCH: Bench = Bench {
    name: "overhead",
    method: "`npm ci` of 120 packages of 40 kB from a registry on loopback that answers after 20 ms, with an empty \
        client cache: directly, through `outlast exec` with an empty store (a recorded build), and through `outlast \
        exec` with a warm store; wall time of the whole command in milliseconds, 15 interleaved rounds after one that \
        is not counted. A ratio is the median of the rounds' own ratios, with its quartiles.",
    measure,
};

fn measure() -> Result<Table> {
    let place = folder()?;
    let registry = Registry::start(place.path())?;
    let warm = place.path().join("warm");
    let mut series: [Vec<Duration>; 3] = Default::default();
    for round in 0..=N_PAIRS {
        let cold = place.path().join(format!("cold{round}"));
        let took = [
            time(&mut registry.directly(&place.path().join(format!("direct{round}")))?)?,
            time(&mut registry.through(&cold, &place.path().join(format!("first{round}")))?)?,
            time(&mut registry.through(&warm, &place.path().join(format!("again{round}")))?)?,
        ];
        if round > 0 {
            series.iter_mut().zip(took).for_each(|(series, took)| series.push(took));
        }
        fs::remove_dir_all(&cold)?;
    }
    let [direct, cold, again] = &series;
    let row = |what: &str, own: &Vec<Duration>| {
        let ratios: Vec<f64> =
            own.iter().zip(direct).map(|(own, direct)| own.as_secs_f64() / direct.as_secs_f64()).collect();
        let part = |part| quantile(&ratios, part);
        vec![what.to_owned(), cell(own), format!("{:.2} ({:.2}–{:.2})", part(0.5), part(0.25), part(0.75))]
    };
    let rows = vec![row("directly", direct), row("recorded, cold store", cold), row("warm store", again)];
    Ok(Table { head: &["`npm ci`", "ms (quartiles)", "÷ direct (quartiles)"], rows })
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
    fn start(place: &Path) -> Result<Self> {
        run(&mut cargo(&["build", "--quiet", "--release", "-p", "fakes", "--example", "registry"]))?;
        run(&mut cargo(&["build", "--quiet", "--release", "-p", "outlast"]))?;
        let project = place.join("project");
        fs::create_dir(&project)?;
        let mut command = Command::new(target().join("release/examples/registry"));
        command.arg(&project).args([N_PACKAGES, LATENCY_MS]).stdin(Stdio::piped()).stdout(Stdio::piped());
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
