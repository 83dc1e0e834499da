//! Registries of one's own that teams run today, as peers: each is installed by its own package client and filled from the public
//! registry that it stands before.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::doors::{Served, pinned};
use super::text;
use crate::step::{run, target};

/// Where they listen.
const PORTS: [u16; 2] = [18_642, 18_643];
/// The last one that runs on Node 20; one of its dependencies is named by a tag that mirrors do not have.
const VERDACCIO: &str =
    r#"{ "dependencies": { "verdaccio": "5.33.0" }, "overrides": { "node-fetch": "2.7.0" } }"#;
const DEVPI: &str = "devpi-server==6.20.3";

/// A registry that stands before a public one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    Verdaccio,
    Devpi,
}

impl Peer {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Verdaccio => "Verdaccio",
            Self::Devpi => "devpi",
        }
    }

    /// Returns where it has what Outlast has at a path.
    pub(super) fn path(self, path: &str) -> String {
        match self {
            Self::Verdaccio => path.replacen("/npm", "", 1),
            Self::Devpi => path.replacen("/pypi/simple", "/root/pypi/+simple", 1),
        }
    }

    /// Starts it in a new folder, without anything that it has kept before.
    pub(super) fn start(self, own: &Path) -> Result<Served> {
        fs::create_dir(own)?;
        let (mut command, port) = match self {
            Self::Verdaccio => (verdaccio(own)?, PORTS[0]),
            Self::Devpi => (devpi(own)?, PORTS[1]),
        };
        let log = fs::File::create(own.join("output"))?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let served = Served { child, base: format!("http://127.0.0.1:{port}") };
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-o", "/dev/null", "--retry", "30", "--retry-connrefused", "--retry-delay", "1"]);
        run(curl.arg(&served.base)).with_context(|| format!("{} does not begin", self.name()))?;
        Ok(served)
    }
}

fn tools(name: &str) -> Result<PathBuf> {
    let folder = target().join("bench").join(name);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn verdaccio(own: &Path) -> Result<Command> {
    let tools = tools("verdaccio")?;
    fs::write(tools.join("package.json"), VERDACCIO)?;
    let mut install = Command::new("npm");
    run(install.args(["install", "--no-audit", "--no-fund", "--silent"]).current_dir(&tools))?;
    let settings = format!(
        "storage: {own}/storage\nuplinks: {{npmjs: {{url: \"https://registry.npmjs.org/\", maxage: 2h, cache: true}}}}\n\
         packages: {{\"**\": {{access: $all, proxy: npmjs}}}}\nlog: {{type: file, path: {own}/log, level: error}}\n",
        own = text(own)?
    );
    fs::write(own.join("config.yaml"), settings)?;
    let mut node = pinned(Path::new("node"));
    node.arg(tools.join("node_modules/.bin/verdaccio")).args(["-l", &format!("127.0.0.1:{}", PORTS[0])]);
    node.arg("-c").arg(own.join("config.yaml"));
    Ok(node)
}

fn devpi(own: &Path) -> Result<Command> {
    let tools = tools("devpi")?;
    run(Command::new("python3").args(["-m", "venv"]).arg(&tools))?;
    run(Command::new(tools.join("bin/pip")).args(["install", "-q", DEVPI]))?;
    let folder = own.join("files");
    let mut init = Command::new(tools.join("bin/devpi-init"));
    run(init.arg("--serverdir").arg(&folder).stdout(Stdio::null()).stderr(Stdio::null()))?;
    let mut server = pinned(&tools.join("bin/devpi-server"));
    server.arg("--serverdir").arg(&folder).args(["--host", "127.0.0.1", "--port", &PORTS[1].to_string()]);
    Ok(server)
}
