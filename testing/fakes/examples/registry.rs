//! A registry with latency for benchmarks: `registry FOLDER npm|cargo N_PACKAGES LATENCY_MS`.
//!
//! Writes a project that needs every package into FOLDER, prints the address that speaks TLS, the address of the proxy
//! and the file with the CA, one a line, and serves until its standard input ends.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use fakes::Upstream;
use fakes::cargo::crate_;
use fakes::npm::{Package, package};
use serde_json::{Map, Value, json};

const NPM: &str = "registry.npmjs.org";
const CRATES: [&str; 2] = ["index.crates.io", "static.crates.io"];
/// A file of some size in each package, as packages have.
const FILE_BYTES: usize = 40_000;

#[expect(clippy::print_stdout, reason = "the program that starts it reads three lines")]
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, kind, n_packages, latency_ms] = arguments.as_slice() else {
        panic!("usage: registry FOLDER npm|cargo N_PACKAGES LATENCY_MS");
    };
    let n_packages: usize = n_packages.parse().expect("a number of packages");
    let folder = Path::new(folder);
    let upstream = Upstream::start_blocking();
    match kind.as_str() {
        "npm" => serve_npm(&upstream, folder, n_packages),
        "cargo" => serve_cargo(&upstream, folder, n_packages),
        other => panic!("`{other}` is neither npm nor cargo"),
    }
    upstream.set_latency(Duration::from_millis(latency_ms.parse().expect("a number of milliseconds")));
    println!("{}\n{}\n{}", upstream.tls_address(), upstream.proxy_url(), upstream.ca_file(folder).display());
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).expect("standard input is read to its end");
}

fn write(folder: &Path, file: &str, text: &str) {
    std::fs::write(folder.join(file), text).expect("a folder that can be written to");
}

/// Serves packages, and writes package.json and its lock.
fn serve_npm(upstream: &Upstream, folder: &Path, n_packages: usize) {
    let text = noise(FILE_BYTES);
    let name = |n: usize| format!("package-{n}");
    let packages: Vec<Package> =
        (0..n_packages).map(|n| package(&name(n), &[("1.0.0", &[("index.js", &text)])])).collect();
    upstream.serve_npm(NPM, &packages);
    let dependencies: Map<String, Value> = (0..packages.len()).map(|n| (name(n), json!("1.0.0"))).collect();
    let manifest = json!({ "name": "project", "version": "1.0.0", "dependencies": dependencies });
    let mut locked = Map::new();
    locked.insert(String::new(), manifest.clone());
    for (n, package) in packages.iter().enumerate() {
        let resolved = format!("https://{NPM}{}", package.tarball_path("1.0.0"));
        let integrity = package.integrity("1.0.0");
        let entry = json!({ "version": "1.0.0", "resolved": resolved, "integrity": integrity });
        locked.insert(format!("node_modules/{}", name(n)), entry);
    }
    let lock = json!({
        "name": "project", "version": "1.0.0", "lockfileVersion": 3, "requires": true, "packages": locked,
    });
    write(folder, "package.json", &manifest.to_string());
    write(folder, "package-lock.json", &lock.to_string());
}

/// Serves crates, and writes Cargo.toml, its lock and a library that uses nothing.
fn serve_cargo(upstream: &Upstream, folder: &Path, n_crates: usize) {
    let lib = format!("pub fn hello() -> &'static str {{ \"hello\" }}\n{}", noise(FILE_BYTES));
    let name = |n: usize| format!("crate-{n:03}");
    let crates: Vec<_> = (0..n_crates).map(|n| crate_(&name(n), "1.0.0").lib(&lib)).collect();
    upstream.serve_cargo(CRATES[0], CRATES[1], &crates);
    let mut manifest =
        "[package]\nname = \"project\"\nversion = \"1.0.0\"\nedition = \"2021\"\n\n[dependencies]\n"
            .to_owned();
    let mut lock = "version = 3\n".to_owned();
    let mut names = String::new();
    for (n, one) in crates.iter().enumerate() {
        let (name, checksum) = (name(n), one.checksum());
        let source = "registry+https://github.com/rust-lang/crates.io-index";
        writeln!(manifest, "{name} = \"1\"").expect("a text");
        writeln!(
            lock,
            "\n[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\nsource = \"{source}\"\nchecksum = \"{checksum}\""
        )
        .expect("a text");
        writeln!(names, " \"{name}\",").expect("a text");
    }
    writeln!(lock, "\n[[package]]\nname = \"project\"\nversion = \"1.0.0\"\ndependencies = [\n{names}]")
        .expect("a text");
    write(folder, "Cargo.toml", &manifest);
    write(folder, "Cargo.lock", &lock);
    std::fs::create_dir_all(folder.join("src")).expect("a folder that can be written to");
    write(folder, "src/lib.rs", "");
}

/// Text that no compression makes small.
fn noise(n_bytes: usize) -> String {
    let mut random = fastrand::Rng::with_seed(1);
    let mut text = String::with_capacity(n_bytes + 20);
    while text.len() < n_bytes {
        text.push_str(&format!("// {:016x}\n", random.u64(..)));
    }
    text
}
