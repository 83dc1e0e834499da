//! Which folders settings files name, what their values mean, and what no value may hide.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::super::{Mask, Place, masks};
use super::format::{Format, values};
use super::list::ALL;
use super::value;

const HOME: &str = "/home/kim";
const PROJECT: &str = "/home/kim/shop";

fn variable(name: &str) -> Option<OsString> {
    let set = [
        ("HOME", HOME),
        ("FAST", "/fast"),
        ("PATH", "/opt/node/bin:/usr/bin"),
        ("npm_config_userconfig", "/etc/team/npmrc"),
        ("COMPOSER_HOME", "/srv/composer"),
        ("XDG_CONFIG_HOME", "/home/kim/settings"),
    ];
    set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
}

/// Returns what one settings file adds to what is hidden without it.
fn added(path: &str, text: &str) -> Vec<String> {
    let homes = [PathBuf::from(HOME)];
    let project = Path::new(PROJECT);
    let files: Vec<PathBuf> = Path::new(path).strip_prefix(project).iter().map(PathBuf::from).collect();
    let place = Place { homes: &homes, project, files: &files, directory: project, command: &[] };
    let read = |asked: &Path| (asked == Path::new(path)).then(|| text.to_owned());
    let without = masks(&place, &variable, &|_| None);
    let with = masks(&place, &variable, &read);
    assert!(without.iter().all(|mask| with.iter().any(|other| mask.path.starts_with(&other.path))), "{path}");
    let is_new = |mask: &&Mask| !without.contains(mask);
    with.iter().filter(is_new).map(|mask| mask.path.display().to_string()).collect()
}

fn check(path: &str, text: &str, expected: &[&str]) {
    assert_eq!(added(path, text), expected, "{path}: {text}");
}

