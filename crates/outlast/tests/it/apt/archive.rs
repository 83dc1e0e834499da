//! A small signed archive for apt, as a mirror has it: packages in two components, and a list of them that gives way to the next.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fakes::{Answer, Upstream};
use model::Sha256;
use tempfile::TempDir;

use crate::world::{finish, need};

pub(super) const HOST: &str = "deb.example.com";
/// The same mirror for whoever asks it directly.
const DIRECT: &str = "127.0.0.1";
pub(super) const SUITE: &str = "/debian/dists/stable";
pub(super) const COMPONENTS: [&str; 2] = ["main", "contrib"];

/// How apt gets at documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Name,
    Digest,
}

/// A key, and what was made with it.
pub(super) struct Archive {
    folder: TempDir,
    by: By,
}

/// One state of the suite. Each component has one package, whose version is the number of the generation.
pub(super) struct Generation {
    pub(super) in_release: Vec<u8>,
    pub(super) packages: [Vec<u8>; 2],
    files: Vec<(String, Vec<u8>)>,
}

impl Archive {
    pub(super) fn new(by: By) -> Self {
        for program in ["apt-get", "gpg", "dpkg-deb"] {
            need(program);
        }
        let folder = tempfile::Builder::new().prefix("apt-").tempdir().unwrap();
        let archive = Self { folder, by };
        let made = ["--passphrase", "", "--quick-gen-key", "archive@example.com", "ed25519", "sign", "never"];
        archive.gpg(&made);
        archive.gpg(&["--output", archive.key().to_str().unwrap(), "--export"]);
        archive
    }

    /// Returns where the public key lies.
    pub(super) fn key(&self) -> PathBuf {
        self.folder.path().join("key.gpg")
    }

    fn gpg(&self, arguments: &[&str]) {
        let mut gpg = Command::new("gpg");
        gpg.args(["--homedir", self.folder.path().to_str().unwrap(), "--batch", "--yes", "--quiet"]);
        finish(gpg.args(arguments), b"").expect(0);
    }

    /// Makes a generation that was published an hour ago, and is valid for seven days.
    pub(super) fn generation(&self, number: u32) -> Generation {
        let made = COMPONENTS.map(|component| self.package(component, number));
        let mut release = format!(
            "Origin: Example\nSuite: stable\nCodename: trixie\nDate: {}\nValid-Until: {}\nAcquire-By-Hash: {}\n\
             Architectures: {}\nComponents: {}\nSHA256:\n",
            date(&format!("1 hour ago {number} seconds")),
            date("7 days"),
            if self.by == By::Digest { "yes" } else { "no" },
            output("dpkg", &["--print-architecture"]).trim(),
            COMPONENTS.join(" "),
        );
        for (component, (packages, _)) in COMPONENTS.iter().zip(&made) {
            let (sha256, size) = (Sha256::of(packages), packages.len());
            writeln!(release, " {sha256} {size} {}", of_component(component)).unwrap();
        }
        let (plain, signed) = (self.folder.path().join("Release"), self.folder.path().join("InRelease"));
        fs::write(&plain, release).unwrap();
        self.gpg(&["--output", signed.to_str().unwrap(), "--clearsign", plain.to_str().unwrap()]);
        let in_release = fs::read(signed).unwrap();
        let [(main, one), (contrib, other)] = made;
        Generation { in_release, packages: [main, contrib], files: vec![one, other] }
    }

