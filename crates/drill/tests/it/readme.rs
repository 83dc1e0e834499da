//! README.txt's own lines, run as they stand.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use drill::key::{PRIVATE_FILE, PUBLIC_FILE};
use model::Sha256;

use crate::evidence::{FILES, Place, copy};

/// The indented lines of a README, which are the script.
fn script(readme: &str) -> String {
    readme.lines().filter_map(|line| line.strip_prefix("    ")).map(|line| format!("{line}\n")).collect()
}

#[expect(clippy::disallowed_methods, reason = "this test is about the tools of others")]
fn run(script: &str, folder: &Path, key: &Path) -> Output {
    Command::new("bash").args(["-c", script]).env("DIR", folder).env("KEY", key).output().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "this test is about the tools of others")]
fn openssl(arguments: &[&str], file: &Path) -> Output {
    Command::new("openssl").args(arguments).arg("-in").arg(file).output().unwrap()
}

fn is_accepted(script: &str, folder: &Path, key: &Path) -> bool {
    run(script, folder, key).status.success()
}

/// A place with one drill, its README's script and its public key.
fn place() -> (Place, String, std::path::PathBuf) {
    let place = Place::new();
    place.write("one", Some(Sha256::of(b"before")));
    let script = script(&fs::read_to_string(place.folder("one").join("README.txt")).unwrap());
    let key = place.root.path().join("keys").join(PUBLIC_FILE);
    (place, script, key)
}

#[test]
fn the_lines_accept_what_is_genuine_and_say_what_it_says() {
    let (place, script, key) = place();
    let output = run(&script, &place.folder("one"), &key);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}{stderr}");
    assert!(stdout.contains("genuine and whole: pass, all hosts cut, 2026-11-24T09:00:10Z"), "{stdout}");
    assert!(stdout.contains(&format!("the drill before: {}", Sha256::of(b"before"))), "{stdout}");
    assert_eq!(stderr, "");
}

#[test]
fn the_lines_refuse_every_flipped_bit() {
    let (place, script, key) = place();
    let folder = place.folder("one");
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for name in FILES {
        let path = folder.join(name);
        let good = fs::read(&path).unwrap();
        let tail = good.len() - 1;
        // The attestation's end holds key, signature and encoding, where a careless check would look away.
        let near_the_end = tail - random.usize(..220.min(tail));
        for at in [0, random.usize(..good.len()), random.usize(..good.len()), near_the_end, tail] {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << random.u8(..8);
            fs::write(&path, &bytes).unwrap();
            assert!(!is_accepted(&script, &folder, &key), "{name} with byte {at} flipped was accepted");
        }
        for bytes in
            [[&good[..], b"\n"].concat(), [b" ", &good[..]].concat(), good[..tail].to_vec(), Vec::new()]
        {
            fs::write(&path, &bytes).unwrap();
            assert!(!is_accepted(&script, &folder, &key), "{name} with {} bytes was accepted", bytes.len());
        }
        fs::write(&path, &good).unwrap();
    }
    assert!(is_accepted(&script, &folder, &key), "whole again");
}

#[test]
fn the_lines_refuse_what_was_added_removed_or_linked() {
    let (place, script, key) = place();
    let check = |name: &str, change: fn(&Path)| {
        let folder = place.folder(name);
        copy(&place.folder("one"), &folder);
        assert!(is_accepted(&script, &folder, &key), "a copy is as good");
        change(&folder);
        assert!(!is_accepted(&script, &folder, &key), "{name}");
    };
    check("added", |folder| fs::write(folder.join("notes.txt"), "").unwrap());
    check("hidden", |folder| fs::write(folder.join(".hidden"), "").unwrap());
    check("removed", |folder| fs::remove_file(folder.join("journal.jsonl")).unwrap());
    check("linked", |folder| {
        fs::rename(folder.join("report.html"), folder.with_extension("html")).unwrap();
        std::os::unix::fs::symlink(folder.with_extension("html"), folder.join("report.html")).unwrap();
    });
}

#[test]
fn the_lines_trust_the_given_key_only() {
    let (place, script, key) = place();
    let stranger = Place::new();
    stranger.write("one", None);
    let strange_key = stranger.root.path().join("keys").join(PUBLIC_FILE);
    assert!(!is_accepted(&script, &place.folder("one"), &strange_key));
    assert!(!is_accepted(&script, &stranger.folder("one"), &key));
    assert!(is_accepted(&script, &stranger.folder("one"), &strange_key));
    assert!(!is_accepted(&script, &place.folder("one"), Path::new("/nonexistent")));
}

#[test]
fn openssl_reads_both_keys_and_agrees_about_them() {
    let (place, _, key) = place();
    let private = place.root.path().join("keys").join(PRIVATE_FILE);
    let derived = openssl(&["pkey", "-pubout"], &private);
    assert_eq!(String::from_utf8(derived.stdout).unwrap(), fs::read_to_string(&key).unwrap());
    let der = openssl(&["pkey", "-pubin", "-outform", "DER"], &key);
    assert_eq!(Sha256::of(&der.stdout), place.public().fingerprint());
}
