//! Wheels (PEP 427) and source archives (PEP 517) of a module that says who it is.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use bytes::Bytes;
use ring::digest;

use crate::archive::{tar_gz, zip};

/// Builds the wheel of the folder it lies in, with nothing but Python's own library.
const BACKEND: &str = "import os, zipfile


def build_wheel(folder, settings=None, metadata=None):
    with open('names') as names:
        wheel, info, module = names.read().split()
    with zipfile.ZipFile(os.path.join(folder, wheel), 'w') as archive:
        archive.write(module + '/__init__.py')
        archive.write('PKG-INFO', info + '/METADATA')
        archive.write('WHEEL', info + '/WHEEL')
        archive.writestr(info + '/RECORD', '')
    return wheel


def build_sdist(folder, settings=None):
    raise NotImplementedError
";
const WHEEL: &str = "Wheel-Version: 1.0\nGenerator: fakes\nRoot-Is-Purelib: true\nTag: py3-none-any\n";

/// What a release is made from.
#[derive(Debug, Clone)]
pub(super) struct Release {
    /// The name that the project gives itself.
    pub(super) name: String,
    /// The name by which it is imported, and its files begin.
    pub(super) module: String,
    pub(super) version: String,
    pub(super) requires: Vec<String>,
    pub(super) python: Option<String>,
    /// How often it was published with other bytes.
    pub(super) edition: u32,
}

impl Release {
    /// Returns its metadata (core metadata 2.1).
    pub(super) fn metadata(&self) -> String {
        let mut text = format!(
            "Metadata-Version: 2.1\nName: {}\nVersion: {}\nSummary: Made to test\n",
            self.name, self.version
        );
        if let Some(python) = &self.python {
            text.push_str(&format!("Requires-Python: {python}\n"));
        }
        for one in &self.requires {
            text.push_str(&format!("Requires-Dist: {one}\n"));
        }
        text
    }

    fn code(&self) -> String {
        let edition = if self.edition == 0 { String::new() } else { format!(" edition {}", self.edition) };
        format!("WHO = '{} {}{edition}'\n", self.name, self.version)
    }

    fn wheel_name(&self) -> String {
        format!("{}-{}-py3-none-any.whl", self.module, self.version)
    }

    fn info(&self) -> String {
        format!("{}-{}.dist-info", self.module, self.version)
    }
}

/// Returns the name and the bytes of a wheel.
pub(super) fn wheel(release: &Release) -> (String, Bytes) {
    let info = release.info();
    let mut files = vec![
        (format!("{}/__init__.py", release.module), release.code()),
        (format!("{info}/METADATA"), release.metadata()),
        (format!("{info}/WHEEL"), WHEEL.to_owned()),
    ];
    let mut record: String = files
        .iter()
        .map(|(name, text)| {
            let sum = BASE64.encode(digest::digest(&digest::SHA256, text.as_bytes()));
            format!("{name},sha256={sum},{}\n", text.len())
        })
        .collect();
    record.push_str(&format!("{info}/RECORD,,\n"));
    files.push((format!("{info}/RECORD"), record));
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
    (release.wheel_name(), zip(&files).into())
}

/// Returns the name and the bytes of a source archive.
pub(super) fn source(release: &Release) -> (String, Bytes) {
    let folder = format!("{}-{}", release.module, release.version);
    let manifest = format!(
        "[project]\nname = \"{}\"\nversion = \"{}\"\ndynamic = [\"dependencies\", \"requires-python\"]\n\n\
         [build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n",
        release.name, release.version
    );
    let names = format!("{}\n{}\n{}\n", release.wheel_name(), release.info(), release.module);
    let bytes = tar_gz(
        &folder,
        &[
            ("PKG-INFO", &release.metadata()),
            ("WHEEL", WHEEL),
            ("backend.py", BACKEND),
            ("names", &names),
            ("pyproject.toml", &manifest),
            (&format!("{}/__init__.py", release.module), &release.code()),
        ],
    );
    (format!("{folder}.tar.gz"), bytes.into())
}
