//! A forge as small as can be: nginx with fcgiwrap and git's own `git-http-backend`, over plain HTTP on loopback.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::super::doors::Served;
use super::super::text;
use super::super::usage::used_by;
use crate::step::output;

/// As many as Outlast asks one host at a time, and some more.
const N_BACKENDS: &str = "12";
/// How nginx passes answers on: whole pieces, which may take a while.
const USUALLY: &str = "fastcgi_read_timeout 600s;";
/// And how it passes those on that are to be slow.
const AS_IT_COMES: &str = "fastcgi_read_timeout 3600s; fastcgi_param NO_BUFFERING 1;";
const START: Duration = Duration::from_secs(10);

/// It answers for every repository in a folder until it is dropped.
pub(crate) struct Upstream {
    /// Where the repositories lie, in a folder `acme`.
    pub(crate) folder: PathBuf,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    // Asked to end in this order.
    nginx: Served,
    backends: Served,
    /// Where each request's time of processors is written down.
    counts: Option<PathBuf>,
}

/// The program that answers.
struct Backend<'a> {
    program: &'a str,
    settings: &'a str,
    counts: Option<PathBuf>,
}

impl Upstream {
    /// Starts one over an empty folder.
    pub(crate) fn start(own: &Path) -> Result<Self> {
        let repositories = own.join("repositories");
        fs::create_dir_all(repositories.join("acme"))?;
        Self::over(own, &repositories, Backend { program: &backend()?, settings: USUALLY, counts: None })
    }

    /// Starts one over an empty folder in which a program of ours answers, whose bytes are passed on as they come.
    pub(crate) fn answered_by(own: &Path, program: &Path) -> Result<Self> {
        let repositories = own.join("repositories");
        fs::create_dir_all(repositories.join("acme"))?;
        Self::over(
            own,
            &repositories,
            Backend { program: text(program)?, settings: AS_IT_COMES, counts: None },
        )
    }

    /// Starts one over a folder of repositories that counts what it uses.
    pub(crate) fn counting(own: &Path, repositories: &Path) -> Result<Self> {
        let (script, counts) = (own.join("backend"), own.join("counts"));
        let exec = format!("exec time -a -o {} -f '%U %S' {}", text(&counts)?, backend()?);
        fs::write(&script, format!("#!/bin/sh\n{exec}\n"))?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
        Self::over(
            own,
            repositories,
            Backend { program: text(&script)?, settings: USUALLY, counts: Some(counts) },
        )
    }

    fn over(own: &Path, repositories: &Path, backend: Backend<'_>) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let socket = own.join("backends.socket");
        let mut fcgiwrap = Command::new("fcgiwrap");
        fcgiwrap.args(["-c", N_BACKENDS, "-s", &format!("unix:{}", text(&socket)?)]);
        let backends = started(&mut fcgiwrap, own, "")?;
        wait(|| socket.exists(), "fcgiwrap")?;
        let settings = own.join("nginx.conf");
        fs::write(&settings, nginx_settings(own, repositories, &address, &backend)?)?;
        let mut nginx = Command::new("nginx");
        nginx.arg("-e").arg(own.join("nginx.log")).arg("-c").arg(&settings);
        let nginx = started(&mut nginx, own, &address)?;
        wait(|| TcpStream::connect(&address).is_ok(), "nginx")?;
        Ok(Self { folder: repositories.to_owned(), address, nginx, backends, counts: backend.counts })
    }

    /// Returns the seconds of processors that answers took so far, where they are counted.
    pub(crate) fn used(&self) -> Result<f64> {
        let counts = self.counts.as_ref().context("nothing is counted")?;
        // Nothing was asked for yet.
        let counts = fs::read_to_string(counts).unwrap_or_default();
        let backends = counts.split_whitespace().map(str::parse::<f64>).sum::<Result<f64, _>>()?;
        Ok(backends + used_by(self.nginx.child.id())?)
    }

    /// Returns the folder of a repository, which need not be there yet.
    pub(crate) fn repository(&self, name: &str) -> PathBuf {
        self.folder.join("acme").join(format!("{name}.git"))
    }

    /// Returns where git finds a repository.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://{}/acme/{name}.git", self.address)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        // Its children outlive fcgiwrap, and are begun anew while it lives.
        let pid = self.backends.child.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let _ = Command::new("kill").arg(pid.to_string()).args(children.split_whitespace()).status();
    }
}

fn started(command: &mut Command, own: &Path, address: &str) -> Result<Served> {
    let log = fs::File::options().create(true).append(true).open(own.join("output"))?;
    command.env_remove("GIT_DIR").env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", own);
    let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
    Ok(Served { child, base: format!("http://{address}") })
}

fn wait(is_ready: impl Fn() -> bool, who: &str) -> Result<()> {
    let started = Instant::now();
    while !is_ready() {
        if started.elapsed() > START {
            bail!("{who} does not begin");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Returns the program that answers for git.
pub(crate) fn backend() -> Result<String> {
    let programs = output(Command::new("git").arg("--exec-path"))?;
    Ok(format!("{}/git-http-backend", programs.trim()))
}

fn nginx_settings(own: &Path, repositories: &Path, address: &str, backend: &Backend<'_>) -> Result<String> {
    let (own, repositories) = (text(own)?, text(repositories)?);
    let Backend { program, settings, .. } = backend;
    Ok(format!(
        "worker_processes 1; daemon off; pid {own}/pid; error_log {own}/nginx.log; user root;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; tcp_nodelay on; keepalive_requests 100000000; client_max_body_size 0;\n\
         client_body_temp_path {own}/t1; proxy_temp_path {own}/t2; fastcgi_temp_path {own}/t3;\n\
         uwsgi_temp_path {own}/t4; scgi_temp_path {own}/t5;\n\
         server {{ listen {address}; location / {{\n\
         fastcgi_pass unix:{own}/backends.socket; fastcgi_buffering off; {settings}\n\
         fastcgi_param SCRIPT_FILENAME {program};\n\
         fastcgi_param GIT_PROJECT_ROOT {repositories}; fastcgi_param GIT_HTTP_EXPORT_ALL 1;\n\
         fastcgi_param GIT_PROTOCOL $http_git_protocol; fastcgi_param PATH_INFO $uri;\n\
         fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding; fastcgi_param REMOTE_ADDR $remote_addr;\n\
         fastcgi_param QUERY_STRING $query_string; fastcgi_param REQUEST_METHOD $request_method;\n\
         fastcgi_param CONTENT_TYPE $content_type; fastcgi_param CONTENT_LENGTH $content_length;\n}} }} }}\n"
    ))
}
