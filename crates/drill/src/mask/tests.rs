//! What is hidden, and what must not be.

use super::*;

fn with(variables: &[(&str, &str)]) -> Vec<Mask> {
    let homes = [PathBuf::from("/home/kim")];
    let project = Path::new("/home/kim/work/shop");
    let place = Place { homes: &homes, project, files: &[], directory: project, command: &[] };
    let lookup =
        move |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
    masks(&place, &lookup, &|_| None)
}

fn has(masks: &[Mask], path: &str) -> bool {
    masks.iter().any(|mask| mask.path == Path::new(path))
}

#[test]
fn the_default_folders_are_hidden() {
    let masks = with(&[]);
    let check = |path: &str| assert!(has(&masks, path), "{path}");
    for path in [".npm", ".cargo/registry", ".cargo/git", ".cache", ".m2/repository", "go/pkg/mod"] {
        check(&format!("/home/kim/{path}"));
    }
    for path in [".sccache", ".coursier/cache", ".deno/npm", ".julia/packages", ".stack/indices", ".conan2/p"]
    {
        check(&format!("/home/kim/{path}"));
    }
    let tools =
        [".cargo", ".cargo/bin", ".rustup", ".gradle", ".gradle/jdks", "go", "go/bin", ".stack/programs"];
    let settings =
        [".conan2", ".conan2/profiles", ".julia/registries", ".stack", ".deno", ".local", ".ssh", ""];
    for path in [&tools[..], &settings, &[".deno/bin", ".coursier", ".julia/environments"]].concat() {
        assert!(!has(&masks, &format!("/home/kim/{path}")), "{path} is no cache");
    }
}

#[test]
fn a_moved_cache_is_hidden_where_it_is_and_where_it_was() {
    let check = |variables: &[(&str, &str)], expected: &[&str]| {
        let masks = with(variables);
        for path in expected {
            assert!(has(&masks, path), "{variables:?} must hide {path}");
        }
        assert!(has(&masks, "/home/kim/.npm"), "the default stays hidden");
    };
    check(&[("npm_config_cache", "/fast/npm")], &["/fast/npm"]);
    check(&[("CARGO_HOME", "/fast/cargo")], &["/fast/cargo/registry", "/fast/cargo/git"]);
    check(&[("XDG_CACHE_HOME", "/fast/cache")], &["/fast/cache", "/home/kim/.cache"]);
    check(&[("GOPATH", "/a:/b")], &["/a/pkg/mod", "/b/pkg/mod"]);
    check(&[("GRADLE_USER_HOME", "/g")], &["/g/caches", "/g/wrapper/dists"]);
    check(&[("JULIA_DEPOT_PATH", "/a:/b:")], &["/a/packages", "/a/artifacts", "/b/compiled"]);
    check(&[("HF_HOME", "/hf")], &["/hf/hub", "/hf/datasets", "/hf/xet"]);
    for name in ["PNPM_STORE_DIR", "TURBO_CACHE_DIR", "NX_CACHE_DIRECTORY", "ZIG_GLOBAL_CACHE_DIR"] {
        assert!(has(&with(&[(name, "/fast/x")]), "/fast/x"), "{name}");
    }
    check(&[("RATTLER_CACHE_DIR", "/fast/x")], &["/fast/x"]);
    // Relative to where the command runs.
    check(&[("PIP_CACHE_DIR", "../pip")], &["/home/kim/work/pip"]);
    check(&[("PIP_CACHE_DIR", "/home/kim/work/shop/../pip/.")], &["/home/kim/work/pip"]);
}

#[test]
fn nothing_larger_than_a_cache_is_hidden() {
    let check = |variables: &[(&str, &str)]| {
        assert_eq!(with(variables), with(&[]), "{variables:?}");
    };
    check(&[("PIP_CACHE_DIR", "/")]);
    check(&[("PIP_CACHE_DIR", "/home")]);
    check(&[("PIP_CACHE_DIR", "/home/kim")]);
    check(&[("PIP_CACHE_DIR", "/home/kim/work")]);
    check(&[("PIP_CACHE_DIR", "/home/kim/work/shop")]);
    check(&[("PIP_CACHE_DIR", "/usr")]);
    check(&[("PIP_CACHE_DIR", "/home/kim/x/../..")]);
    check(&[("PIP_CACHE_DIR", "")]);
    check(&[("PIP_CACHE_DIR", "cache")]);
}

