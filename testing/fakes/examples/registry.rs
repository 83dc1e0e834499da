//! A registry with latency for benchmarks: `registry FOLDER N_PACKAGES LATENCY_MS`.
//!
//! Writes a project that installs everything into FOLDER, prints the address that speaks TLS, the address of the proxy
//! and the file with the CA, one a line, and serves until its standard input ends.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use fakes::Upstream;
use fakes::npm::{Package, package};
use serde_json::{Map, Value, json};

const HOST: &str = "registry.npmjs.org";
/// A file of some size in each package, as packages have.
const FILE_BYTES: usize = 40_000;

#[expect(clippy::print_stdout, reason = "the program that starts it reads three lines")]
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, n_packages, latency_ms] = arguments.as_slice() else {
        panic!("usage: registry FOLDER N_PACKAGES LATENCY_MS");
    };
    let n_packages: usize = n_packages.parse().expect("a number of packages");
    let text = noise(FILE_BYTES);
    let packages: Vec<Package> = (0..n_packages)
        .map(|n| package(&format!("package-{n}"), &[("1.0.0", &[("index.js", &text)])]))
        .collect();
    let upstream = Upstream::start_blocking();
    upstream.serve_npm(HOST, &packages);
    upstream.set_latency(Duration::from_millis(latency_ms.parse().expect("a number of milliseconds")));
    let folder = Path::new(folder);
    lay(folder, &packages);
    println!("{}\n{}\n{}", upstream.tls_address(), upstream.proxy_url(), upstream.ca_file(folder).display());
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).expect("standard input is read to its end");
}

/// Writes package.json and its lock.
fn lay(folder: &Path, packages: &[Package]) {
    let name = |n: usize| format!("package-{n}");
    let dependencies: Map<String, Value> = (0..packages.len()).map(|n| (name(n), json!("1.0.0"))).collect();
    let manifest = json!({ "name": "project", "version": "1.0.0", "dependencies": dependencies });
    let mut locked = Map::new();
    locked.insert(String::new(), manifest.clone());
    for (n, package) in packages.iter().enumerate() {
        let resolved = format!("https://{HOST}{}", package.tarball_path("1.0.0"));
        let integrity = package.integrity("1.0.0");
        let entry = json!({ "version": "1.0.0", "resolved": resolved, "integrity": integrity });
        locked.insert(format!("node_modules/{}", name(n)), entry);
    }
    let lock = json!({
        "name": "project", "version": "1.0.0", "lockfileVersion": 3, "requires": true, "packages": locked,
    });
    for (file, value) in [("package.json", &manifest), ("package-lock.json", &lock)] {
        std::fs::write(folder.join(file), value.to_string()).expect("a folder that can be written to");
    }
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
