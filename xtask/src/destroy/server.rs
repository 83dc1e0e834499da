//! Real servers of a repository: nginx with `git-http-backend`, `git daemon`, and sshd.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::origin::Made;
use crate::bench::doors::Served;
use crate::bench::git::corpus::ask;
use crate::bench::git::plain;
use crate::bench::git::upstream::{Upstream, backend};
use crate::bench::text;
use crate::step::{download, is_installed, output, run, target};

/// How the server bends its answers over HTTP.
const SCRIPT: &str = include_str!("server.sh");
/// They are unpacked and not installed: that would start a daemon for everybody.
const SSHD_PACKAGES: [&str; 2] = ["openssh-server", "libwrap0"];
const LIBRARIES: [&str; 2] = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"];
const START: Duration = Duration::from_secs(10);

/// How a repository is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Http,
    Daemon,
    Ssh,
}

/// A server of one repository, in a folder of its own.
pub(super) struct Server {
    own: PathBuf,
    /// Where the repository lies.
    pub(super) origin: PathBuf,
    pub(super) running: Running,
}

pub(super) enum Running {
    Http(Upstream),
    /// Without HTTP: the address of the repository, and how ssh gets there.
    Plain {
        url: String,
        ssh: String,
        _served: Served,
    },
}

impl Server {
    pub(super) fn start(own: &Path, way: Way, made: &Made, name: &str) -> Result<Self> {
        fs::create_dir(own)?;
        let origin = own.join("repositories/acme").join(format!("{name}.git"));
        fs::create_dir_all(origin.parent().unwrap_or(own))?;
        made.lay(&origin)?;
        let running = match way {
            Way::Http => Running::Http(http(own, made)?),
            Way::Daemon => daemon(own, name)?,
            Way::Ssh => ssh(own, &origin)?,
        };
        Ok(Self { own: own.to_owned(), origin, running })
    }

    /// Has it answer in another way, or as it should.
    pub(super) fn serve(&self, fault: Option<&str>) -> Result<()> {
        let file = self.own.join("fault");
        let _ = fs::remove_file(self.own.join("waits"));
        match fault {
            Some(fault) => Ok(fs::write(file, fault)?),
            None => Ok(fs::remove_file(file)?),
        }
    }

    /// Returns whether it waits in the middle of an answer.
    pub(super) fn waits(&self) -> bool {
        self.own.join("waits").exists()
    }
}

/// Starts a server that can fail and lie.
fn http(own: &Path, made: &Made) -> Result<Upstream> {
    let script = own.join("answer");
    fs::write(&script, SCRIPT.replace("BACKEND", &backend()?))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    let upstream = Upstream::answered_by(own, &script)?;
    let other = upstream.repository("other");
    made.lay_other(&other)?;
    fs::write(own.join("other"), ask(&other, &["rev-parse", "main"])?)?;
    Ok(upstream)
}

fn daemon(own: &Path, name: &str) -> Result<Running> {
    let port = free_port()?;
    let programs = output(Command::new("git").arg("--exec-path"))?;
    // Not by `git daemon`, which stays behind it as another process.
    let mut command = plain(&Path::new(programs.trim()).join("git-daemon"), own);
    command.args(["--listen=127.0.0.1", "--reuseaddr", "--export-all", "--informative-errors"]);
    command.arg(format!("--port={port}")).arg(format!("--base-path={}", text(&own.join("repositories"))?));
    let url = format!("git://127.0.0.1:{port}/acme/{name}.git");
    Ok(Running::Plain { url, ssh: "false".to_owned(), _served: started(command, own, port)? })
}

/// Starts an sshd that lets in whoever has the key, as whom it runs.
fn ssh(own: &Path, origin: &Path) -> Result<Running> {
    let (port, folder) = (free_port()?, text(own)?);
    for key in ["host", "user"] {
        let mut keygen = Command::new("ssh-keygen");
        output(keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(own.join(key)))?;
    }
    fs::write(
        own.join("settings"),
        format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\nPidFile none\n"
        ),
    )?;
    let host_key = fs::read_to_string(own.join("host.pub"))?;
    fs::write(own.join("known"), format!("[127.0.0.1]:{port} {host_key}"))?;
    let tools = sshd_folder();
    let libraries = LIBRARIES.map(|part| tools.join(part).display().to_string()).join(":");
    let mut command = plain(&tools.join("usr/sbin/sshd"), own);
    command.env("LD_LIBRARY_PATH", libraries).args(["-D", "-e", "-f"]).arg(own.join("settings"));
    let user = output(Command::new("id").arg("-un"))?;
    let url = format!("ssh://{}@127.0.0.1:{port}{}", user.trim(), text(origin)?);
    let ssh = format!(
        "ssh -F none -i {folder}/user -oIdentitiesOnly=yes -oUserKnownHostsFile={folder}/known -oGlobalKnownHostsFile=none"
    );
    Ok(Running::Plain { url, ssh, _served: started(command, own, port)? })
}

fn sshd_folder() -> PathBuf {
    target().join("bench/sshd")
}

/// Gets sshd, and makes this process's private mounts such that it runs; returns whether it can.
pub(super) fn prepare_ssh() -> Result<bool> {
    // In a namespace with one user nobody can become another one.
    let users = fs::read_to_string("/proc/self/uid_map")?;
    if !is_installed("apt-get") || users.split_whitespace().nth(2) == Some("1") {
        return Ok(false);
    }
    let tools = sshd_folder();
    if !tools.join("usr/sbin/sshd").exists() {
        fs::create_dir_all(&tools)?;
        let mut fetch = Command::new("apt-get");
        download(fetch.args(["-q", "download"]).args(SSHD_PACKAGES).current_dir(&tools))?;
        for entry in fs::read_dir(&tools)? {
            run(Command::new("dpkg").arg("-x").arg(entry?.path()).arg(&tools))?;
        }
    }
    // Sshd wants an account of its own, and a folder that a system has when it has begun.
    let accounts = tools.join("passwd");
    let own = "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n";
    fs::write(&accounts, fs::read_to_string("/etc/passwd")? + own)?;
    output(Command::new("mount").arg("--bind").arg(&accounts).arg("/etc/passwd"))?;
    output(Command::new("mount").args(["-t", "tmpfs", "tmpfs", "/run"]))?;
    fs::create_dir("/run/sshd")?;
    Ok(true)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn started(mut command: Command, own: &Path, port: u16) -> Result<Served> {
    let log = fs::File::create(own.join("output"))?;
    let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
    let served = Served { child, base: String::new() };
    let started = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if started.elapsed() > START {
            bail!("nobody listens: {}", fs::read_to_string(own.join("output"))?);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(served)
}
