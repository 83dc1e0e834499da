//! docs/FORMAT.md is enough to find everything with `jq`, `zstd` and `sha256sum`: its own lines are run.

use std::path::Path;
use std::process::Command;

use model::{Event, Held, ObjectKey, Proof, Sha256};

use crate::world::*;

/// Returns the shell blocks of the document.
fn recipes() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/FORMAT.md");
    let text = std::fs::read_to_string(path).unwrap();
    let blocks: Vec<String> =
        text.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap().to_owned()).collect();
    assert_eq!(blocks.len(), 3, "the document has three recipes: find, blobs, chain");
    blocks
}

/// Runs a recipe in a home; returns whether it succeeded, and what it printed.
fn run(home: &Home, recipe: &str, url: &str) -> (bool, String) {
    for (tool, package) in [("jq", "jq"), ("zstd", "zstd"), ("sha256sum", "coreutils")] {
        let found = Command::new(tool).arg("--version").output();
        assert!(found.is_ok(), "`{tool}` is missing; hint: apt-get install {package}");
    }
    let output =
        Command::new("sh").args(["-euc", recipe]).current_dir(home.path()).env("URL", url).output().unwrap();
    let told =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), told)
}

/// A home with three files; with `n_large` entries before the last, enough for a closed segment or none.
fn filled(n_large: usize) -> Home {
    let home = Home::new();
    let store = home.open();
    keep(&store, "old.txt", b"old\n");
    keep(&store, "new.txt", b"first\n");
    for number in 0..n_large {
        store.append(None, vec![rejected(&format!("{number}"), &"\"\\x\u{7f} é".repeat(80_000))]).unwrap();
    }
    keep(&store, "new.txt", b"second\n");
    store.flush().unwrap();
    assert_eq!(home.closed_segments().len(), n_large / 6);
    home
}

#[test]
fn a_file_is_found_by_its_name() {
    for n_large in [0, 6] {
        let home = filled(n_large);
        let find = &recipes()[0];
        let check = |url: &str, expected: &str| {
            assert_eq!(run(&home, find, url), (true, expected.to_owned()), "{url}");
        };
        check("https://example.com/old.txt", "old\n");
        check("https://example.com/new.txt", "second\n");
        assert!(!run(&home, find, "https://example.com/never").0);
        let path = home.blob_path(&Sha256::of(b"old\n"));
        std::fs::write(path, b"odd\n").unwrap();
        assert!(!run(&home, find, "https://example.com/old.txt").0, "wrong bytes are not shown");
    }
}

#[test]
fn the_newest_is_found_by_the_rule_of_the_index() {
    let home = Home::new();
    let store = home.open();
    let blobs: [&[u8]; 4] = [b"first", b"late", b"locked", b"repacked"];
    for bytes in blobs {
        store.put(bytes).unwrap();
    }
    let keep = |variant: &str, bytes: &[u8], proof: Proof| {
        let key = ObjectKey { variant: variant.to_owned(), ..key("a.zip") };
        let held = Held { proof, immutable: true, ..held(bytes) };
        store.record(vec![Event::Kept { key, held }]).unwrap();
    };
    let check = |variant: &str, expected: &str| {
        store.flush().unwrap();
        let key = ObjectKey { variant: variant.to_owned(), ..key("a.zip") };
        assert_eq!(store.lookup(&key).unwrap().unwrap().sha256, Sha256::of(expected.as_bytes()));
        let recipe = format!("VARIANT={variant}\n{}", recipes()[0]);
        assert_eq!(run(&home, &recipe, "https://example.com/a.zip"), (true, expected.to_owned()));
    };
    keep("", b"first", Proof::FirstSeen);
    keep("", b"late", Proof::FirstSeen);
    check("", "first");
    keep("other", b"late", Proof::FirstSeen);
    check("", "first");
    check("other", "late");
    keep("", b"locked", Proof::Verified);
    check("", "locked");
    keep("", b"repacked", Proof::FirstSeen);
    check("", "locked");
    let (before, after) = (Sha256::of(b"locked"), Sha256::of(b"repacked"));
    store.record(vec![Event::Repacked { key: key("a.zip"), before, after }]).unwrap();
    check("", "repacked");
}

#[test]
fn blobs_are_checked_by_their_names() {
    let home = filled(6);
    let blobs = &recipes()[1];
    let (is_good, told) = run(&home, blobs, "");
    assert!(is_good, "{told}");
    std::fs::write(home.blob_path(&Sha256::of(b"old\n")), b"odd\n").unwrap();
    assert!(!run(&home, blobs, "").0);
}

#[test]
fn the_chain_is_checked() {
    let home = filled(6);
    let chain = &recipes()[2];
    let (is_good, told) = run(&home, chain, "");
    assert!(is_good, "{told}");
    let whole = std::fs::read_to_string(home.current()).unwrap();
    std::fs::write(home.current(), whole.replacen("new.txt", "now.txt", 1)).unwrap();
    assert!(!run(&home, chain, "").0, "a changed entry");
    std::fs::write(home.current(), &whole).unwrap();
    let closed = home.closed_segments().remove(0);
    std::fs::remove_file(closed).unwrap();
    assert!(!run(&home, chain, "").0, "a missing segment");
}