#[test]
fn what_a_build_makes_is_hidden_where_a_variable_puts_it() {
    let check = |variables: &[(&str, &str)], expected: &[&str]| {
        let made: Vec<Mask> = with(variables).into_iter().filter(Mask::is_made).collect();
        let paths: Vec<&str> = made.iter().map(|mask| mask.path.to_str().unwrap()).collect();
        assert_eq!(paths, expected, "{variables:?}");
    };
    check(&[], &[]);
    check(&[("CARGO_TARGET_DIR", "/fast/target")], &["/fast/target"]);
    check(&[("CARGO_BUILD_TARGET_DIR", "../target")], &["/home/kim/work/target"]);
    check(&[("UV_PROJECT_ENVIRONMENT", "/opt/venv")], &["/opt/venv"]);
    check(&[("BUNDLE_PATH", "/home/kim/gems")], &["/home/kim/gems"]);
    // Within the project it is told, so that the copy of the project does without.
    check(&[("COMPOSER_VENDOR_DIR", "lib")], &["/home/kim/work/shop/lib"]);
    check(&[("CARGO_TARGET_DIR", "/home/kim/work/shop/out")], &["/home/kim/work/shop/out"]);
    // A folder for each workspace lies in one for all.
    let each = "{cargo-cache-home}/build/{workspace-path-hash}";
    check(&[("CARGO_BUILD_BUILD_DIR", each)], &["/home/kim/.cargo/build"]);
    check(&[("CARGO_BUILD_BUILD_DIR", each), ("CARGO_HOME", "/c")], &["/c/build"]);
    check(&[("CARGO_BUILD_BUILD_DIR", "{workspace-root}/build")], &[]);
    // Programs, a home and the project are no builds; what Cargo makes in them is.
    check(&[("UV_PROJECT_ENVIRONMENT", "/usr/local")], &[]);
    check(&[("CARGO_TARGET_DIR", "..")], &["/home/kim/work/debug", "/home/kim/work/release"]);
    check(&[("CARGO_TARGET_DIR", "")], &[]);
}

#[test]
fn what_node_finds_around_the_project_is_hidden() {
    let masks = with(&[]);
    let check = |folder: &str, expected: bool| assert_eq!(has(&masks, folder), expected, "{folder}");
    check("/home/kim/work/node_modules", true);
    check("/home/kim/node_modules", true);
    check("/home/kim/.node_modules", true);
    check("/home/node_modules", true);
    check("/node_modules", true);
    check("/home/kim/work/.pnpm-store", true);
    check("/home/kim/work/shop/node_modules", false);
    for mask in &masks {
        let is_of_node = mask.path.to_str().unwrap().contains("/node_modules");
        assert!(!is_of_node || mask.is_left_out_when_absent(), "{mask:?} would make a project of a folder");
    }
    assert!(masks.iter().any(|mask| !mask.is_left_out_when_absent()));
}

#[test]
fn masks_are_sorted_and_named_once() {
    let masks = with(&[("npm_config_cache", "/home/kim/.npm"), ("NPM_CONFIG_CACHE", "/home/kim/.npm")]);
    assert!(masks.is_sorted());
    assert_eq!(masks.iter().filter(|mask| mask.path.ends_with(".npm")).count(), 1);
    let masks = with(&[("PIP_CACHE_DIR", "/home/kim/.cache/pip"), ("UV_CACHE_DIR", "/home/kim/.cacheable")]);
    assert!(!has(&masks, "/home/kim/.cache/pip"), "hidden with the folder around it");
    assert!(has(&masks, "/home/kim/.cacheable"), "a longer name is another folder");
    assert!(machine_masks().iter().all(|mask| mask.path.is_absolute()));
}

#[test]
fn every_client_of_the_list_hides_something() {
    for client in &ALL {
        assert!(!client.folders.is_empty() || !client.variables.is_empty(), "{}", client.name);
        for folder in client.folders {
            assert!(!folder.starts_with('/') && !folder.ends_with('/'), "{folder}");
        }
    }
}

