//! What a server takes that holds much: memory, the start, answers that lie in no memory yet; and what fetching a large lock takes.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::doors::{Served, listening, read_number};
use super::overhead::Registry;
use super::{Bench, Table, cell, folder, quantile, ratio, text, time};
use crate::step::{cargo, is_installed, output, run, target};

const N_ROUNDS: usize = 5;
/// A million objects; that each has a file of its own would fill a disk and change nothing that is measured.
const MILLION: [&str; 4] = ["1000000", "10000", "20000", "21000000"];
/// 1 GB in files of 5 MB.
const GIGABYTE: [&str; 4] = ["200", "200", "5000000", "0"];
const N_COLD: usize = 5000;
/// As many as `outlast adopt` asks one host at a time.
const N_PARALLEL: &str = "16";

pub(super) const BENCH: Bench = Bench {
    name: "scale",
    method: "A home with a million objects (tarballs of 20 kB that share 10,000 blobs) and one with 1 GB in files of 5 MB, made by \
        the store itself (`crates/store/examples/fill.rs`). Start: from the call to the line that says where it listens, median \
        of 5. Cold: 5000 objects of the million, each asked for once on one connection of curl; from the sent request to the last \
        byte; the page cache may have them. Large packument: 21 MB, unpacked, asked for by `ab` with 50 connections and gzip. \
        Memory is what is resident at the end of each. Adopting: `outlast adopt` of a lock of 500 npm packages from a registry on \
        loopback under TLS, with an empty home, beside curl that gets the same 2000 answers (both forms of each index, the file, attestations), 16 at a time, into files; wall \
        time in milliseconds of 5 interleaved rounds after one that is not counted, for a registry that answers at once and one \
        that answers after 20 ms.",
    measure,
    quick: None,
};

fn measure() -> Result<Table> {
    for program in ["ab", "curl"] {
        if !is_installed(program) {
            bail!("`{program}` is not installed; hint: apt-get install -y apache2-utils curl");
        }
    }
    run(&mut cargo(&["build", "--quiet", "--release", "-p", "outlast"]))?;
    run(&mut cargo(&["build", "--quiet", "--release", "-p", "store", "--example", "fill"]))?;
    let mut rows = million()?;
    rows.extend(gigabyte()?);
    for latency_ms in ["0", "20"] {
        rows.extend(adopt(latency_ms)?);
    }
    Ok(Table { head: &["what", "measured", "target"], rows })
}

fn row(what: &str, measured: String, target: &str) -> Vec<String> {
    vec![what.to_owned(), measured, target.to_owned()]
}

fn million() -> Result<Vec<Vec<String>>> {
    let place = folder()?;
    let home = filled(place.path(), MILLION)?;
    let mut starts = Vec::new();
    for _ in 0..N_ROUNDS {
        let started = Instant::now();
        let served = serve(&home)?;
        starts.push(started.elapsed());
        drop(served);
    }
    let served = serve(&home)?;
    let cold = cold(&served, place.path())?;
    let after_cold = resident_mb(&served)?;
    let large = large(&served)?;
    let [half, most] = [0.5, 0.99].map(|part| quantile(&cold, part));
    Ok(vec![
        row("start with a million objects, ms", cell(&starts), "1000"),
        row("cold answer, a million objects, median, ms", format!("{half:.2}"), ""),
        row("cold answer, a million objects, p99, ms", format!("{most:.2}"), "2"),
        row("resident after these, MB", format!("{after_cold:.0}"), "200"),
        row("packument of 21 MB, 50 clients, p99, ms", format!("{large:.0}"), "300"),
        row("resident after that, MB", format!("{:.0}", resident_mb(&served)?), ""),
    ])
}

fn gigabyte() -> Result<Vec<Vec<String>>> {
    let place = folder()?;
    let served = serve(&filled(place.path(), GIGABYTE)?)?;
    for number in 0..200 {
        let url = format!("{}/npm/p{number}/-/p{number}-1.0.0.tgz", served.base);
        run(Command::new("curl").args(["-fsS", "-o", "/dev/null", &url]))?;
    }
    let after = resident_mb(&served)?;
    Ok(vec![row("resident with 1 GB stored, all of it given out once, MB", format!("{after:.0}"), "64")])
}

/// Makes a home.
fn filled(place: &Path, numbers: [&str; 4]) -> Result<std::path::PathBuf> {
    let home = place.join("own");
    fs::create_dir(&home)?;
    fs::write(home.join("outlast.toml"), "[limits]\nindex_fresh_for = \"20h\"\n")?;
    run(Command::new(target().join("release/examples/fill")).arg(&home).args(numbers))?;
    Ok(home)
}

fn serve(home: &Path) -> Result<Served> {
    let mut serve = Command::new(target().join("release/outlast"));
    serve.args(["serve", "-q", "--home", text(home)?, "--listen", "127.0.0.1:0"]);
    listening(serve)
}