    /// Makes the package of a component, and returns the document that lists it.
    fn package(&self, component: &str, number: u32) -> (Vec<u8>, (String, Vec<u8>)) {
        let tree = self.folder.path().join(format!("{component}-{number}"));
        let control = format!(
            "Package: small-{component}\nVersion: {number}.0\nArchitecture: all\n\
             Maintainer: Nobody <nobody@example.com>\nDescription: for a test\n"
        );
        fs::create_dir_all(tree.join("DEBIAN")).unwrap();
        fs::write(tree.join("DEBIAN/control"), &control).unwrap();
        let file = tree.with_extension("deb");
        let (from, to) = (tree.to_str().unwrap(), file.to_str().unwrap());
        output("dpkg-deb", &["--root-owner-group", "--build", from, to]);
        let bytes = fs::read(file).unwrap();
        let path = format!("pool/{component}/s/small/small-{component}_{number}.0_all.deb");
        let (size, sha256) = (bytes.len(), Sha256::of(&bytes));
        let packages = format!("{control}Filename: {path}\nSize: {size}\nSHA256: {sha256}\n\n");
        (packages.into_bytes(), (format!("/debian/{path}"), bytes))
    }

    /// Puts the list that a mirror has.
    pub(super) fn put_list(&self, mirror: &Upstream, generation: &Generation) {
        put(mirror, &format!("{SUITE}/InRelease"), &generation.in_release);
    }

    /// Puts the documents and the packages that a mirror has.
    pub(super) fn put_documents(&self, mirror: &Upstream, generation: &Generation) {
        for (component, packages) in COMPONENTS.iter().zip(&generation.packages) {
            put(mirror, &self.place(component, packages), packages);
        }
        for (path, bytes) in &generation.files {
            put(mirror, path, bytes);
        }
    }

    /// Takes the documents of a generation away.
    pub(super) fn drop_documents(&self, mirror: &Upstream, generation: &Generation) {
        for (component, packages) in COMPONENTS.iter().zip(&generation.packages) {
            for host in [HOST, DIRECT] {
                mirror.remove(host, &self.place(component, packages));
            }
        }
    }

    fn place(&self, component: &str, packages: &[u8]) -> String {
        let name = format!("{SUITE}/{}", of_component(component));
        match self.by {
            By::Name => name,
            By::Digest => name.replace("/Packages", &format!("/by-hash/SHA256/{}", Sha256::of(packages))),
        }
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        // The agent that keeps the key goes with its folder, or else a minute later.
        let folder = self.folder.path().to_str().unwrap_or_default();
        let _ = Command::new("gpgconf").args(["--homedir", folder, "--kill", "gpg-agent"]).status();
    }
}

fn of_component(component: &str) -> String {
    format!("{component}/binary-{}/Packages", output("dpkg", &["--print-architecture"]).trim())
}

fn put(mirror: &Upstream, path: &str, bytes: &[u8]) {
    let etag = format!("\"{}\"", Sha256::of(bytes));
    for host in [HOST, DIRECT] {
        mirror.put(host, path, Answer::file(bytes.to_vec()).header("etag", &etag));
    }
}

fn output(program: &str, arguments: &[&str]) -> String {
    finish(Command::new(program).args(arguments), b"").expect(0).stdout
}

fn date(when: &str) -> String {
    output("date", &["-u", "+%a, %d %b %Y %H:%M:%S UTC", "-d", when]).trim().to_owned()
}

/// Returns a script that gets the packages with empty caches, and names them; options come in `$OPTIONS`, another mirror in `$MIRROR`.
///
/// Machines that are built from snapshots have settings by which apt looks at no date.
pub(super) fn script(key: &Path) -> String {
    format!(
        "set -e\nd=$PWD/apt; rm -rf $d *.deb; mkdir -p $d/lists/partial $d/archives/partial\n\
         echo \"deb [signed-by={}] ${{MIRROR:-http://{HOST}}}/debian stable {}\" > $d/sources.list\n\
         apt() {{ apt-get -q -o Dir::State=$d -o Dir::State::status=/dev/null -o Dir::Cache=$d -o Acquire::Retries=0 \\\n\
         -o Dir::Etc::sourcelist=$d/sources.list -o Dir::Etc::sourceparts=- -o APT::Sandbox::User=root \\\n\
         -o Acquire::Check-Date=true -o Acquire::Check-Valid-Until=true $OPTIONS \"$@\"; }}\n\
         apt update >&2\napt download small-main small-contrib >&2\necho *.deb\n",
        key.display(),
        COMPONENTS.join(" ")
    )
}
