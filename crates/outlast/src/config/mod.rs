//! `outlast.toml`, read once at the rim; a mistake names its line and the way out.

mod adopt;
mod block;
mod copy;
mod credentials;
mod exec;
mod limits;
#[cfg(test)]
mod mutation;
mod network;
mod registry;
mod serve;
mod sync;
mod tripwires;
mod upstream;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub(crate) use adopt::Adopt;
pub(crate) use copy::Copy;
pub(crate) use exec::Exec;
pub(crate) use limits::Limits;
pub(crate) use serve::Serve;
pub(crate) use sync::Sync;

/// Everything that can be configured; every part has a default.
#[derive(Debug, Clone, Default)]
pub(crate) struct Config {
    pub(crate) upstreams: Vec<host::http::Upstream>,
    pub(crate) allow: Vec<host::http::Network>,
    pub(crate) private: proxy::Private,
    pub(crate) blocks: Vec<proxy::Block>,
    pub(crate) mirrors: std::sync::Arc<[proxy::FileMirror]>,
    pub(crate) exec: Exec,
    pub(crate) limits: Limits,
    pub(crate) serve: Serve,
    pub(crate) adopt: Adopt,
    pub(crate) sync: Sync,
    pub(crate) tripwires: mirror::AllTripwires,
    pub(crate) copies: Vec<Copy>,
}

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    upstream: Vec<upstream::Section>,
    #[serde(default)]
    registry: Vec<registry::Section>,
    #[serde(default)]
    block: Vec<block::Section>,
    #[serde(default)]
    network: network::Section,
    #[serde(default)]
    exec: exec::Section,
    #[serde(default)]
    limits: limits::Section,
    #[serde(default)]
    serve: serve::Section,
    #[serde(default)]
    adopt: adopt::Section,
    #[serde(default)]
    sync: sync::Section,
    #[serde(default)]
    tripwires: Vec<tripwires::Section>,
    #[serde(default)]
    copy: Vec<copy::Section>,
}

/// A mistake in a configuration file, or in the bytes of another: `outlast.toml:LINE: what; hint: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigError {
    file: PathBuf,
    line: usize,
    what: String,
    hint: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; hint: {}", self.file.display(), self.line, self.what, self.hint)
    }
}

impl std::error::Error for ConfigError {}

/// A mistake at a place in the text, before the place is a line.
#[derive(Debug)]
struct Mistake {
    at: std::ops::Range<usize>,
    what: String,
    hint: &'static str,
}

impl Config {
    /// Reads a configuration; relative file names in it are relative to its own folder.
    pub(crate) fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        let at_line = |at: usize| line(text.as_bytes(), at);
        let document: Document = toml::from_str(text).map_err(|error| ConfigError {
            file: file.to_owned(),
            line: error.span().map_or(1, |span| at_line(span.start)),
            what: first_line(error.message()),
            hint: "docs/OPERATING.md lists every section and key".to_owned(),
        })?;
        let folder = file.parent().unwrap_or(Path::new("."));
        document.check(folder).map_err(|mistake| ConfigError {
            file: file.to_owned(),
            line: at_line(mistake.at.start),
            what: mistake.what,
            hint: mistake.hint.to_owned(),
        })
    }
}

impl Document {
    fn check(self, folder: &Path) -> Result<Config, Mistake> {
        let upstream::Checked { upstreams, credentials, mirrors } = upstream::check(self.upstream, folder)?;
        let private = proxy::Private { registries: registry::check(self.registry)?, credentials };
        Ok(Config {
            upstreams,
            private,
            blocks: block::check(self.block)?,
            mirrors: mirrors.into(),
            allow: self.network.check()?,
            exec: self.exec.check()?,
            limits: self.limits.check()?,
            serve: self.serve.check()?,
            adopt: self.adopt.check(folder)?,
            sync: self.sync.check()?,
            tripwires: tripwires::check(self.tripwires)?,
            copies: copy::check(self.copy, folder)?,
        })
    }
}

/// Returns the text of a file that somebody wrote; one that is not UTF-8 is a mistake as any other in it.
pub(crate) fn text<'a>(file: &Path, bytes: &'a [u8]) -> Result<&'a str, ConfigError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let what = match bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "this is UTF-16".to_owned(),
            _ => format!("the byte 0x{:02X} is not UTF-8", bytes[at]),
        };
        let hint = "save the file as UTF-8".to_owned();
        ConfigError { file: file.to_owned(), line: line(bytes, at), what, hint }
    })
}