#[test]
fn each_client_is_believed_where_it_keeps_its_settings() {
    check("/home/kim/.npmrc", "cache=/warm/npm\n", &["/warm/npm"]);
    check(
        "/home/kim/.npmrc",
        "store-dir = ~/warm\ncache-dir=${FAST}/pnpm",
        &["/fast/pnpm", "/home/kim/warm"],
    );
    check("/etc/team/npmrc", "cache=/warm", &["/warm"]);
    check("/usr/etc/npmrc", "cache=/warm", &["/warm"]);
    check("/opt/node/etc/npmrc", "cache=/warm", &["/warm"]);
    check("/home/kim/.config/pnpm/rc", "store-dir=/warm", &["/warm"]);
    check("/home/kim/settings/pnpm/config.yaml", "storeDir: /warm", &["/warm"]);
    check("/home/kim/.config/pip/pip.conf", "[global]\ncache-dir = /warm\n", &["/warm"]);
    check("/home/kim/.pip/pip.conf", "[install]\ncache_dir: /warm\n", &["/warm"]);
    check("/etc/pip.conf", "[global]\ncache-dir=~/warm", &["/home/kim/warm"]);
    check("/home/kim/.config/uv/uv.toml", "cache-dir = \"/warm\"", &["/warm"]);
    check(
        "/home/kim/.config/go/env",
        "GOMODCACHE=/warm/mod\nGOCACHE=/warm/build",
        &["/warm/build", "/warm/mod"],
    );
    check(
        "/home/kim/.config/go/env",
        "GOPATH=/warm:/b",
        &["/b/pkg/mod", "/b/pkg/sumdb", "/warm/pkg/mod", "/warm/pkg/sumdb"],
    );
    let target =
        "[build]\ntarget-dir = \"warm\"\nbuild-dir = \"{cargo-cache-home}/b/{workspace-path-hash}\"\n";
    check("/home/kim/.cargo/config.toml", target, &["/home/kim/.cargo/b", "/home/kim/warm"]);
    check("/home/kim/.cargo/config", "build.target-dir = '/warm'", &["/warm"]);
    check("/home/kim/.bundle/config", "---\nBUNDLE_PATH: \"/warm\"\n", &["/warm"]);
    check("/home/kim/.conan2/global.conf", "core.cache:storage_path = /warm\n", &["/warm"]);
    let maven = "<settings><localRepository>${user.home}/warm</localRepository></settings>";
    check("/home/kim/.m2/settings.xml", maven, &["/home/kim/warm"]);
    check("/etc/maven/settings.xml", maven, &["/home/kim/warm"]);
    check("/home/kim/.yarnrc.yml", "globalFolder: \"~/y\"", &["/home/kim/y/cache", "/home/kim/y/metadata"]);
    check("/home/kim/.yarnrc", "cache-folder \"/warm\"\nyarn-offline-mirror ./m", &["/home/kim/m", "/warm"]);
    check("/home/kim/.composer/config.json", r#"{"config":{"cache-dir":"$HOME/warm"}}"#, &["/home/kim/warm"]);
    check("/srv/composer/config.json", r#"{"config":{"cache-files-dir":"/warm"}}"#, &["/warm"]);
}

#[test]
fn a_project_moves_caches_too() {
    check("/home/kim/shop/.npmrc", "cache=../warm", &["/home/kim/warm"]);
    check("/home/kim/shop/.npmrc", "cache=.npm-cache", &["/home/kim/shop/.npm-cache"]);
    check("/home/kim/shop/packages/a/.npmrc", "cache=../warm", &["/home/kim/shop/packages/warm"]);
    check("/home/kim/shop/.mvn/maven.config", "-B\n-Dmaven.repo.local=../warm", &["/home/kim/warm"]);
    check("/home/kim/shop/composer.json", r#"{"config":{"cache-dir":"/warm"}}"#, &["/warm"]);
    check("/home/kim/shop/composer.json", r#"{"config":{"vendor-dir":"../v"}}"#, &["/home/kim/v"]);
    check("/home/kim/shop/composer.json", r#"{"config":{"vendor-dir":"lib"}}"#, &["/home/kim/shop/lib"]);
    check("/home/kim/shop/pyproject.toml", "[tool.uv]\ncache-dir = '/warm'", &["/warm"]);
    check("/home/kim/shop/.yarnrc.yml", "cacheFolder: /warm # fast", &["/warm"]);
    check("/home/kim/shop/.cargo/config.toml", "[build]\ntarget-dir = '../warm'", &["/home/kim/warm"]);
    check("/home/kim/shop/a/.cargo/config.toml", "[build]\ntarget-dir = 'out'", &["/home/kim/shop/a/out"]);
    check(
        "/home/kim/.cargo/config.toml",
        "[build]\ntarget-dir = '.'",
        &["/home/kim/debug", "/home/kim/release"],
    );
    // A cache that is committed is a part of the project.
    check("/home/kim/shop/.yarnrc.yml", "cacheFolder: ./.yarn/cache", &[]);
    check("/home/kim/shop/.yarnrc", "yarn-offline-mirror ./mirror", &[]);
    check("/home/kim/shop/.npmrc", "yarn-offline-mirror=./mirror", &[]);
}

#[test]
fn settings_that_name_no_cache_hide_nothing() {
    check("/home/kim/.npmrc", "registry=https://npm.example.com/\nprefix=/opt/tools\n", &[]);
    check("/home/kim/.npmrc", "# cache=/warm\n; cache=/warm\n", &[]);
    check("/home/kim/.m2/settings.xml", "<!-- <localRepository>/warm</localRepository> -->", &[]);
    check("/home/kim/.yarnrc.yml", "npmScopes:\n  globalFolder: /warm", &[]);
    check("/home/kim/elsewhere/.npmrc", "cache=/warm", &[]);
    check("/home/kim/.npmrc", "cache=${NOT_SET}/warm\nstore-dir=~other/warm\ncache-dir=", &[]);
}

#[test]
fn a_value_that_would_hide_more_than_a_cache_hides_its_known_parts_at_most() {
    let npm = |folder: &str| ["_cacache", "_npx", "_prebuilds"].map(|part| Path::new(folder).join(part));
    let check_npm = |text: &str, folder: &str| {
        let expected = npm(folder).map(|path| path.display().to_string());
        assert_eq!(added("/home/kim/shop/.npmrc", text), expected, "{text}");
    };
    check_npm("cache=/", "/");
    check_npm("cache=..", "/home/kim");
    check_npm("cache=.", "/home/kim/shop");
    check_npm("cache=../../../../../..", "/");
    check_npm("cache=~", "/home/kim");
    check_npm("cache=/usr", "/usr");
    check("/home/kim/.yarnrc", "cache-folder ~", &[]);
    check("/home/kim/.yarnrc", "cache-folder ./x/../../..", &[]);
    check("/home/kim/.yarnrc", "cache-folder /usr/lib", &[]);
    check("/home/kim/.npmrc", &format!("cache=/{}", "x".repeat(5000)), &[]);
    check("/home/kim/.npmrc", "cache=/a\0b", &[]);
}

#[test]
fn values_are_found_however_they_are_written() {
    let check = |format: Format, key: &str, text: &str, expected: &[&str]| {
        assert_eq!(values(text, format, key), expected, "{text}");
    };
    check(Format::Assigned, "cache", "\u{feff}cache = '/a b' ; old\r\ncache=/c\r\n", &["/a b", "/c"]);
    check(Format::Assigned, "cache", "mycache=/a\ncache", &[]);
    check(Format::Yaml, "cacheFolder", "\"cacheFolder\": /a # why", &["/a"]);
    check(Format::Spaced, "cache-folder", "--install.cache-folder /a\n--cache-folder /b", &["/a", "/b"]);
    check(Format::Toml, "install.cache.dir", "[install.cache]\ndir = '/a'", &["/a"]);
    check(Format::Toml, "cache-dir", "cache-dir = [", &[]);
    check(Format::Json, "config.cache-dir", "{\"config\":[1]}", &[]);
    check(Format::Element, "localRepository", "<localRepository>\n /a </localRepository>", &["/a"]);
    check(Format::Element, "localRepository", "<localRepository>/a", &[]);
    check(Format::Properties, "maven.repo.local", "X=\"-B -Dmaven.repo.local=/a -o\"", &["/a"]);
}

#[test]
fn a_value_means_what_its_client_makes_of_it() {
    let check = |text: &str, expected: Option<&str>| {
        let folder = value::folder(text, Path::new(HOME), Path::new("/base"), &variable);
        assert_eq!(folder.as_deref(), expected.map(Path::new), "{text}");
    };
    check("a/./b/../c", Some("/base/a/c"));
    check("~//a", Some("/home/kim/a"));
    check("$HOME/a", Some("/home/kim/a"));
    check("${FAST?}/a", Some("/fast/a"));
    check("${env.FAST}/a", Some("/fast/a"));
    check("${NOT_SET:-/b}/a", Some("/b/a"));
    check("${NOT_SET-/b}/a", Some("/b/a"));
    check("${NOT_SET}/a", None);
    check("${FAST", None);
    check("$", None);
    check("", None);
    check("~other", None);
}

#[test]
fn every_settings_file_of_the_list_can_be_found() {
    for settings in &ALL {
        assert!(!settings.spots.is_empty() && !settings.keys.is_empty(), "{}", settings.client);
    }
}
