//! Caches that the command itself names: `npm ci --cache DIR`, `env PIP_CACHE_DIR=… pip install`.
//!
//! What programs that it starts are told by scripts and make files is not seen here; the report lists what was hidden.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::clients::{self, CARGO_BUILDS, Variable};
use super::settings::{Key, below, hidden, key, rescued, separated, value};
use super::{Mask, Place};

/// A switch that moves a client's cache; of a new one, its entry is all there is to write.
struct Switch {
    client: &'static str,
    /// One of these is among the words, separated by `|`.
    programs: &'static str,
    key: Key,
}

const fn switch(client: &'static str, programs: &'static str, key: Key) -> Switch {
    Switch { client, programs, key }
}

const GRADLE: &[&str] = &["caches", "wrapper/dists"];

const ALL: [Switch; 19] = [
    switch("npm", "npm|npx", rescued("--cache", &["_cacache", "_npx", "_prebuilds"])),
    switch("npm", "npm|npx|node-gyp", key("--devdir")),
    switch("pnpm", "pnpm|pnpx", rescued("--store-dir", &["v3", "v10", "v11"])),
    switch("pnpm", "pnpm|pnpx", key("--cache-dir")),
    switch("yarn", "yarn|yarnpkg", key("--cache-folder")),
    switch("yarn", "yarn|yarnpkg", key("--preferred-cache-folder")),
    switch("yarn", "yarn|yarnpkg", below("--global-folder", &["cache", "metadata"])),
    switch("bun", "bun|bunx", key("--cache-dir")),
    switch(CARGO_BUILDS, "cargo", rescued("--target-dir", &["debug", "release"])),
    // As in `--config build.target-dir="DIR"`.
    switch(CARGO_BUILDS, "cargo", rescued("build.target-dir", &["debug", "release"])),
    switch("pip", "pip", rescued("--cache-dir", &["http", "http-v2", "wheels"])),
    switch("uv", "uv|uvx", key("--cache-dir")),
    switch("maven", "mvn|mvnw|mvnd", key("-Dmaven.repo.local")),
    switch("gradle", "gradle|gradlew", below("--gradle-user-home", GRADLE)),
    switch("gradle", "gradle|gradlew", below("-g", GRADLE)),
    switch("sbt", "sbt", below("-Dsbt.ivy.home", &["cache", "local"])),
    switch("sbt", "sbt", key("-Dsbt.boot.directory")),
    switch("coursier", "cs|coursier", key("--cache")),
    switch("nuget", "dotnet|nuget", key("--packages")),
];

/// A cache that the command names.
struct Named {
    client: &'static str,
    /// How it is written.
    written: String,
    /// None where it cannot be known which folder that is.
    folder: Option<PathBuf>,
    key: Key,
}

/// Returns the folders that the command names, the too large ones replaced by what is known below them.
pub(super) fn masks(place: &Place<'_>, lookup: &dyn Fn(&str) -> Option<OsString>) -> Vec<Mask> {
    let mut found = Vec::new();
    for named in named(place, lookup) {
        let Some(folder) = named.folder else { continue };
        let hidden = hidden(&named.key, folder, place).into_iter();
        let masks = hidden.map(|path| Mask { path, client: named.client });
        found.extend(masks.filter(|mask| mask.is_made() || !mask.path.starts_with(place.project)));
    }
    found
}

/// Returns sentences about caches that the command names and that `masks` do not hide, for what a drill did not test.
///
/// `is_there` says whether a folder exists: in one that does not, nothing can be found.
pub fn unhidden(
    place: &Place<'_>,
    masks: &[Mask],
    lookup: &dyn Fn(&str) -> Option<OsString>,
    is_there: &dyn Fn(&Path) -> bool,
) -> Vec<String> {
    let mut found = Vec::new();
    for Named { client, written, folder, key } in named(place, lookup) {
        let why = match folder {
            None => "it cannot be told which folder that is",
            // The copy of a project has none of its untracked files.
            Some(folder) if folder.starts_with(place.project) || !is_there(&folder) => continue,
            Some(folder) => {
                let is_hidden = |folder: &Path| masks.iter().any(|mask| folder.starts_with(&mask.path));
                if is_hidden(&folder) || hidden(&key, folder, place).iter().any(|part| is_hidden(part)) {
                    continue;
                }
                "that folder is more than a cache"
            }
        };
        found.push(format!(
            "what the cache of {client} holds that `{written}` names: {why}, so it was not hidden"
        ));
    }
    found.sort();
    found.dedup();
    found
}

fn named(place: &Place<'_>, lookup: &dyn Fn(&str) -> Option<OsString>) -> Vec<Named> {
    let sentences = sentences(place.command);
    let programs: Vec<&str> = sentences.iter().flatten().map(|word| program(word)).collect();
    let mut found = Vec::new();
    for words in &sentences {
        for (word, next) in words.iter().zip(words.iter().skip(1).map(Some).chain([None])) {
            let (name, value, written) = match (word.split_once('='), next) {
                (Some((name, value)), _) => (name, value, word.clone()),
                (None, Some(value)) => (word.as_str(), value.as_str(), format!("{word} {value}")),
                (None, None) => continue,
            };
            let is_one = word.starts_with('-') || word.contains('=');
            for (client, key) in keys(name, &programs).into_iter().filter(|_| is_one) {
                found.extend(separated(&key, value).into_iter().map(|one| {
                    let folder = folder(one, place, lookup);
                    Named { client, written: written.clone(), folder, key }
                }));
            }
        }
    }
    found
}

fn folder(value: &str, place: &Place<'_>, lookup: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let home = place.homes.first().filter(|_| !value.contains(['`', '*', '?']))?;
    value::folder(value.trim_matches(['"', '\'']), home, place.directory, lookup)
}

/// Returns what a name means: a switch of a program that is there, or a variable that is set in front of one.
fn keys(name: &str, programs: &[&str]) -> Vec<(&'static str, Key)> {
    let is_there = |choices: &str| choices.split('|').any(|choice| programs.contains(&choice));
    let switches = ALL.iter().filter(|switch| switch.key.name == name && is_there(switch.programs));
    let switches = switches.map(|switch| (switch.client, switch.key));
    let variables = clients::ALL.iter().flat_map(|client| {
        let variables = client.variables.iter().filter(|variable| variable.name == name);
        variables.map(|variable| (client.name, key_of(variable)))
    });
    switches.chain(variables).collect()
}

fn key_of(variable: &'static Variable) -> Key {
    let below = if variable.below.is_empty() { &[] } else { std::slice::from_ref(&variable.below) };
    Key { name: variable.name, kind: variable.kind, below, rescue: &[] }
}

/// Returns the command without its scripts (`sh -c SCRIPT`), and every script taken apart at its spaces.
fn sentences(command: &[String]) -> Vec<Vec<String>> {
    let is_switch = |word: &String| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c');
    let is_script =
        |at: usize| at > 0 && is_switch(&command[at - 1]) && command[at].contains(char::is_whitespace);
    let mut sentences = vec![Vec::new()];
    for (at, word) in command.iter().enumerate() {
        if is_script(at) {
            let words = word.split(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|'));
            let words = words.map(|word| word.replace(['"', '\''], "")).filter(|word| !word.is_empty());
            sentences.push(words.collect());
        } else {
            sentences[0].push(word.clone());
        }
    }
    sentences
}

/// `/usr/bin/pip3.12` → `pip`.
fn program(word: &str) -> &str {
    let name = word.rsplit('/').next().unwrap_or(word);
    name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.')
}
