//! Where trust may be written down: the system's places, variables, and the clients' own settings files.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::settings::values;
use crate::caller::Caller;

/// Where systems keep their bundle (Debian, Fedora, SUSE, Alpine, OpenWrt, Solaris); the list Go and OpenSSL's probes use.
pub const SYSTEM_BUNDLES: [&str; 8] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/var/lib/ca-certificates/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
    "/opt/etc/ssl/certs/ca-certificates.crt",
];
/// Where systems without a bundle keep single certificates.
const SYSTEM_DIRECTORIES: [&str; 2] = ["/etc/ssl/certs", "/etc/pki/tls/certs"];
/// How far up a settings file of the project is looked for.
const ANCESTORS_MAX: usize = 32;

/// Variables that name a PEM file.
const VARIABLES: [&str; 23] = [
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
    "CARGO_HTTP_CAINFO",
    "COMPOSER_CAFILE",
    "DENO_CERT",
    "AWS_CA_BUNDLE",
    "YARN_HTTPS_CA_FILE_PATH",
    "YARN_CA_FILE_PATH",
    "NIX_SSL_CERT_FILE",
    "HTTPLIB2_CA_CERTS",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
    "PERL_LWP_SSL_CA_FILE",
    "HTTPS_CA_FILE",
    "HEX_CACERTS_PATH",
    "JULIA_SSL_CA_ROOTS_PATH",
    "BUNDLE_SSL_CA_CERT",
    "SYSTEM_CERTIFICATE_PATH",
    "npm_config_cafile",
];
/// Variables that name directories of PEM files, separated by colons.
const DIRECTORY_VARIABLES: [&str; 2] = ["SSL_CERT_DIR", "GIT_SSL_CAPATH"];

/// Returns the system's certificate files: its bundles, or where it has none the files of its directories.
pub(super) fn system(caller: &Caller) -> Vec<PathBuf> {
    let files = caller.files();
    let mut bundles: Vec<PathBuf> =
        SYSTEM_BUNDLES.iter().filter_map(|path| files.resolve(Path::new(path))).collect();
    bundles.dedup();
    if bundles.is_empty() {
        return SYSTEM_DIRECTORIES.iter().flat_map(|path| files.list(Path::new(path))).collect();
    }
    bundles
}

/// Returns the files that variables name, each with its variable.
pub(super) fn named_by_variables(caller: &Caller) -> Vec<(PathBuf, String)> {
    let mut named = Vec::new();
    for name in caller.names().filter_map(OsStr::to_str) {
        let is_known = VARIABLES.contains(&name) || crate::clients::is_npm(name, "cafile");
        if let Some(path) = is_known.then(|| caller.path(name)).flatten() {
            named.push((path, name.to_owned()));
        }
    }
    named
}

/// Returns the files of the directories that variables name.
pub(super) fn in_directories(caller: &Caller) -> Vec<PathBuf> {
    let directories = DIRECTORY_VARIABLES.iter().filter_map(|name| caller.get(name));
    let paths = directories.flat_map(std::env::split_paths);
    paths.flat_map(|path| caller.files().list(&caller.directory().join(path))).collect()
}

/// Returns the files that settings files name, each with the settings file.
pub(crate) fn named_by_settings(caller: &Caller) -> Vec<(PathBuf, PathBuf)> {
    let mut named = Vec::new();
    for kind in &KINDS {
        for file in files_with_settings(caller, kind.client) {
            let Some(text) = caller.text(&file) else { continue };
            for value in kind.keys.iter().flat_map(|key| values(&text, key)).filter(|value| !value.is_empty())
            {
                let base =
                    if kind.client == "cargo" { file.parent().and_then(Path::parent) } else { file.parent() };
                if let Some(path) = expand(caller, base, &value) {
                    named.push((path, file.clone()));
                }
            }
        }
    }
    named
}

/// Returns the settings that hold certificates themselves (npm's `ca`), with real line ends.
pub(super) fn written_out(caller: &Caller) -> Vec<String> {
    let from_variables = caller
        .names()
        .filter_map(OsStr::to_str)
        .filter(|name| crate::clients::is_npm(name, "ca"))
        .filter_map(|name| caller.get(name)?.to_str().map(str::to_owned));
    let from_files = files_with_settings(caller, "npm").into_iter().filter_map(|path| caller.text(&path));
    from_variables
        .chain(from_files)
        .filter(|text| text.contains("-----BEGIN CERTIFICATE-----"))
        // Within one line of an npmrc, line ends are written `\n` and the certificate follows the key.
        .map(|text| text.replace("\\n", "\n").replace("-----BEGIN", "\n-----BEGIN"))
        .collect()
}

struct Kind {
    client: &'static str,
    /// The settings that name a PEM file.
    keys: &'static [&'static str],
    /// Relative to the home directory, or absolute.
    own: &'static [&'static str],
    /// Relative to the project's directory and those above it.
    project: &'static [&'static str],
    /// Variables that name a settings file, or the directory of one (then with the file's name).
    variables: &'static [(&'static str, &'static str)],
}

