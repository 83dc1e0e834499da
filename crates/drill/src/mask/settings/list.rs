//! The one list of settings files that move a client's cache.
//!
//! A new client is one entry. Where a client asks several files, all are read and every folder they name is hidden:
//! which of them wins is the client's business, and one hidden folder too many costs nothing.

use super::format::Format;
use crate::mask::Kind;
use crate::mask::clients::{BUNDLER_GEMS, CARGO_BUILDS, COMPOSER_VENDOR};

/// The settings of one client, wherever they may lie, all in one format.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) client: &'static str,
    pub(super) format: Format,
    pub(super) spots: &'static [Spot],
    pub(super) keys: &'static [Key],
    pub(super) relative: Relative,
}

/// Where a settings file lies.
#[derive(Debug, Clone, Copy)]
pub(super) enum Spot {
    /// Below a home folder.
    Home(&'static str),
    /// Below `XDG_CONFIG_HOME`, and below its default.
    Config(&'static str),
    /// At a fixed place.
    Machine(&'static str),
    /// A variable names the file.
    Variable(&'static str),
    /// Below a folder that a variable names.
    Under(&'static str, &'static str),
    /// Below the folder around a `bin` of `PATH`: where what is installed there has its own settings.
    Prefix(&'static str),
    /// Among the project's files, in any folder, and in the folders around the project.
    Project(&'static str),
}

/// A key whose value is a folder.
#[derive(Debug, Clone, Copy)]
pub(in crate::mask) struct Key {
    /// The key; in nested formats its path, separated by dots.
    pub(in crate::mask) name: &'static str,
    pub(in crate::mask) kind: Kind,
    /// The folders below the value that are the cache; none if all of it is.
    pub(in crate::mask) below: &'static [&'static str],
    /// What is hidden of a value that is too large to be hidden as a whole.
    pub(in crate::mask) rescue: &'static [&'static str],
}

/// What a relative value is relative to, in a file outside the project; inside it is the file's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relative {
    /// The folder in which the command runs.
    Command,
    /// The folder of the file. The project's own settings may then name a folder of the project, which is no cache
    /// but a part of it: Yarn's are meant to be committed.
    File,
    /// The folder around the file's.
    Around,
}

pub(in crate::mask) const fn key(name: &'static str) -> Key {
    Key { name, kind: Kind::Folder, below: &[], rescue: &[] }
}

pub(in crate::mask) const fn below(name: &'static str, below: &'static [&'static str]) -> Key {
    Key { name, kind: Kind::Folder, below, rescue: &[] }
}

const fn each_below(name: &'static str, below: &'static [&'static str]) -> Key {
    Key { name, kind: Kind::List, below, rescue: &[] }
}

pub(in crate::mask) const fn rescued(name: &'static str, rescue: &'static [&'static str]) -> Key {
    Key { name, kind: Kind::Folder, below: &[], rescue }
}

const GO_PATH: &[&str] = &["pkg/mod", "pkg/sumdb"];
/// What Cargo makes in its target folder.
const TARGET: &[&str] = &["debug", "release"];
const COMPOSER: &[Spot] = &[
    Spot::Config("composer/config.json"),
    Spot::Home(".composer/config.json"),
    Spot::Under("COMPOSER_HOME", "config.json"),
    Spot::Project("composer.json"),
];
const MAVEN: &[Key] = &[key("maven.repo.local")];

/// Every settings file that is read.
pub(super) const ALL: [Settings; 21] = [
    // pnpm reads npm's files too.
    Settings {
        client: "npm",
        format: Format::Assigned,
        spots: &[
            Spot::Home(".npmrc"),
            Spot::Project(".npmrc"),
            Spot::Config("pnpm/rc"),
            Spot::Machine("/etc/npmrc"),
            Spot::Machine("/usr/etc/npmrc"),
            Spot::Machine("/usr/local/etc/npmrc"),
            Spot::Machine("/usr/share/nodejs/npm/npmrc"),
            Spot::Prefix("etc/npmrc"),
            Spot::Prefix("lib/node_modules/npm/npmrc"),
            Spot::Variable("npm_config_userconfig"),
            Spot::Variable("NPM_CONFIG_USERCONFIG"),
            Spot::Variable("npm_config_globalconfig"),
            Spot::Variable("NPM_CONFIG_GLOBALCONFIG"),
            Spot::Under("npm_config_prefix", "etc/npmrc"),
            Spot::Under("NPM_CONFIG_PREFIX", "etc/npmrc"),
            Spot::Under("PREFIX", "etc/npmrc"),
        ],
        keys: &[
            rescued("cache", &["_cacache", "_npx", "_prebuilds"]),
            key("devdir"),
            rescued("store-dir", &["v3", "v10", "v11"]),
            rescued("store", &["v3", "v10", "v11"]),
            rescued("cache-dir", &["metadata", "metadata-v1.3", "dlx"]),
        ],
        relative: Relative::Command,
    },
    Settings {
        client: "yarn",
        format: Format::Assigned,
        spots: &[Spot::Home(".npmrc"), Spot::Project(".npmrc")],
        keys: &[key("cache-folder"), key("yarn-offline-mirror")],
        relative: Relative::File,
    },
    Settings {
        client: "pnpm",
        format: Format::Yaml,
        spots: &[Spot::Config("pnpm/config.yaml"), Spot::Project("pnpm-workspace.yaml")],
        keys: &[rescued("storeDir", &["v3", "v10", "v11"]), key("cacheDir")],
        relative: Relative::Command,
    },
    Settings {
        client: "yarn",
        format: Format::Yaml,
        spots: &[Spot::Home(".yarnrc.yml"), Spot::Project(".yarnrc.yml")],
        keys: &[below("globalFolder", &["cache", "metadata"]), key("cacheFolder")],
        relative: Relative::File,
    },
    Settings {
        client: "yarn",
        format: Format::Spaced,
        spots: &[
            Spot::Home(".yarnrc"),
            Spot::Config("yarn/config"),
            Spot::Project(".yarnrc"),
            Spot::Machine("/etc/yarnrc"),
            Spot::Machine("/usr/local/share/.yarnrc"),
            Spot::Prefix("etc/yarnrc"),
        ],
        keys: &[key("cache-folder"), key("preferred-cache-folder"), key("yarn-offline-mirror")],
        relative: Relative::File,
    },
    Settings {
        client: "bun",
        format: Format::Toml,
        spots: &[Spot::Home(".bunfig.toml"), Spot::Config(".bunfig.toml"), Spot::Project("bunfig.toml")],
        keys: &[key("install.cache.dir"), key("install.cache")],
        relative: Relative::Command,
    },
    Settings {
        client: CARGO_BUILDS,
        format: Format::Toml,
        spots: &[
            Spot::Home(".cargo/config.toml"),
            Spot::Home(".cargo/config"),
            Spot::Under("CARGO_HOME", "config.toml"),
            Spot::Under("CARGO_HOME", "config"),
            Spot::Project(".cargo/config.toml"),
            Spot::Project(".cargo/config"),
        ],
        keys: &[rescued("build.target-dir", TARGET), rescued("build.build-dir", TARGET)],
        relative: Relative::Around,
    },
    Settings {
        client: "pip",
        format: Format::Assigned,
        spots: &[
            Spot::Config("pip/pip.conf"),
            Spot::Home(".pip/pip.conf"),
            Spot::Machine("/etc/pip.conf"),
            Spot::Machine("/etc/xdg/pip/pip.conf"),
            Spot::Variable("PIP_CONFIG_FILE"),
            Spot::Under("VIRTUAL_ENV", "pip.conf"),
            Spot::Prefix("pip.conf"),
        ],
        keys: &[rescued("cache-dir", &["http", "http-v2", "wheels"])],
        relative: Relative::Command,
    },
    Settings {
        client: "uv",
        format: Format::Toml,
        spots: &[
            Spot::Config("uv/uv.toml"),
            Spot::Machine("/etc/uv/uv.toml"),
            Spot::Machine("/etc/xdg/uv/uv.toml"),
            Spot::Variable("UV_CONFIG_FILE"),
            Spot::Project("uv.toml"),
        ],
        keys: &[key("cache-dir")],
        relative: Relative::Command,
    },
    Settings {
        client: "uv",
        format: Format::Toml,
        spots: &[Spot::Project("pyproject.toml")],
        keys: &[key("tool.uv.cache-dir")],
        relative: Relative::Command,
    },
    Settings {
        client: "poetry",
        format: Format::Toml,
        spots: &[
            Spot::Config("pypoetry/config.toml"),
            Spot::Under("POETRY_CONFIG_DIR", "config.toml"),
            Spot::Project("poetry.toml"),
        ],
        keys: &[key("cache-dir")],
        relative: Relative::Command,
    },
    Settings {
        client: "pdm",
        format: Format::Toml,
        spots: &[
            Spot::Config("pdm/config.toml"),
            Spot::Variable("PDM_CONFIG_FILE"),
            Spot::Project("pdm.toml"),
        ],
        keys: &[key("cache_dir")],
        relative: Relative::Command,
    },
    Settings {
        client: "composer",
        format: Format::Json,
        spots: COMPOSER,
        keys: &[
            rescued("config.cache-dir", &["files", "repo", "vcs"]),
            key("config.cache-files-dir"),
            key("config.cache-repo-dir"),
            key("config.cache-vcs-dir"),
        ],
        relative: Relative::Command,
    },
    Settings {
        client: COMPOSER_VENDOR,
        format: Format::Json,
        spots: COMPOSER,
        keys: &[key("config.vendor-dir")],
        relative: Relative::Command,
    },
    Settings {
        client: BUNDLER_GEMS,
        format: Format::Yaml,
        spots: &[
            Spot::Home(".bundle/config"),
            Spot::Under("BUNDLE_USER_HOME", "config"),
            Spot::Variable("BUNDLE_USER_CONFIG"),
            Spot::Under("BUNDLE_APP_CONFIG", "config"),
            Spot::Project(".bundle/config"),
        ],
        keys: &[key("BUNDLE_PATH")],
        relative: Relative::Command,
    },
    Settings {
        client: "conan",
        format: Format::Assigned,
        spots: &[Spot::Home(".conan2/global.conf"), Spot::Under("CONAN_HOME", "global.conf")],
        keys: &[
            key("core.cache:storage_path"),
            key("core.download:download_cache"),
            key("core.sources:download_cache"),
        ],
        relative: Relative::File,
    },
    Settings {
        client: "go",
        format: Format::Assigned,
        spots: &[
            Spot::Config("go/env"),
            Spot::Variable("GOENV"),
            Spot::Under("GOROOT", "go.env"),
            Spot::Prefix("go.env"),
        ],
        keys: &[key("GOMODCACHE"), key("GOCACHE"), each_below("GOPATH", GO_PATH)],
        relative: Relative::Command,
    },
    Settings {
        client: "maven",
        format: Format::Element,
        spots: &[
            Spot::Home(".m2/settings.xml"),
            Spot::Machine("/etc/maven/settings.xml"),
            Spot::Machine("/usr/share/maven/conf/settings.xml"),
            Spot::Under("MAVEN_HOME", "conf/settings.xml"),
            Spot::Under("M2_HOME", "conf/settings.xml"),
            Spot::Prefix("conf/settings.xml"),
            Spot::Project("settings.xml"),
        ],
        keys: &[key("localRepository")],
        relative: Relative::Command,
    },
    Settings {
        client: "maven",
        format: Format::Properties,
        spots: &[
            Spot::Project(".mvn/maven.config"),
            Spot::Project(".mvn/jvm.config"),
            Spot::Home(".mavenrc"),
            Spot::Machine("/etc/mavenrc"),
        ],
        keys: MAVEN,
        relative: Relative::Command,
    },
    Settings {
        client: "maven",
        format: Format::Assigned,
        spots: &[Spot::Home(".m2/maven.properties")],
        keys: MAVEN,
        relative: Relative::Command,
    },
    Settings {
        client: "terraform",
        format: Format::Assigned,
        spots: &[Spot::Home(".terraformrc"), Spot::Variable("TF_CLI_CONFIG_FILE")],
        keys: &[key("plugin_cache_dir")],
        relative: Relative::Command,
    },
];
