//! What there is to ask for, and every right byte of it: what the upstream itself says, with addresses replaced as docs/SERVING.md
//! says. Nothing here is computed by the product.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use fakes::composer::{self, HOSTS};
use fakes::npm::{Package, package};
use fakes::{Answer, Upstream, cargo, noise, pypi};
use serde_json::json;

use crate::raw;
use crate::serve::{CARGO, NPM, PYPI};

pub(super) const RELEASES: &str = "github.com";
const N_EACH: usize = 24;
const N_COMPOSER: usize = 6;
const N_EDITIONS: usize = 8;

/// Something that a client may ask for.
pub(super) struct Good {
    pub(super) path: String,
    pub(super) right: Right,
    pub(super) seen: Mutex<Seen>,
}

/// What may be answered.
pub(super) enum Right {
    File(Vec<u8>),
    /// By edition, with the server's own address left out; only those that were published.
    Index {
        editions: Vec<String>,
        n_published: AtomicUsize,
    },
}

/// What clients were told.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Seen {
    /// Since when it is held, as far as clients can know.
    pub(super) held_since: Option<Instant>,
    /// The newest edition, and when it was first seen.
    pub(super) newest: Option<(usize, Instant)>,
}

impl Seen {
    /// Forgets what may be lost by a kill: what was told to clients after the moment up to which all is known to be kept.
    pub(super) fn forget(&mut self, kept_until: Instant) {
        let is_durable = |at: &Instant| *at < kept_until;
        self.held_since = self.held_since.filter(is_durable);
        self.newest = self.newest.filter(|(_, at)| is_durable(at));
    }
}

pub(super) struct Goods {
    pub(super) all: Vec<Good>,
    packages: Vec<(String, Vec<Package>)>,
}

impl Goods {
    /// Puts everything on an upstream.
    pub(super) fn put(upstream: &Upstream, folder: &Path) -> Self {
        let mut goods = Self { all: Vec::new(), packages: Vec::new() };
        for n in 0..N_EACH {
            goods.put_npm(upstream, n);
            goods.put_cargo(upstream, n);
            goods.put_pypi(upstream, n);
            let path = format!("/acme/tool/releases/download/v{n}/tool");
            let bytes = noise(1 << (10 + n % 12), n as u64);
            upstream.put(RELEASES, &path, Answer::file(bytes.clone()).header("etag", &format!("\"{n}\"")));
            goods.file(format!("/files/{RELEASES}{path}"), &bytes);
        }
        let packages = composer::plain(folder, "acme", N_COMPOSER);
        upstream.serve_composer(&packages);
        for package in &packages {
            let path = format!("/p2/{}.json", package.name());
            let document = said(upstream, HOSTS[0], &path);
            goods.index(format!("/composer{path}"), vec![document]);
            let reference = package.reference("1.0.0");
            let path = format!("/composer/dists/{}/1.0.0.0/{reference}.zip", package.name());
            goods.file(path, package.zip("1.0.0"));
        }
        // Of every kind there is something among those that are asked for late.
        fastrand::Rng::with_seed(1).shuffle(&mut goods.all);
        goods
    }

    /// Publishes the next edition of some package.
    pub(super) fn publish(&self, upstream: &Upstream, random: &mut fastrand::Rng) {
        let (path, editions) = &self.packages[random.usize(..self.packages.len())];
        let good = self.all.iter().find(|good| good.path == *path);
        let Some(Right::Index { n_published, .. }) = good.map(|good| &good.right) else { return };
        let next = n_published.load(Ordering::SeqCst);
        if let Some(edition) = editions.get(next) {
            // It may be seen from the moment on at which it is there.
            n_published.store(next + 1, Ordering::SeqCst);
            upstream.serve_npm(NPM, std::slice::from_ref(edition));
        }
    }

    fn put_npm(&mut self, upstream: &Upstream, n: usize) {
        let name = format!("package-{n}");
        let text = |seed: usize| {
            noise(1 << (8 + seed % 8), seed as u64)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let mut now =
            package(&name, &[("1.0.0", &[("index.js", &format!("module.exports = \"{}\";\n", text(n)))])]);
        let mut editions = Vec::new();
        let mut documents = Vec::new();
        for edition in 0..N_EDITIONS {
            if edition > 0 {
                let number = format!("1.{edition}.0");
                now = now.version(&number, &json!({ "description": text(n + edition) }), &[]);
            }
            upstream.serve_npm(NPM, std::slice::from_ref(&now));
            documents.push(
                said(upstream, NPM, &format!("/{name}")).replace("https://registry.npmjs.org/", "/npm/"),
            );
            editions.push(now.clone());
        }
        upstream.serve_npm(NPM, &editions[..1]);
        self.packages.push((format!("/npm/{name}"), editions));
        self.index(format!("/npm/{name}"), documents);
        self.file(format!("/npm{}", now.tarball_path("1.0.0")), now.tarball("1.0.0"));
    }

    fn put_cargo(&mut self, upstream: &Upstream, n: usize) {
        let name = format!("crate-{n}");
        let one = cargo::crate_(&name, "1.0.0");
        upstream.serve_cargo(CARGO[0], CARGO[1], std::slice::from_ref(&one));
        let path = cargo::index_path(&name);
        let document = said(upstream, CARGO[0], &path);
        self.index(format!("/cargo{path}"), vec![document]);
        self.file(format!("/files/{}{}", CARGO[1], one.file_path()), &one.file());
    }

    fn put_pypi(&mut self, upstream: &Upstream, n: usize) {
        let one = pypi::project(&format!("project-{n}")).wheel("1.0.0", &[]);
        upstream.serve_pypi(std::slice::from_ref(&one));
        let path = format!("/simple/project-{n}/");
        let document = said(upstream, PYPI[0], &path);
        let document = document.replace("https://files.pythonhosted.org/", "/files/files.pythonhosted.org/");
        self.index(format!("/pypi{path}"), vec![document]);
        let wheel = one.wheel_of("1.0.0");
        self.file(format!("/files/{}{}", PYPI[1], wheel.path()), wheel.bytes());
    }

    fn file(&mut self, path: String, bytes: &[u8]) {
        self.all.push(Good { path, right: Right::File(bytes.to_vec()), seen: Mutex::default() });
    }

    fn index(&mut self, path: String, editions: Vec<String>) {
        let right = Right::Index { editions, n_published: AtomicUsize::new(1) };
        self.all.push(Good { path, right, seen: Mutex::default() });
    }
}

/// Returns what the upstream itself says.
fn said(upstream: &Upstream, host: &str, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let got = raw::exchange(&upstream.plain_address().to_string(), request.as_bytes());
    assert_eq!(got.status, 200, "{host}{path}: {got:?}");
    got.text()
}
