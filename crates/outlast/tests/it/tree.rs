//! After a run everything is as it would be without Outlast, and after a drill as it was.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use model::Sha256;

use crate::clients::{cargo_project, npm_project};
use crate::world::{OUTLAST, World, entries, finish};

/// Names, kinds, modes, owners and bytes of everything below a folder.
type Tree = BTreeMap<String, String>;

fn tree(folder: &Path) -> Tree {
    fn add(folder: &Path, path: &Path, tree: &mut Tree) {
        let metadata = path.symlink_metadata().unwrap();
        let content = if metadata.is_symlink() {
            fs::read_link(path).unwrap().display().to_string()
        } else if metadata.is_file() {
            Sha256::of(&fs::read(path).unwrap()).to_string()
        } else {
            "folder".to_owned()
        };
        let name = path.strip_prefix(folder).unwrap().display().to_string();
        tree.insert(name, format!("{:o} {} {content}", metadata.mode(), metadata.uid()));
        if metadata.is_dir() {
            for entry in entries(path) {
                add(folder, &entry, tree);
            }
        }
    }
    let mut found = Tree::new();
    add(folder, folder, &mut found);
    found
}

fn both(world: &World) -> [Tree; 2] {
    [tree(&world.project()), tree(&world.home())]
}

/// Forgets what differs between any two direct runs: npm notes the time in the index of its cache and names its logs
/// after it.
fn without_times(mut trees: [Tree; 2]) -> [Tree; 2] {
    for (path, found) in &mut trees[1] {
        if path.starts_with(".npm/_cacache/index-v5/") && !found.ends_with("folder") {
            found.truncate(found.rfind(' ').unwrap());
        }
    }
    let is_log = |path: &String| path.starts_with(".npm/_logs/");
    trees[1].retain(|path, _| !is_log(path));
    trees
}

#[test]
fn exec_leaves_what_a_direct_run_leaves() {
    let world = npm_project();
    let command = ["npm", "ci", "--no-audit", "--no-update-notifier"];
    let empty = both(&world);
    finish(world.command(command[0]).args(&command[1..]), b"").expect(0);
    let direct = without_times(both(&world));
    assert!(direct[0].contains_key("node_modules/left-pad/index.js"), "{:#?}", direct[0]);
    assert!(direct[1].keys().any(|path| path.starts_with(".npm/_cacache/content-v2/")), "{:#?}", direct[1]);

    fs::remove_dir_all(world.project().join("node_modules")).unwrap();
    fs::remove_dir_all(world.home().join(".npm")).unwrap();
    assert_eq!(both(&world), empty);
    world.outlast(&[&["exec", "--"], &command[..]].concat()).expect(0);
    assert_eq!(world.newest_record()["containment"], "sealed");
    pretty_equal(&without_times(both(&world)), &direct);
}

#[test]
fn a_rename_out_of_the_folder_in_which_outlast_lives_is_one() {
    // The home where it is by default.
    let world = World::new();
    let outlast = world.home().join(".local/share/outlast");
    let world = world.with("OUTLAST_HOME", outlast.to_str().unwrap());
    let script = "import os; home = os.path.expanduser('~/'); os.rename(home + '.local/share/x', home + 'y'); \
                  os.link(home + 'y/file', home + '.local/share/file')";
    let [direct, inside] = [vec![], vec![OUTLAST, "exec", "-q", "--require-sealed", "--"]].map(|way| {
        world.write(&world.home().join(".local/share/x/file"), "");
        let words = [&way[..], &["python3", "-c", script]].concat();
        finish(world.command(words[0]).args(&words[1..]), b"").expect(0);
        assert_eq!(outlast.exists(), !way.is_empty(), "the control");
        let _ = fs::remove_dir_all(&outlast);
        let found = tree(&world.home());
        for path in ["y", ".local"] {
            fs::remove_dir_all(world.home().join(path)).unwrap();
        }
        found
    });
    assert_eq!(inside, direct);
}

#[test]
fn a_fresh_run_and_a_drill_change_nothing() {
    let world = cargo_project().file("target/old", "kept\n").file(".git/config", "");
    world.write(&world.home().join(".cargo/config.toml"), "[net]\nretry = 1\n");
    world.write(&world.home().join(".cache/mine"), "kept\n");
    let script = "cargo build && echo left > left && echo left > ~/left && echo left > ~/.cache/left && rm src/main.rs";
    let before = both(&world);
    world.record(&["sh", "-c", script]).expect(0);
    pretty_equal(&both(&world), &before);
    world.drill(&["sh", "-c", script]).expect(0);
    pretty_equal(&both(&world), &before);
    // The control: the command does change things.
    world.outlast(&["exec", "-q", "--", "sh", "-c", script]).expect(0);
    assert!(world.project().join("left").exists() && world.home().join("left").exists());
}

#[track_caller]
fn pretty_equal(found: &[Tree; 2], expected: &[Tree; 2]) {
    for (found, expected) in found.iter().zip(expected) {
        let differing: Vec<_> = found
            .iter()
            .filter(|(path, what)| expected.get(*path) != Some(what))
            .chain(expected.iter().filter(|(path, _)| !found.contains_key(*path)))
            .collect();
        assert!(differing.is_empty(), "{differing:#?}");
    }
}