/// Returns what a command adds to what is hidden, and what is said about the rest; every folder is there.
fn told(words: &[&str]) -> (Vec<String>, Vec<String>) {
    let (homes, project) = ([PathBuf::from("/home/kim")], Path::new("/home/kim/work/shop"));
    let command: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let place = Place { homes: &homes, project, files: &[], directory: project, command: &command };
    let lookup = |name: &str| (name == "FAST").then(|| "/fast".into());
    let (with, without) =
        (masks(&place, &lookup, &|_| None), masks(&Place { command: &[], ..place }, &lookup, &|_| None));
    let added =
        with.iter().filter(|mask| !without.contains(mask)).map(|mask| mask.path.display().to_string());
    let is_there = |path: &Path| !path.starts_with("/absent");
    (added.collect(), unhidden(&place, &with, &lookup, &is_there))
}

#[test]
fn a_cache_that_the_command_names_is_hidden() {
    let check = |words: &[&str], expected: &[&str]| {
        assert_eq!(
            told(words),
            (expected.iter().map(|&path| path.to_owned()).collect(), Vec::new()),
            "{words:?}"
        );
    };
    check(&["npm", "ci", "--cache", "/fast/npm"], &["/fast/npm"]);
    check(&["npm", "ci", "--cache=/fast/npm"], &["/fast/npm"]);
    check(&["npm", "ci", "--cache", "~/fast npm"], &["/home/kim/fast npm"]);
    check(&["sh", "-c", "cd web && npm ci --cache \"$FAST/npm\"; true"], &["/fast/npm"]);
    check(&["env", "CI=1", "npm_config_cache=/fast/npm", "npm", "ci"], &["/fast/npm"]);
    check(&["sh", "-c", "PIP_CACHE_DIR=/fast/pip pip install idna"], &["/fast/pip"]);
    check(&["env", "CARGO_HOME=/fast", "cargo", "build"], &["/fast/git", "/fast/registry"]);
    check(&["env", "GOPATH=/a:/b", "make"], &["/a/pkg/mod", "/a/pkg/sumdb", "/b/pkg/mod", "/b/pkg/sumdb"]);
    check(&["python3.12", "-m", "pip", "install", "--cache-dir", "/fast/pip", "idna"], &["/fast/pip"]);
    check(&["/opt/pip3.12", "install", "--cache-dir=/fast/pip", "idna"], &["/fast/pip"]);
    check(&["./mvnw", "-q", "-Dmaven.repo.local=/fast/m2", "verify"], &["/fast/m2"]);
    check(&["cargo", "build", "--target-dir", "/fast/t"], &["/fast/t"]);
    check(&["cargo", "--config", "build.target-dir=\"/fast/t\"", "build"], &["/fast/t"]);
    check(&["sh", "-c", "CARGO_TARGET_DIR=../t cargo build"], &["/home/kim/work/t"]);
    check(&["gradle", "-g", "/fast/g", "build"], &["/fast/g/caches", "/fast/g/wrapper/dists"]);
    // What is another program's, of the project, hidden anyway or nowhere.
    check(&["my-tool", "--cache", "/fast/x"], &[]);
    check(&["npm", "ci", "cache", "/fast/npm"], &[]);
    check(&["npm", "ci", "--cache"], &[]);
    check(&["npm", "ci", "--cache", ".cache"], &[]);
    check(&["npm", "ci", "--cache", "/home/kim/work/shop/.cache"], &[]);
    check(&["npm", "ci", "--cache", "~/.cache/npm"], &[]);
    check(&["npm", "ci"], &[]);
}

#[test]
fn a_cache_that_the_command_names_and_nobody_can_hide_is_told() {
    let check = |words: &[&str], written: &str, why: &str| {
        let (hidden, told) = told(words);
        let expected =
            format!("what the cache of npm holds that `{written}` names: {why}, so it was not hidden");
        assert_eq!((hidden, told), (Vec::new(), vec![expected]), "{words:?}");
    };
    let unknown = "it cannot be told which folder that is";
    check(&["sh", "-c", "npm ci --cache=$(mktemp -d)"], "--cache=$(mktemp", unknown);
    check(&["sh", "-c", "npm ci --cache $ELSEWHERE/npm"], "--cache $ELSEWHERE/npm", unknown);
    check(&["sh", "-c", "npm ci --cache `pwd`"], "--cache `pwd`", unknown);
    check(&["npm", "ci", "--devdir", "/home"], "--devdir /home", "that folder is more than a cache");
    // Of a folder that is too large, what is known below it.
    let (hidden, told) = told(&["npm", "ci", "--cache", "/home/kim"]);
    assert_eq!((hidden.len(), told.len()), (3, 0), "{hidden:?}");
}
