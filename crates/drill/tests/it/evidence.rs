//! Evidence folders: any change whatever makes `verify` say no.

use std::fs;
use std::path::{Path, PathBuf};

use drill::evidence::{self, ATTESTATION, VerifyError, Written, folder_name, verify, verify_chain, write};
use drill::{Action, Actor, Deed, PublicKey, SigningKey, judge};
use model::{Fault, Sha256};

use crate::facts::{passing, spoiled, time};

pub(crate) const FILES: [&str; 5] =
    ["README.txt", "attestation.dsse.json", "journal.jsonl", "report.html", "report.json"];

/// A key, and a folder to keep evidence in.
pub(crate) struct Place {
    pub(crate) root: tempfile::TempDir,
    pub(crate) key: SigningKey,
}

impl Place {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let key = SigningKey::create(&root.path().join("keys")).unwrap();
        Self { root, key }
    }

    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.root.path().join("evidence").join(name)
    }

    pub(crate) fn public(&self) -> &PublicKey {
        self.key.public()
    }

    /// Writes a drill that passed.
    pub(crate) fn write(&self, name: &str, previous: Option<Sha256>) -> Written {
        let report = judge(&spoiled(|facts| facts.previous_sha256 = previous));
        let deed = Deed::Cut { host: "all".to_owned(), fault: Fault::Refuse };
        let journal = vec![Action { time: time("2026-11-24T09:00:00Z"), actor: Actor::Outlast, deed }; 3];
        write(&self.folder(name), &report, &journal, &self.key).unwrap()
    }
}

/// Copies a folder, so that it can be spoiled.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in FILES {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

#[test]
fn what_is_written_verifies() {
    let place = Place::new();
    let written = place.write("one", None);
    let checked = verify(&place.folder("one"), place.public(), None).unwrap();
    assert_eq!(checked.verdict, model::Verdict::Pass);
    assert_eq!(checked.attestation_sha256, written.attestation_sha256);
    let bytes = fs::read(place.folder("one").join(ATTESTATION)).unwrap();
    assert_eq!(Sha256::of(&bytes), written.attestation_sha256);
    let mut names: Vec<_> =
        fs::read_dir(place.folder("one")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, FILES);
    let journal = fs::read_to_string(place.folder("one").join("journal.jsonl")).unwrap();
    assert_eq!(journal.lines().count(), 3);
    assert!(journal.lines().all(|line| serde_json::from_str::<Action>(line).is_ok()));
    assert_eq!(fs::read_dir(place.folder("")).unwrap().count(), 1, "no temporary folder stays");
}

#[test]
fn every_flipped_bit_is_found() {
    let place = Place::new();
    place.write("one", Some(Sha256::of(b"before")));
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for name in FILES {
        let path = place.folder("one").join(name);
        let good = fs::read(&path).unwrap();
        let mut positions = vec![0, good.len() / 2, good.len() - 1];
        positions.extend((0..60).map(|_| random.usize(..good.len())));
        for at in positions {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << random.u8(..8);
            fs::write(&path, &bytes).unwrap();
            let result = verify(&place.folder("one"), place.public(), None);
            assert!(result.is_err(), "{name} with byte {at} flipped was accepted");
        }
        fs::write(&path, &good).unwrap();
    }
    verify(&place.folder("one"), place.public(), None).expect("whole again");
}

#[test]
fn white_space_and_length_matter_in_every_file() {
    let place = Place::new();
    place.write("one", None);
    for name in FILES {
        let path = place.folder("one").join(name);
        let good = fs::read(&path).unwrap();
        let check = |bytes: Vec<u8>, what: &str| {
            fs::write(&path, bytes).unwrap();
            assert!(verify(&place.folder("one"), place.public(), None).is_err(), "{name}: {what}");
        };
        check([&good[..], b"\n"].concat(), "a line break at the end");
        check([b" ", &good[..]].concat(), "a space in front");
        check(good[..good.len() - 1].to_vec(), "the last byte gone");
        check(Vec::new(), "emptied");
        fs::write(&path, &good).unwrap();
    }
}