/// Every client whose settings can name a certificate file.
const KINDS: [Kind; 10] = [
    // Its files are a directory's; see `apt_files`.
    Kind { client: "apt", keys: &["CAInfo"], own: &[], project: &[], variables: &[] },
    Kind {
        client: "npm",
        keys: &["cafile"],
        own: &[".npmrc", "/etc/npmrc", "/usr/etc/npmrc", "/usr/local/etc/npmrc"],
        project: &[".npmrc"],
        variables: &[
            ("npm_config_userconfig", ""),
            ("NPM_CONFIG_USERCONFIG", ""),
            ("npm_config_globalconfig", ""),
            ("NPM_CONFIG_GLOBALCONFIG", ""),
        ],
    },
    Kind {
        client: "yarn",
        keys: &["httpsCaFilePath", "caFilePath", "cafile"],
        own: &[".yarnrc.yml", ".yarnrc"],
        project: &[".yarnrc.yml", ".yarnrc"],
        variables: &[],
    },
    Kind {
        client: "bun",
        keys: &["cafile"],
        own: &[".bunfig.toml"],
        project: &["bunfig.toml"],
        variables: &[("XDG_CONFIG_HOME", ".bunfig.toml")],
    },
    Kind {
        client: "cargo",
        keys: &["cainfo"],
        own: &[".cargo/config.toml", ".cargo/config"],
        project: &[".cargo/config.toml", ".cargo/config"],
        variables: &[("CARGO_HOME", "config.toml"), ("CARGO_HOME", "config")],
    },
    Kind {
        client: "curl",
        keys: &["cacert", "--cacert"],
        own: &[".curlrc", ".config/curlrc"],
        project: &[],
        variables: &[("CURL_HOME", ".curlrc"), ("XDG_CONFIG_HOME", "curlrc")],
    },
    Kind {
        client: "wget",
        keys: &["ca_certificate", "cacertificate", "ca-certificate"],
        own: &[".wgetrc", "/etc/wgetrc"],
        project: &[],
        variables: &[("WGETRC", "")],
    },
    Kind {
        client: "pip",
        keys: &["cert"],
        own: &[".config/pip/pip.conf", ".pip/pip.conf", "/etc/pip.conf"],
        project: &[],
        variables: &[
            ("PIP_CONFIG_FILE", ""),
            ("XDG_CONFIG_HOME", "pip/pip.conf"),
            ("VIRTUAL_ENV", "pip.conf"),
        ],
    },
    Kind {
        client: "composer",
        keys: &["cafile"],
        own: &[".config/composer/config.json", ".composer/config.json"],
        project: &["composer.json"],
        variables: &[("COMPOSER_HOME", "config.json"), ("XDG_CONFIG_HOME", "composer/config.json")],
    },
    Kind {
        client: "git",
        keys: &["sslCAInfo"],
        own: &[".gitconfig", ".config/git/config", "/etc/gitconfig"],
        project: &[".git/config"],
        variables: &[("GIT_CONFIG_GLOBAL", ""), ("XDG_CONFIG_HOME", "git/config")],
    },
];

/// Returns the settings files a client would read here, those that exist, each once.
pub(crate) fn files_with_settings(caller: &Caller, client: &str) -> Vec<PathBuf> {
    if client == "apt" {
        return apt_files(caller);
    }
    let mut paths = Vec::new();
    for kind in KINDS.iter().filter(|kind| kind.client == client) {
        for (variable, file) in kind.variables {
            let path = caller.path(variable);
            paths.extend(path.map(|path| if file.is_empty() { path } else { path.join(file) }));
        }
        let home = caller.home().unwrap_or_else(|| PathBuf::from("/"));
        paths.extend(kind.own.iter().map(|file| home.join(file)));
        for directory in caller.directory().ancestors().take(ANCESTORS_MAX) {
            paths.extend(kind.project.iter().map(|file| directory.join(file)));
        }
    }
    let mut found = Vec::new();
    for path in paths {
        if !found.contains(&path) && caller.files().identity(&path).is_some() {
            found.push(path);
        }
    }
    found
}

fn apt_files(caller: &Caller) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = caller.path("APT_CONFIG").into_iter().collect();
    paths.extend(caller.files().list(Path::new("/etc/apt/apt.conf.d")));
    paths.push(PathBuf::from("/etc/apt/apt.conf"));
    paths.retain(|path| caller.files().identity(path).is_some());
    paths
}

/// Makes a path of a setting absolute: `~/`, `$HOME` and `${ANY}` are understood.
fn expand(caller: &Caller, base: Option<&Path>, value: &str) -> Option<PathBuf> {
    let mut value = value.to_owned();
    if let Some(rest) = value.strip_prefix("~/") {
        return Some(caller.home()?.join(rest));
    }
    if let Some(rest) = value.strip_prefix("$HOME/") {
        return Some(caller.home()?.join(rest));
    }
    if let Some((before, rest)) = value.clone().split_once("${") {
        let (name, after) = rest.split_once('}')?;
        let name = name.split([':', '-', '?']).next()?;
        value = format!("{before}{}{after}", caller.get(name)?.to_str()?);
    }
    Some(base.unwrap_or_else(|| caller.directory()).join(value))
}
