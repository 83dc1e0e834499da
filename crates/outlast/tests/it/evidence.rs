//! What drills leave: chained, signed, verified without a network, and worth nothing once a byte is another.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use model::Sha256;
use serde_json::Value;

use crate::world::{OUTLAST, World, entries, finish, read_json, texts};

const COMMAND: [&str; 3] = ["curl", "-fsSO", "https://static.crates.io/crates/itoa/itoa-1.0.15.crate"];

/// Returns a world with a drill that passed, one that failed, and one that passed again.
fn drilled() -> World {
    let world = World::new();
    world.record(&COMMAND).expect(0);
    world.drill(&COMMAND).expect(0);
    let blob = world.blob(world.newest_record()["objects"][0]["sha256"].as_str().unwrap());
    let aside = world.path().join("aside");
    fs::rename(&blob, &aside).unwrap();
    world.drill(&COMMAND).expect(1);
    fs::rename(&aside, &blob).unwrap();
    world.drill(&COMMAND).expect(0);
    world
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn drills_are_chained_failed_ones_included() {
    let world = drilled();
    let folders = world.evidence();
    let reports: Vec<Value> = folders.iter().map(|folder| read_json(&folder.join("report.json"))).collect();
    let verdicts: Vec<&str> = reports.iter().map(|report| report["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["pass", "fail", "pass"]);
    assert_eq!(reports[0]["previous_sha256"], Value::Null);
    for pair in [0, 1] {
        let before = fs::read(folders[pair].join("attestation.dsse.json")).unwrap();
        assert_eq!(reports[pair + 1]["previous_sha256"], Sha256::of(&before).to_string());
    }
    let list = world.outlast(&["evidence", "list", "--json"]).expect(0).json();
    let mut listed = texts(&list, "verdict");
    listed.sort_unstable();
    assert_eq!(listed, ["fail", "pass", "pass"]);
    for folder in &folders {
        world.outlast(&["evidence", "verify", text(folder)]).expect(0).says("genuine and whole");
    }
}

#[test]
fn any_change_in_the_folder_is_seen() {
    let world = drilled();
    let folder = world.evidence().pop().unwrap();
    let files: Vec<String> =
        entries(&folder).iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    for expected in ["README.txt", "attestation.dsse.json", "journal.jsonl", "report.html", "report.json"] {
        assert!(files.iter().any(|file| file == expected), "{files:?}");
    }
    let check = |what: &str, change: &dyn Fn(&Path), code: i32| {
        let copy = tempfile::tempdir().unwrap();
        for file in entries(&folder) {
            fs::copy(&file, copy.path().join(file.file_name().unwrap())).unwrap();
        }
        change(copy.path());
        let done = world.outlast(&["evidence", "verify", text(copy.path())]);
        assert_eq!(done.code, code, "{what}: {}", done.stderr);
        assert!(code == 0 || done.stderr.contains("hint: "), "{what}: {}", done.stderr);
    };
    check("nothing", &|_| (), 0);
    for file in &files {
        let edit = |folder: &Path, change: &dyn Fn(&mut Vec<u8>)| {
            let path = folder.join(file);
            let mut bytes = fs::read(&path).unwrap();
            change(&mut bytes);
            fs::remove_file(&path).unwrap();
            fs::write(&path, bytes).unwrap();
        };
        for at in [0.0, 0.3, 0.7] {
            let flip = |bytes: &mut Vec<u8>| {
                let at = (bytes.len() as f64 * at) as usize;
                bytes[at] ^= 1;
            };
            check(&format!("{file}: a bit at {at}"), &|folder| edit(folder, &flip), 1);
        }
        check(&format!("{file}: a space more"), &|folder| edit(folder, &|bytes| bytes.push(b' ')), 1);
        check(
            &format!("{file}: a byte less"),
            &|folder| edit(folder, &|bytes| bytes.truncate(bytes.len() - 1)),
            1,
        );
        check(&format!("{file}: gone"), &|folder| fs::remove_file(folder.join(file)).unwrap(), 1);
    }
    check("a file more", &|folder| fs::write(folder.join("more"), "").unwrap(), 1);
    check("a folder more", &|folder| fs::create_dir(folder.join("more")).unwrap(), 1);
}

#[test]
fn evidence_is_verified_elsewhere_without_a_network() {
    let world = drilled();
    let folder = world.evidence().pop().unwrap();
    let key = world.path().join("key.pem");
    fs::write(&key, world.outlast(&["evidence", "key"]).expect(0).stdout).unwrap();

    let other = World::new();
    other.outlast(&["evidence", "verify", text(&folder)]).expect(1).says("hint: ");
    other.outlast(&["evidence", "verify", text(&folder), "--key", text(&key)]).expect(0);
    let mut alone = other.command("unshare");
    alone.args([
        "--map-root-user",
        "--net",
        OUTLAST,
        "evidence",
        "verify",
        text(&folder),
        "--key",
        text(&key),
    ]);
    finish(&mut alone, b"").expect(0);

    // A key of its own, as an impostor would have it.
    other.outlast(&["init"]).expect(0);
    other.outlast(&["evidence", "verify", text(&folder)]).expect(1);
    fs::write(&key, other.outlast(&["evidence", "key"]).expect(0).stdout).unwrap();
    world.outlast(&["evidence", "verify", text(&folder), "--key", text(&key)]).expect(1);
    world.outlast(&["evidence", "verify", text(&folder), "--key", "nowhere.pem"]).expect(2).says("hint: ");
}

#[test]
fn half_of_a_key_is_no_leave_to_make_another() {
    let world = drilled();
    let folder = world.evidence().pop().unwrap();
    let private = world.own().join("keys/evidence.ed25519");
    let aside = world.path().join("aside.ed25519");
    fs::rename(&private, &aside).unwrap();
    for (code, command) in [(3, &["drill", "--", "true"][..]), (1, &["init"])] {
        world.outlast(command).expect(code).says("is gone, and its public half").says("hint: ");
    }
    assert!(!private.exists());
    world.outlast(&["evidence", "verify", text(&folder)]).expect(0);
    fs::rename(&aside, &private).unwrap();
    world.drill(&COMMAND).expect(0);
}

#[test]
fn a_key_that_cannot_be_used_is_told_the_same_by_whoever_meets_it() {
    let world = drilled();
    let private = world.own().join("keys/evidence.ed25519");
    let check = |said: &str| {
        let hints: Vec<String> = [(3, &["drill", "--", "true"][..]), (1, &["init"])]
            .map(|(code, command)| {
                let done = world.outlast(command).expect(code).says(said);
                done.stderr.lines().filter(|line| line.starts_with("hint: ")).collect()
            })
            .into();
        assert!(hints[0].starts_with("hint: ") && hints[0] == hints[1], "{hints:?}");
    };
    fs::set_permissions(&private, fs::Permissions::from_mode(0o644)).unwrap();
    check("can be read by others (mode 644), make it 600");
    fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&private, "mine").unwrap();
    check("is not an Ed25519 key in PEM");
    assert_eq!(fs::read(&private).unwrap(), b"mine");
}

#[test]
fn evidence_goes_where_it_is_asked_for_too() {
    let world = World::new();
    world.record(&COMMAND).expect(0);
    let folder = world.path().join("shown/to/an auditor");
    world.outlast(&[&["drill", "--evidence", text(&folder), "--"], &COMMAND[..]].concat()).expect(0);
    world.outlast(&["evidence", "verify", text(&folder)]).expect(0);
}

#[test]
fn the_verdict_is_told_before_evidence_cannot_be_copied() {
    let world = World::new();
    world.record(&COMMAND).expect(0);
    let drill =
        |folder: &str| world.outlast(&[&["drill", "--evidence", folder, "--"], &COMMAND[..]].concat());
    let order = |stderr: &str, first: &str| {
        let place = |text: &str| stderr.find(text).unwrap_or_else(|| panic!("{text}: {stderr}"));
        assert!(place(first) < place("error: could not copy the evidence to `/proc/nowhere`"), "{stderr}");
        assert!(place("hint: it lies in `") > place("evidence: "), "{stderr}");
    };
    // Not where it was asked for, so that nobody relies on it there; the drill itself counts.
    order(&drill("/proc/nowhere").expect(3).stderr, "outlast: PASS");
    assert_eq!((world.evidence().len(), &world.newest_report()["verdict"]), (1, &"pass".into()));
    let sha256 = world.newest_record()["objects"][0]["sha256"].as_str().unwrap().to_owned();
    fs::remove_file(world.blob(&sha256)).unwrap();
    order(&drill("/proc/nowhere").expect(1).stderr, "outlast: FAIL");
    assert_eq!(world.evidence().len(), 2);
}
