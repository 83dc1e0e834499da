//! What is warm on a laptop proves nothing: neither built folders nor caches are used by a drill.

use std::path::Path;

use crate::clients::{cargo_project, npm_project};
use crate::world::{OUTLAST, World, entries, finish, texts};

/// Runs a command directly, as a user would without Outlast.
#[track_caller]
fn directly(world: &World, command: &[&str], code: i32) {
    finish(world.command(command[0]).args(&command[1..]), b"").expect(code);
}

#[test]
fn a_stale_node_modules_is_not_there() {
    let world = npm_project()
        .file("node_modules/planted/index.js", "module.exports = 'planted';\n")
        .file("node_modules/planted/package.json", "{\"name\":\"planted\",\"version\":\"1.0.0\"}");
    let planted = ["node", "-e", "require('planted')"];
    directly(&world, &planted, 0);
    let script = "! node -e \"require('planted')\" 2>/dev/null && npm ci --no-audit && \
                  node -e \"require('left-pad')\"";
    world.record(&["sh", "-c", script]).expect(0);
    world.drill(&["sh", "-c", script]).expect(0);
    directly(&world, &planted, 0);
}

#[test]
fn a_warm_npm_cache_is_not_used() {
    let world = npm_project();
    directly(&world, &["npm", "ci", "--no-audit"], 0);
    // With the warm cache it works without any network.
    let offline = ["npm", "ci", "--no-audit", "--offline"];
    directly(&world, &offline, 0);
    assert_ne!(world.record(&offline).code, 0, "a fresh run used the cache");

    let online = ["npm", "ci", "--no-audit"];
    world.record(&online).expect(0);
    world.drill(&online).expect(0);
    let report = world.newest_report();
    let urls = texts(&report["objects"], "url");
    assert!(urls.iter().any(|url| url.ends_with("/left-pad-1.3.0.tgz")), "{urls:?}");
    let masked = report["masked"].as_array().unwrap();
    assert!(masked.iter().any(|path| *path == world.home().join(".npm").to_str().unwrap()), "{masked:?}");
    directly(&world, &offline, 0);
}

#[test]
fn file_systems_below_home_are_neither_used_nor_changed() {
    let world = npm_project();
    let script = r#"
        for folder in .npm data; do mkdir "$HOME/$folder"; mount -t tmpfs tmpfs "$HOME/$folder"; done
        echo own > ~/data/file
        mkdir -p ~/deep/one/two ~/deep/other
        mount -t tmpfs tmpfs ~/deep/one/two
        # As containers give single files.
        touch ~/single; mount --bind /etc/os-release ~/single
        for file in ~/plain ~/deep/one/two/file ~/deep/other/file; do echo own > $file; done
        ln -s plain ~/link
        truncate -s 20M ~/large
        npm ci --no-audit
        npm ci --no-audit --offline
        in_room='set -e
            cmp ~/single /etc/os-release; test "$(stat -c %s ~/large)" = 20971520
            for file in ~/data/file ~/link ~/plain ~/deep/one/two/file ~/deep/other/file; do
                test "$(cat $file)" = own
            done
            for file in ~/data/file ~/plain ~/deep/one/two/file ~/deep/other/file ~/single ~/new ~/deep/new; do
                echo other > $file
            done
            ! { echo other > ~/large; } 2> /dev/null
            npm ci --no-audit'
        find ~ -not -path "*/.npm/*" -type f -exec sha256sum {} + | sort > before
        if "$0" exec --fresh -- npm ci --no-audit --offline; then echo "a fresh run used the cache"; exit 9; fi
        "$0" exec --fresh -- sh -c "$in_room"
        "$0" drill -- sh -c "$in_room"
        find ~ -not -path "*/.npm/*" -type f -exec sha256sum {} + | sort | cmp - before
        npm ci --no-audit --offline
    "#;
    let mut outside = world.command("unshare");
    outside.args(["--mount", "sh", "-exc", script, OUTLAST]);
    finish(&mut outside, b"").expect(0).says("PASS");
}

/// Checks that what was installed into a cache elsewhere is not used, though it would be enough without a network.
#[track_caller]
fn is_not_used(world: &World, moved: &str, npm_ci: &[&str]) {
    let moved = world.home().join(moved);
    directly(world, npm_ci, 0);
    assert!(moved.join("_cacache").is_dir());
    let offline = [npm_ci, &["--offline"]].concat();
    directly(world, &offline, 0);
    assert_ne!(world.record(&offline).code, 0, "a fresh run used the cache");
    // It is the cache that is hidden, and neither its settings nor what lies beside it.
    world.write(&world.home().join("kept/file"), "");
    let script = format!("test -e ~/kept/file && test -z \"$(ls -A {})\" && exec \"$@\"", moved.display());
    let hidden = [&["sh", "-ec", &script, "sh"], npm_ci].concat();
    world.record(&hidden).expect(0);
    world.drill(&hidden).expect(0).says("PASS");
    let report = world.newest_report();
    assert!(report["masked"].as_array().unwrap().iter().any(|path| *path == moved.to_str().unwrap()));
    assert!(!report["not_tested"].to_string().contains("was not hidden"), "{report:#}");
    directly(world, &offline, 0);
}

