//! What a request at the server's doors costs, beside a server that does nothing but answer from memory, and beside nginx.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::peers::Peer;
use super::usage::used_by;
use super::{Bench, Table, folder, quantile, text};
use crate::step::{cargo, is_installed, output, run, target};

const N_ROUNDS: usize = 5;
const N_CONNECTIONS: usize = 64;
/// Where nginx listens as a cache, and as the origin behind it.
const PORTS: [u16; 2] = [18_641, 18_640];

pub(super) const BENCH: Bench = Bench {
    name: "doors",
    method: "`ab` keeps 64 connections busy on a core of its own, the server has another (taskset): Outlast with copies of \
        npm's lodash (packument, abbreviated) and of a tarball of 1.09 MB; a bare hyper server that gives the same bytes from \
        memory, the limit of what any server in Rust can do; nginx with `proxy_cache` of the same bytes, one worker; Verdaccio \
        and devpi, which make documents of their own, are asked a tenth as often, and after the others. CPU is what the process used, user and system, for each request: medians of 5 interleaved rounds, as ratios to the limit.",
    measure,
    quick: None,
};

/// What is asked for.
struct Load {
    name: &'static str,
    path: &'static str,
    /// Where it is from.
    url: &'static str,
    headers: &'static [&'static str],
    n_requests: usize,
    peer: Peer,
}

const LOADS: [Load; 4] = [
    Load {
        name: "index, gzip",
        path: "/npm/lodash",
        url: "https://registry.npmjs.org/lodash",
        headers: &["Accept: application/vnd.npm.install-v1+json", "Accept-Encoding: gzip"],
        n_requests: 30_000,
        peer: Peer::Verdaccio,
    },
    Load {
        name: "index, identity",
        path: "/npm/lodash",
        url: "https://registry.npmjs.org/lodash",
        headers: &["Accept: application/vnd.npm.install-v1+json"],
        n_requests: 10_000,
        peer: Peer::Verdaccio,
    },
    Load {
        name: "file",
        path: "/npm/react-dom/-/react-dom-18.2.0.tgz",
        url: "https://registry.npmjs.org/react-dom/-/react-dom-18.2.0.tgz",
        headers: &[],
        n_requests: 2_000,
        peer: Peer::Verdaccio,
    },
    Load {
        name: "PyPI index, JSON",
        path: "/pypi/simple/requests/",
        url: "https://pypi.org/simple/requests/",
        headers: &["Accept: application/vnd.pypi.simple.v1+json"],
        n_requests: 10_000,
        peer: Peer::Devpi,
    },
];