#[test]
fn files_that_changed_are_named() {
    let place = Place::new();
    place.write("one", None);
    let folder = place.folder("one");
    fs::write(folder.join("report.html"), "<p>all is well").unwrap();
    fs::write(folder.join("journal.jsonl"), "").unwrap();
    let error = verify(&folder, place.public(), None).unwrap_err();
    assert_eq!(error.to_string(), "changed since it was signed: journal.jsonl, report.html");
}

#[test]
fn nothing_may_be_added_removed_or_replaced() {
    let place = Place::new();
    place.write("one", None);
    let spoil = |name: &str, change: fn(&Path)| {
        let folder = place.folder(name);
        copy(&place.folder("one"), &folder);
        verify(&folder, place.public(), None).expect("a copy is as good");
        change(&folder);
        verify(&folder, place.public(), None).unwrap_err()
    };
    let error = spoil("added", |folder| fs::write(folder.join("notes.txt"), "").unwrap());
    assert!(matches!(error, VerifyError::Added { name } if name == "notes.txt"));
    let error = spoil("hidden", |folder| fs::write(folder.join(".hidden"), "").unwrap());
    assert!(matches!(error, VerifyError::Added { .. }));
    let error = spoil("subfolder", |folder| fs::create_dir(folder.join("logs")).unwrap());
    assert!(matches!(error, VerifyError::Added { .. }));
    for (index, name) in FILES.iter().enumerate() {
        let folder = place.folder(&format!("removed{index}"));
        copy(&place.folder("one"), &folder);
        fs::remove_file(folder.join(name)).unwrap();
        let error = verify(&folder, place.public(), None).unwrap_err();
        assert!(matches!(error, VerifyError::Missing { name: missing } if missing == *name), "{error}");
    }
    let error = spoil("linked", |folder| {
        fs::rename(folder.join("report.html"), folder.with_extension("html")).unwrap();
        std::os::unix::fs::symlink(folder.with_extension("html"), folder.join("report.html")).unwrap();
    });
    assert!(matches!(error, VerifyError::NotAFile { name: "report.html" }));
    let error = spoil("folder", |folder| {
        fs::remove_file(folder.join(ATTESTATION)).unwrap();
        fs::create_dir(folder.join(ATTESTATION)).unwrap();
    });
    assert!(matches!(error, VerifyError::NotAFile { name: ATTESTATION }));
}

#[test]
fn a_file_larger_than_outlast_writes_is_not_read() {
    let place = Place::new();
    place.write("one", None);
    let path = place.folder("one").join("README.txt");
    fs::File::options().write(true).open(&path).unwrap().set_len(64 * 1024 + 1).unwrap();
    let error = verify(&place.folder("one"), place.public(), None).unwrap_err();
    assert!(matches!(error, VerifyError::TooLarge { name: "README.txt", .. }));
}

#[test]
fn only_the_trusted_key_counts() {
    let (place, stranger) = (Place::new(), Place::new());
    place.write("one", None);
    stranger.write("one", None);
    assert!(verify(&place.folder("one"), stranger.public(), None).is_err(), "another key");
    assert!(verify(&stranger.folder("one"), place.public(), None).is_err(), "another signer");
    // A key that the folder brings along is an added file, never an authority.
    fs::write(stranger.folder("one").join("evidence.pub.pem"), stranger.public().to_pem()).unwrap();
    assert!(verify(&stranger.folder("one"), place.public(), None).is_err());
}