/// Returns the line of a position, from 1.
fn line(bytes: &[u8], at: usize) -> usize {
    1 + bytes.iter().take(at).filter(|byte| **byte == b'\n').count()
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> String {
        Config::parse(Path::new("outlast.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn the_documented_example_is_read() {
        let config = Config::parse(
            Path::new("outlast.toml"),
            r#"
[[upstream]]
host = "repo.packagist.org"
connect = "127.0.0.1:4443"
[[upstream]]
host = "registry.npmjs.org"
url = "http://127.0.0.1:4900/npm"
[network]
allow = ["10.20.0.0/16"]
[exec]
ports = [80, 443, 8443]
allow_local = [5432]
passthrough = ["mtls.example.com"]
[limits]
index_fresh_for = "5m"
proved_for = "7d"
[serve]
url = "https://outlast.example"
open = true
requests_per_second = 100
requests_at_once = 1000
[[tripwires]]
repositories = ["forge.example/acme/*"]
destroyed_per_hour = 0
protected = ["main", "release/*"]
"#,
        )
        .unwrap();
        assert_eq!(config.upstreams.len(), 2);
        assert_eq!(config.exec.ports, [80, 443, 8443]);
        assert_eq!(config.limits.index_fresh_for.as_secs(), 300);
        assert_eq!(config.limits.proved_for.as_secs(), 7 * 86_400);
        let app = config.tripwires.of(&model::RepoId::from_name("forge.example/acme/app").unwrap());
        assert_eq!((app.n_destroyed_max, app.percent_shrunk_max, app.protected.len()), (0, 90, 2));
    }

    #[test]
    fn a_mistake_names_its_line_and_the_way_out() {
        let check = |text: &str, expected: &str| {
            let found = mistake(text);
            assert!(found.starts_with(expected), "{found}");
            assert!(found.contains("; hint: "), "{found}");
        };
        check("[limits]\nindex_fresh_for = \"soon\"\n", "outlast.toml:2: ");
        check(
            "\n\n[network]\nallow = [\"10.0.0.0/99\"]\n",
            "outlast.toml:4: `10.0.0.0/99` is not an address range",
        );
        check("[limits]\nfresh = 1\n", "outlast.toml:2: unknown field `fresh`");
        check("[[upstream]]\nhost = \"a b\"\n", "outlast.toml:2: `a b` is not a host name");
        check("[[upstream]]\nhost = \"a.b\"\nconnect = \"nowhere\"\n", "outlast.toml:3: ");
        check("[exec]\nports = [0]\n", "outlast.toml:2: port 0 cannot be taken");
        check("[exec]\nallow_local = [8080, 70000]\n", "outlast.toml:2: port 70000 cannot be taken");
        check(
            "[exec]\npassthrough = [\n\"a.b\",\n\"https://c.d\"]\n",
            "outlast.toml:4: `https://c.d` is not a host name",
        );
        check("[serve]\nurl = \"outlast.example\"\n", "outlast.toml:2: `outlast.example` is not an address");
        let block = |name: &str, more: &str| {
            format!("[[block]]\necosystem = \"npm\"\nname = \"{name}\"\nreason = \"MAL-1\"\n{more}")
        };
        check(&block("a b", ""), "outlast.toml:3: `a b` is no name of npm");
        check(&block("a", "versions = []\n"), "outlast.toml:5: no version is blocked");
        check(&block("a", "").replace("MAL-1", " "), "outlast.toml:4: a block without a reason");
        check(&block("a", "").replace("npm", "generic"), "outlast.toml:2: `generic` has no names");
        check("[[copy]]\nto = \"b\"\n[[copy]]\nto = \"b\"\n", "outlast.toml:4: `b` is a [[copy]] already");
        check("[[copy]]\nto = \"b\"\nevery = \"1ms\"\n", "outlast.toml:3: `1ms` is no time to rest");
        let registry = |ecosystem: &str, url: &str, names: &str| {
            format!("[[registry]]\necosystem = \"{ecosystem}\"\nurl = \"{url}\"\nnames = [{names}]\n")
        };
        let npm = registry("npm", "https://npm.acme.example/", "\"@acme/*\"");
        check(&registry("cargo", "https://c.example/", "\"a\""), "outlast.toml:2: `cargo` has no names");
        check(&registry("gems", "https://c.example/", "\"a\""), "outlast.toml:2: `gems` has no names");
        check(
            &registry("npm", "http://c.example/", "\"a\""),
            "outlast.toml:3: `http://c.example/` is no address",
        );
        check(&registry("npm", "https://c.example/", ""), "outlast.toml:4: a registry without names");
        check(&registry("npm", "https://c.example/", "\"acme/*\""), "outlast.toml:4: `acme/*` fits no name");
        check(
            &format!("{npm}{}", registry("npm", "https://c.example/", "\"b\",\n\n\"@Acme/*\"")),
            "outlast.toml:10: `@Acme/*` is a name of `https://npm.acme.example/` already",
        );
        check(
            "[[copy]]\nto = \"http://me:secret@b.c\"\n",
            "outlast.toml:2: an address of a second copy has no login",
        );
        check("[[tripwires]]\nshrunk_percent = 101\n", "outlast.toml:2: 101 is no share of a hundred");
        check(
            "[[tripwires]]\nrepositories = [\"a.b/c\",\n\"https://a.b/c\"]\n",
            "outlast.toml:3: `https://a.b/c` is no name of a repository",
        );
        for name in ["a.b/*/c", "A.b/c", "a.b/c/", "a.b"] {
            let expected = format!("outlast.toml:2: `{name}` is no name of a repository");
            check(&format!("[[tripwires]]\nrepositories = [\"{name}\"]\n"), &expected);
        }
        for name in ["refs/heads/main", "rel*ase", ""] {
            let expected = format!("outlast.toml:2: `{name}` is no name of a branch");
            check(&format!("[[tripwires]]\nprotected = [\"{name}\"]\n"), &expected);
        }
        check("[exec\n", "outlast.toml:1: ");
        check(
            "[[upstream]]\nhost = \"a.b\"\n[[upstream]]\nhost = \"c.d\"\n[[upstream]]\n\nhost = \"A.b\"\n",
            "outlast.toml:7: `a.b` has an [[upstream]] already",
        );
    }
}