#[test]
fn a_warm_npm_cache_that_settings_have_moved_is_not_used() {
    let world = npm_project();
    world.write(&world.home().join(".npmrc"), "cache=${HOME}/moved/npm\n");
    is_not_used(&world, "moved/npm", &["npm", "ci", "--no-audit"]);
}

#[test]
fn a_warm_npm_cache_that_the_command_names_is_not_used() {
    let world = npm_project();
    let moved = world.home().join("named").display().to_string();
    is_not_used(&world, "named", &["npm", "ci", "--no-audit", "--cache", &moved]);
    is_not_used(&world, "named", &["env", &format!("npm_config_cache={moved}"), "npm", "ci", "--no-audit"]);
}

#[test]
fn a_cache_that_only_a_script_knows_is_said_to_be_untested() {
    let world = npm_project();
    let script = "npm ci --no-audit --cache \"$(cat where)\"";
    world.write(&world.project().join("where"), world.home().join("elsewhere").to_str().unwrap());
    world.record(&["sh", "-c", script]).expect(0);
    world.drill(&["sh", "-c", script]).expect(0);
    let not_tested = world.newest_report()["not_tested"].to_string();
    assert!(not_tested.contains("`--cache $(cat` names: it cannot be told which folder"), "{not_tested}");
}

#[test]
fn a_warm_and_poisoned_cargo_home_is_not_used() {
    let world = cargo_project();
    directly(&world, &["cargo", "fetch"], 0);
    let sources = world.home().join(".cargo/registry/src");
    let source = entries(&sources).pop().unwrap().join("itoa-1.0.15/src/lib.rs");
    std::fs::write(&source, "compile_error!(\"poisoned\");\n").unwrap();
    // Cargo does not look at unpacked sources again.
    let direct = finish(world.command("cargo").args(["build", "--offline"]), b"");
    assert!(direct.code != 0 && direct.stderr.contains("poisoned"), "{}", direct.stderr);

    world.record(&["cargo", "build"]).expect(0);
    world.drill(&["cargo", "build"]).expect(0);
    assert_eq!(std::fs::read_to_string(&source).unwrap(), "compile_error!(\"poisoned\");\n");
}

/// Checks that what was built into a folder outside the project is built again, in a fresh run and in a drill.
#[track_caller]
fn is_built_again(world: &World, target: &Path) {
    let build = ["cargo", "build"];
    directly(world, &build, 0);
    assert!(target.join("debug/.fingerprint").is_dir(), "{}", target.display());
    world.record(&build).expect(0).says("Compiling small");
    world.drill(&build).expect(0).says("Compiling small").says("PASS");
    let masked = world.newest_report()["masked"].to_string();
    assert!(masked.contains(target.to_str().unwrap()), "{masked}");
    assert!(target.join("debug/.fingerprint").is_dir(), "what was warm stays");
}

#[test]
fn a_warm_target_folder_that_a_variable_names_is_not_used() {
    for name in ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR", "CARGO_BUILD_BUILD_DIR"] {
        let world = cargo_project();
        let target = world.home().join("warm");
        let world = world.with(name, target.to_str().unwrap());
        is_built_again(&world, &target);
    }
    let world = cargo_project();
    let target = world.home().join("warm");
    is_built_again(&world.with("CARGO_TARGET_DIR", "../home/warm"), &target);
    // Neither in the home folder nor in `/tmp`.
    let elsewhere = tempfile::tempdir_in("/var/tmp").unwrap();
    let world = cargo_project().with("CARGO_TARGET_DIR", elsewhere.path().to_str().unwrap());
    is_built_again(&world, elsewhere.path());
}

#[test]
fn a_warm_target_folder_that_settings_name_is_not_used() {
    let check = |settings: &str, text: &str, target: &str| {
        let world = cargo_project();
        world.write(&world.home().join(settings), text);
        let target = world.home().join(target);
        is_built_again(&world, &target);
    };
    check(".cargo/config.toml", "[build]\ntarget-dir = \"warm\"\n", "warm");
    check(".cargo/config", "build.build-dir = \"{cargo-cache-home}/warm\"\n", ".cargo/warm");
}

#[test]
fn a_target_folder_within_the_project_is_not_copied_and_has_the_outputs() {
    let world = cargo_project();
    let target = world.project().join("out");
    let world = world.with("CARGO_TARGET_DIR", target.to_str().unwrap());
    directly(&world, &["cargo", "build"], 0);
    let asked = ["--output", "out/debug/small", "--", "cargo", "build"];
    world.outlast(&[&["exec", "--fresh"], &asked[..]].concat()).expect(0).says("Compiling small");
    assert_eq!(world.newest_record()["outputs"][0]["path"], "out/debug/small");
    world.outlast(&[&["drill"], &asked[..]].concat()).expect(0).says("Compiling small").says("PASS");
}