#[test]
fn a_signature_belongs_to_its_folder() {
    let place = Place::new();
    let first = place.write("one", None);
    place.write("two", Some(first.attestation_sha256));
    let (one, two) = (place.folder("one"), place.folder("two"));
    let (a, b) = (
        fs::read_to_string(one.join(ATTESTATION)).unwrap(),
        fs::read_to_string(two.join(ATTESTATION)).unwrap(),
    );
    let parts = |text: &str| {
        let (payload, signature) = text.split_once("\",\"signatures\"").unwrap();
        (payload.to_owned(), signature.to_owned())
    };
    let swapped = format!("{}\",\"signatures\"{}", parts(&a).0, parts(&b).1);
    fs::write(one.join(ATTESTATION), swapped).unwrap();
    let error = verify(&one, place.public(), None).unwrap_err();
    assert!(matches!(error, VerifyError::Seal { source: drill::attest::SealError::Signature }), "{error:?}");
    fs::write(one.join(ATTESTATION), &b).unwrap();
    assert!(
        matches!(verify(&one, place.public(), None), Err(VerifyError::Changed { .. })),
        "another's attestation"
    );
    fs::write(one.join(ATTESTATION), &a).unwrap();
    verify(&one, place.public(), None).expect("its own");
}

#[test]
fn drills_form_a_chain() {
    let place = Place::new();
    let first = place.write("1", None);
    let second = place.write("2", Some(first.attestation_sha256));
    place.write("3", Some(second.attestation_sha256));
    let chain = |names: &[&str]| {
        let folders: Vec<PathBuf> = names.iter().map(|name| place.folder(name)).collect();
        verify_chain(&folders, place.public()).map(|checked| checked.len())
    };
    assert_eq!(chain(&["1", "2", "3"]).unwrap(), 3);
    assert_eq!(chain(&[]).unwrap(), 0);
    let error = chain(&["1", "3"]).unwrap_err();
    assert!(error.folder.ends_with("3") && matches!(error.source, VerifyError::Chain { .. }), "one left out");
    assert!(chain(&["2", "3"]).is_err(), "the first left out");
    assert!(chain(&["2", "1"]).is_err(), "out of order");
    let known = Some(second.attestation_sha256);
    verify(&place.folder("3"), place.public(), known).expect("the one before is known");
    let error = verify(&place.folder("2"), place.public(), known).unwrap_err();
    assert!(matches!(error, VerifyError::Chain { .. }), "{error}");
}

#[test]
fn evidence_is_never_overwritten_and_failed_drills_are_kept_too() {
    let place = Place::new();
    place.write("one", None);
    let report = judge(&spoiled(|facts| facts.record.exit_code = 1));
    let error = write(&place.folder("one"), &report, &[], &place.key).unwrap_err();
    assert!(matches!(error, evidence::WriteError::Exists { .. }), "{error}");
    assert_eq!(fs::read_dir(place.folder("")).unwrap().count(), 1, "no temporary folder stays");
    fs::create_dir(place.folder("empty")).unwrap();
    write(&place.folder("empty"), &report, &[], &place.key).unwrap();
    let checked = verify(&place.folder("empty"), place.public(), None).unwrap();
    assert_eq!(checked.verdict, model::Verdict::Fail);
}

#[test]
fn what_a_killed_drill_left_is_swept_and_nothing_else() {
    let place = Place::new();
    place.write("one", None);
    fs::create_dir(place.folder(".evidence-0123abcd.tmp")).unwrap();
    fs::write(place.folder(".evidence-0123abcd.tmp").join("report.json"), "{").unwrap();
    fs::write(place.folder("notes.tmp"), "").unwrap();
    assert_eq!(evidence::sweep(&place.folder("")).unwrap(), 1);
    assert_eq!(evidence::sweep(&place.folder("")).unwrap(), 0);
    assert_eq!(fs::read_dir(place.folder("")).unwrap().count(), 2);
}

#[test]
fn a_folders_name_is_safe_whatever_the_scenario_is_called() {
    let check = |scenario: &str, expected: &str| {
        let name = folder_name(passing().now, scenario, [0x3f, 0x9a]);
        assert_eq!(name, format!("20261124T090010Z-{expected}-3f9a"));
    };
    check("github-gone", "github-gone");
    check("All hosts cut", "all-hosts-cut");
    check("../../etc/passwd", "etc-passwd");
    check("Ausfall: Überall!", "ausfall-berall");
    check("\u{0}/", "drill");
    check(&"x".repeat(500), &"x".repeat(40));
}