/// Returns milliseconds of answers that nobody asked for before.
fn cold(served: &Served, place: &Path) -> Result<Vec<f64>> {
    let urls: String = (0..N_COLD)
        .map(|number| {
            let number = number * 1_000_000 / N_COLD + number % 97;
            format!("url = \"{}/npm/p{number}/-/p{number}-1.0.0.tgz\"\noutput = \"/dev/null\"\n", served.base)
        })
        .collect();
    let list = place.join("urls");
    fs::write(&list, urls)?;
    let mut curl = Command::new("curl");
    curl.args(["-fsS", "-w", "%{time_pretransfer} %{time_total}\n", "-K", text(&list)?]);
    let said = output(&mut curl)?;
    let took = |line: &str| {
        let (before, all) = line.split_once(' ')?;
        Some((all.parse::<f64>().ok()? - before.parse::<f64>().ok()?) * 1000.0)
    };
    said.lines().map(|line| took(line).with_context(|| format!("curl said `{line}`"))).collect()
}

fn large(served: &Served) -> Result<f64> {
    let url = format!("{}/npm/large", served.base);
    // The first answer is made ready.
    run(Command::new("curl").args(["-fsS", "-o", "/dev/null", "-H", "Accept-Encoding: gzip", &url]))?;
    let mut ab = Command::new("ab");
    ab.args(["-q", "-k", "-n", "1000", "-c", "50", "-H", "Accept-Encoding: gzip", &url]);
    let said = output(&mut ab)?;
    if said.contains("Non-2xx") || !said.contains("Failed requests:        0") {
        bail!("requests failed: {said}");
    }
    read_number(&said, "99%").context("no `99%`")
}

/// Returns what of a process is in memory and nobody else's as well: proc(5), `VmRSS`.
fn resident_mb(served: &Served) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", served.child.id()))?;
    Ok(read_number(&status, "VmRSS:").context("no `VmRSS`")? / 1024.0)
}

fn adopt(latency_ms: &'static str) -> Result<Vec<Vec<String>>> {
    let place = folder()?;
    let registry = Registry::of_npm(place.path(), "500", latency_ms)?;
    let lock = registry.project.join("package-lock.json");
    let (mut curl, mut own): (Vec<Duration>, Vec<Duration>) = Default::default();
    for round in 0..=N_ROUNDS {
        let files = place.path().join(format!("files{round}"));
        let took = time(&mut by_curl(&registry, &lock, &files)?)?;
        let home = place.path().join(format!("home{round}"));
        registry.configure(&home)?;
        let mut adopt = Command::new(target().join("release/outlast"));
        adopt.args(["adopt", "-q", "--home", text(&home)?]).arg(&lock);
        let adopted = time(&mut adopt)?;
        if round > 0 {
            curl.push(took);
            own.push(adopted);
        }
    }
    let what = |who: &str| format!("500 packages after {latency_ms} ms each, {who}, ms");
    Ok(vec![
        row(&what("curl"), cell(&curl), ""),
        row(&what("outlast adopt"), cell(&own), ""),
        row(&what("curl ÷ outlast adopt").replace(", ms", ""), ratio(&curl, &own), "0.8"),
    ])
}

/// A curl that gets what adopting gets: for each package its file, both forms of its index, and what vouches for where it was
/// built, which the registry does not have.
fn by_curl(registry: &Registry, lock: &Path, files: &Path) -> Result<Command> {
    fs::create_dir(files)?;
    let lock: serde_json::Value = serde_json::from_slice(&fs::read(lock)?)?;
    let packages = lock["packages"].as_object().context("no packages")?;
    let (address, ca, folder) = (&registry.address, &registry.ca, text(files)?);
    let mut list = String::new();
    for (number, package) in packages.values().filter(|package| package["resolved"].is_string()).enumerate() {
        let (file, version) = (package["resolved"].as_str(), package["version"].as_str());
        let (file, version) = file.zip(version).context("a package without version")?;
        let (index, _) = file.split_once("/-/").context("a file that lies elsewhere")?;
        let (registry, name) = index.rsplit_once('/').context("no name")?;
        let attestations = format!("{registry}/-/npm/v1/attestations/{name}@{version}");
        for (kind, url, accept) in [
            ("abbreviated", index, "application/vnd.npm.install-v1+json"),
            ("whole", index, "application/json"),
            ("attestations", &attestations, "*/*"),
            ("file", file, "*/*"),
        ] {
            // Each stands for itself: `next` forgets what was said before it.
            list.push_str(&format!(
                "url = \"{url}\"\noutput = \"{folder}/{kind}{number}\"\nheader = \"Accept: {accept}\"\n\
                 cacert = \"{ca}\"\nconnect-to = \"::{address}\"\nhttp1.1\nnext\n"
            ));
        }
    }
    let path = files.join("list");
    fs::write(&path, list.trim_end_matches("next\n"))?;
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--no-progress-meter", "--parallel", "--parallel-max", N_PARALLEL, "-K", text(&path)?]);
    curl.stdout(Stdio::null());
    Ok(curl)
}
