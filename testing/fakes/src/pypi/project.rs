//! A project, its files, and what became of them.

use bytes::Bytes;
use ring::digest;

use super::build::{self, Release};
use super::{HOSTS, normalized};
use crate::archive::hex;

/// Where serials begin; every change adds one.
const FIRST_SERIAL: u64 = 1000;

/// A project with its files.
#[derive(Debug, Clone)]
pub struct Project {
    name: String,
    files: Vec<File>,
    serial: u64,
    metadata: Metadata,
}

/// Whether an index offers the metadata of wheels beside them (PEP 658).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metadata {
    Offered,
    Withheld,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Wheel,
    Source,
}

/// A file of a release.
#[derive(Debug, Clone)]
pub struct File {
    pub(super) release: Release,
    pub(super) kind: Kind,
    name: String,
    bytes: Bytes,
    yanked: Option<String>,
}

impl File {
    /// Returns the name of the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns the path at files.pythonhosted.org; it names the file and not its bytes, so that those can change.
    pub fn path(&self) -> String {
        let place = hex(&digest::digest(&digest::SHA256, self.name.as_bytes()).as_ref()[..8]);
        format!("/packages/{}/{}/{}/{}", &place[..2], &place[2..4], &place[4..], self.name)
    }

    /// Returns the digest that indexes vouch for.
    pub fn sha256(&self) -> String {
        sha256(&self.bytes)
    }

    /// Returns why it was yanked, if it was.
    pub fn yanked(&self) -> Option<&str> {
        self.yanked.as_deref()
    }

    /// Returns the metadata beside a wheel.
    pub fn metadata(&self) -> Option<String> {
        (self.kind == Kind::Wheel).then(|| self.release.metadata())
    }

    pub(super) fn url(&self) -> String {
        format!("https://{}{}", HOSTS[1], self.path())
    }
}

/// Returns a project without files, under the name that it gives itself.
pub fn project(name: &str) -> Project {
    Project { name: name.to_owned(), files: Vec::new(), serial: FIRST_SERIAL, metadata: Metadata::Offered }
}

impl Project {
    /// Releases a wheel and a source archive that require these, such as `other>=1.0`.
    #[must_use]
    pub fn release(self, version: &str, requires: &[&str]) -> Self {
        self.wheel(version, requires).source(version, requires)
    }

    /// Releases a wheel alone.
    #[must_use]
    pub fn wheel(self, version: &str, requires: &[&str]) -> Self {
        self.add(version, requires, Kind::Wheel)
    }

    /// Releases a source archive alone; it builds with nothing but what is in it.
    #[must_use]
    pub fn source(self, version: &str, requires: &[&str]) -> Self {
        self.add(version, requires, Kind::Source)
    }

    /// Says with which versions of Python the newest files go, such as `>=3.8`.
    #[must_use]
    pub fn requires_python(mut self, specifier: &str) -> Self {
        if let Some(newest) = self.files.last().map(|file| file.release.version.clone()) {
            self.rebuild(&newest, |release| release.python = Some(specifier.to_owned()));
        }
        self.changed()
    }

    /// Offers no metadata beside wheels: clients must read it out of the wheels.
    #[must_use]
    pub fn without_metadata(mut self) -> Self {
        self.metadata = Metadata::Withheld;
        self.changed()
    }

    /// Yanks all files of a version (PEP 592).
    #[must_use]
    pub fn yanked(mut self, version: &str, reason: &str) -> Self {
        for file in self.files.iter_mut().filter(|file| file.release.version == version) {
            file.yanked = Some(reason.to_owned());
        }
        self.changed()
    }

    /// Puts other bytes under the names of a version's files.
    #[must_use]
    pub fn republished(mut self, version: &str) -> Self {
        self.rebuild(version, |release| release.edition += 1);
        self.changed()
    }

    /// Takes a version out of the list; its files stay where they are.
    #[must_use]
    pub fn without(mut self, version: &str) -> Self {
        self.files.retain(|file| file.release.version != version);
        self.changed()
    }

    /// Sets the serial, to a lower one too.
    #[must_use]
    pub fn with_serial(mut self, serial: u64) -> Self {
        self.serial = serial;
        self
    }

    /// Returns the name that it gives itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its serial.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// Returns its files in the order of their releases.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Returns the wheel of a version.
    ///
    /// # Panics
    /// When there is none.
    pub fn wheel_of(&self, version: &str) -> &File {
        self.find(version, Kind::Wheel)
    }

    /// Returns the source archive of a version.
    ///
    /// # Panics
    /// When there is none.
    pub fn source_of(&self, version: &str) -> &File {
        self.find(version, Kind::Source)
    }

    pub(super) fn metadata(&self) -> Metadata {
        self.metadata
    }

    /// Returns its versions in the order of their releases.
    pub(super) fn versions(&self) -> Vec<&str> {
        let mut versions: Vec<&str> = self.files.iter().map(|file| &*file.release.version).collect();
        versions.dedup();
        versions
    }

    fn find(&self, version: &str, kind: Kind) -> &File {
        let found = self.files.iter().find(|file| file.release.version == version && file.kind == kind);
        found.unwrap_or_else(|| panic!("`{}` has no {kind:?} of `{version}`", self.name))
    }

    fn add(mut self, version: &str, requires: &[&str], kind: Kind) -> Self {
        let release = Release {
            name: self.name.clone(),
            module: normalized(&self.name).replace('-', "_"),
            version: version.to_owned(),
            requires: requires.iter().map(|&one| one.to_owned()).collect(),
            python: None,
            edition: 0,
        };
        self.files.push(made(release, kind));
        self.changed()
    }

    fn rebuild(&mut self, version: &str, change: impl Fn(&mut Release)) {
        for file in self.files.iter_mut().filter(|file| file.release.version == version) {
            change(&mut file.release);
            let yanked = file.yanked.take();
            *file = File { yanked, ..made(file.release.clone(), file.kind) };
        }
    }

    fn changed(mut self) -> Self {
        self.serial += 1;
        self
    }
}

fn made(release: Release, kind: Kind) -> File {
    let (name, bytes) = match kind {
        Kind::Wheel => build::wheel(&release),
        Kind::Source => build::source(&release),
    };
    File { release, kind, name, bytes, yanked: None }
}

/// Returns the digest that indexes vouch for.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}