/// A server that ends when it is dropped.
pub(crate) struct Served {
    pub(crate) child: Child,
    pub(crate) base: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        // Asked politely: nginx has workers, which outlive a master that was killed.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// What one round measured.
#[derive(Clone, Copy)]
struct Measured {
    cpu_us: f64,
    per_second: f64,
    p99_ms: f64,
}

fn measure() -> Result<Table> {
    for program in ["ab", "nginx", "taskset"] {
        if !is_installed(program) {
            bail!(
                "`{program}` is not installed; hint: apt-get install -y apache2-utils nginx-light util-linux"
            );
        }
    }
    run(&mut cargo(&["build", "--quiet", "--release", "-p", "outlast"]))?;
    run(&mut cargo(&["build", "--quiet", "--release", "-p", "server", "--example", "limit"]))?;
    let place = folder()?;
    let outlast = outlast(place.path())?;
    let mut rows = Vec::new();
    for load in &LOADS {
        let file = place.path().join("body");
        let kind = fetch(&outlast.base, load.path, load, &file)?;
        let limit = limit(&file, &kind, load)?;
        let nginx = nginx(place.path(), &file, &kind, load)?;
        let sides = [("Outlast", &outlast), ("bare hyper", &limit), ("nginx", &nginx)];
        let mut measured: [Vec<Measured>; 3] = Default::default();
        for _ in 0..N_ROUNDS {
            for ((_, served), measured) in sides.iter().zip(&mut measured) {
                measured.push(bombard(served, load.path, load, load.n_requests)?);
            }
        }
        drop((limit, nginx));
        let peer = peer(place.path(), load)?;
        let median = |of: &[Measured], part: fn(&Measured) -> f64| {
            quantile(&of.iter().map(part).collect::<Vec<f64>>(), 0.5)
        };
        let limit_us = median(&measured[1], |it| it.cpu_us);
        let names = ["Outlast", "bare hyper", "nginx", load.peer.name()];
        for (name, measured) in names.iter().zip(measured.iter().chain([&peer])) {
            let cpu_us = median(measured, |it| it.cpu_us);
            rows.push(vec![
                load.name.to_owned(),
                (*name).to_owned(),
                format!("{cpu_us:.0}"),
                format!("{:.2}", cpu_us / limit_us),
                format!("{:.0}", median(measured, |it| it.per_second)),
                format!("{:.0}", median(measured, |it| it.p99_ms)),
            ]);
        }
    }
    Ok(Table { head: &["asked for", "server", "CPU, µs", "of the limit", "requests/s", "p99, ms"], rows })
}

/// Measures a peer after the others: it has threads that wake now and then, also while nobody asks.
fn peer(place: &Path, load: &Load) -> Result<Vec<Measured>> {
    let (served, path) = (load.peer.start(&place.join(load.name))?, load.peer.path(load.path));
    // The first answer is not from its cache.
    fetch(&served.base, &path, load, &place.join("peer"))?;
    (0..N_ROUNDS).map(|_| bombard(&served, &path, load, load.n_requests / 10)).collect()
}

/// Starts Outlast with copies of everything that is asked for.
fn outlast(place: &Path) -> Result<Served> {
    let own = place.join("own");
    fs::create_dir(&own)?;
    fs::write(own.join("outlast.toml"), "[limits]\nindex_fresh_for = \"2h\"\n")?;
    let binary = target().join("release/outlast");
    for load in &LOADS {
        let mut record = Command::new(&binary);
        record.args(["exec", "-q", "--home", text(&own)?, "--", "curl", "-fsS", "-o", "/dev/null"]);
        record.args(load.headers.iter().flat_map(|header| ["-H", header])).arg(load.url).current_dir(place);
        run(&mut record)?;
    }
    let mut serve = pinned(&binary);
    serve.args(["serve", "-q", "--home", text(&own)?, "--listen", "127.0.0.1:0"]);
    listening(serve)
}

/// Has the bytes that Outlast gives, as it gives them; returns their type.
fn fetch(base: &str, path: &str, load: &Load, file: &Path) -> Result<String> {
    let mut curl = Command::new("curl");
    curl.args(["-fsS", "--raw", "-w", "%{content_type}", "-o", text(file)?]);
    curl.args(load.headers.iter().flat_map(|header| ["-H", header])).arg(format!("{base}{path}"));
    // The first answer may not be ready made.
    output(&mut curl)?;
    output(&mut curl)
}

fn limit(file: &Path, kind: &str, load: &Load) -> Result<Served> {
    let mut limit = pinned(&target().join("release/examples/limit"));
    limit.arg(file).arg(kind).args(is_gzip(load).then_some("gzip"));
    listening(limit)
}

fn is_gzip(load: &Load) -> bool {
    load.headers.iter().any(|header| header.ends_with("gzip"))
}

/// Starts nginx as a cache, filled from an origin that gives the same bytes.
fn nginx(place: &Path, file: &Path, kind: &str, load: &Load) -> Result<Served> {
    let own = place.join("nginx");
    let _ = fs::remove_dir_all(&own);
    fs::create_dir(&own)?;
    fs::copy(file, own.join("body"))?;
    let (folder, [cache, origin]) = (text(&own)?, PORTS);
    let encoding = if is_gzip(load) { "add_header Content-Encoding gzip;" } else { "" };
    let settings = format!(
        "worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/log; user root;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; sendfile on; tcp_nodelay on; keepalive_requests 100000000;\n\
         client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;\n\
         uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;\n\
         proxy_cache_path {folder}/cache keys_zone=c:10m;\n\
         server {{ listen 127.0.0.1:{origin}; location / {{ root {folder}; rewrite ^ /body break;\n\
         default_type {kind}; {encoding} }} }}\n\
         server {{ listen 127.0.0.1:{cache}; location / {{ proxy_pass http://127.0.0.1:{origin}/; proxy_cache c;\n\
         proxy_cache_valid 200 1h; }} }} }}\n"
    );
    fs::write(own.join("conf"), settings)?;
    let mut nginx = pinned(Path::new("nginx"));
    nginx.args(["-e", &format!("{folder}/log"), "-c", &format!("{folder}/conf")]);
    let child = nginx.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn()?;
    let served = Served { child, base: format!("http://127.0.0.1:{cache}") };
    let mut curl = Command::new("curl");
    curl.args(["-fsS", "-o", "/dev/null", "--retry", "20", "--retry-connrefused", "--retry-delay", "1"]);
    run(curl.arg(format!("{}{}", served.base, load.path)))?;
    Ok(served)
}

/// A program on the server's core.
pub(super) fn pinned(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program);
    command
}

/// Starts a server that says where it listens.
pub(super) fn listening(mut command: Command) -> Result<Served> {
    let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("no pipe")?).read_line(&mut line)?;
    let served = Served { child, base: line.trim().trim_start_matches("listening ").to_owned() };
    if !served.base.starts_with("http") {
        bail!("it does not listen: {line}");
    }
    Ok(served)
}

fn bombard(served: &Served, path: &str, load: &Load, n_requests: usize) -> Result<Measured> {
    let before = used_by(served.child.id())?;
    let mut ab = Command::new("taskset");
    ab.args(["-c", "1", "ab", "-q", "-k", "-n", &n_requests.to_string()]);
    ab.args(["-c", &N_CONNECTIONS.to_string()]).args(load.headers.iter().flat_map(|header| ["-H", header]));
    let said = output(ab.arg(format!("{}{path}", served.base)))?;
    if said.contains("Non-2xx") || !said.contains("Failed requests:        0") {
        bail!("requests failed: {said}");
    }
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let cpu_us = (used_by(served.child.id())? - before) * 1e6 / n_requests as f64;
    let number = |start: &str| read_number(&said, start).with_context(|| format!("no `{start}` in {said}"));
    Ok(Measured { cpu_us, per_second: number("Requests per second:")?, p99_ms: number("99%")? })
}

/// Reads the number that follows some words at the beginning of a line.
pub(super) fn read_number(said: &str, start: &str) -> Option<f64> {
    let line = said.lines().find_map(|line| line.trim().strip_prefix(start))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_as_they_are_written() {
        let said = "Failed requests:        0\nRequests per second:    27036.65 [#/sec] (mean)\n  99%      4\n 100%  9\n";
        assert_eq!(read_number(said, "Requests per second:"), Some(27036.65));
        assert_eq!(read_number(said, "99%"), Some(4.0));
        assert_eq!(read_number(said, "nothing"), None);
    }
}
