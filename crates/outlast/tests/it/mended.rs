//! Repositories whose packs are damaged on the disk, and those whose history was never sound.

use std::fs;
use std::path::{Path, PathBuf};

use fakes::Fault;

use serde_json::json;

use crate::repositories::{ADDRESS, HOST, Kept};
use crate::world::{Done, finish};

/// Turns a bit in the middle of each pack that is held.
fn damage(kept: &Kept) -> usize {
    let packs = packs(&kept.world.own().join("blobs"));
    for path in &packs {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        // In place: the copy that is served may be the same file.
        let mut permissions = fs::metadata(path).unwrap().permissions();
        #[expect(clippy::permissions_set_readonly_false, reason = "the file is the test's own")]
        permissions.set_readonly(false);
        fs::set_permissions(path, permissions).unwrap();
        fs::write(path, bytes).unwrap();
    }
    packs.len()
}

fn packs(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(packs(&path));
        } else if fs::read(&path).unwrap().starts_with(b"PACK") {
            found.push(path);
        }
    }
    found
}

/// Gives the repository back into a new folder.
fn restore(kept: &Kept, name: &str) -> Done {
    let into = kept.world.path().join(name);
    let done = kept.world.outlast(&["restore", "acme/app", into.to_str().unwrap()]);
    if done.code == 0 {
        finish(kept.world.command("git").args(["-C", into.to_str().unwrap(), "fsck", "--full"]), b"")
            .expect(0);
    }
    done
}

#[test]
fn a_repository_whose_packs_are_damaged_is_fetched_anew() {
    let kept = Kept::new();
    kept.repository.commit("main", "more", &[("b.txt", "more\n")]);
    kept.world.outlast(&["sync"]).expect(0);
    let before = kept.refs(&[]);
    assert_eq!(damage(&kept), 2);
    let found = kept.world.outlast(&["store", "verify"]).expect(1).stdout;
    assert!(found.contains("repo forge.example/acme/app"), "{found}");
    // From now on everybody is told, until it is mended.
    let is_told = || {
        let (doctor, status) = (kept.json(&["doctor"]).to_string(), kept.json(&["status"]));
        let lost = status["cells"].as_array().unwrap().iter().any(|cell| cell["state"] == "lost");
        [doctor.contains("repository_damaged"), lost, status["events"].to_string().contains("\"damaged\"")]
    };
    assert_eq!(is_told(), [true; 3]);
    kept.world.outlast(&["sync"]).expect(1).says("`outlast store verify --heal`");
    assert_ne!(restore(&kept, "control").code, 0, "the control");
    kept.upstream.on(HOST, "/*", Fault::Status(502));
    kept.world.outlast(&["store", "verify", "--heal"]).expect(1).says("could not be fetched anew");
    kept.upstream.clear_faults();
    // The packs that are damaged stay so; what was in them is in another one, and nobody misses them.
    kept.world.outlast(&["store", "verify", "--heal"]).expect(0).says("all that is served of it is here");
    kept.world.outlast(&["store", "verify"]).expect(0).says("2 packs in whose place another is held");
    assert_eq!(is_told(), [false; 3]);
    kept.world.outlast(&["rebuild-index"]).expect(0);
    assert_eq!(is_told(), [false; 3]);
    restore(&kept, "mended").expect(0);
    assert_eq!(kept.refs(&[]), before);
    kept.world.outlast(&["sync"]).expect(0);
    // The copy comes back from what is whole, the upstream's next commits on top.
    fs::remove_dir_all(kept.world.own().join("git")).unwrap();
    restore(&kept, "again").expect(0);
    kept.repository.commit("main", "even more", &[("b.txt", "even more\n")]);
    kept.world.outlast(&["sync"]).expect(0);
    restore(&kept, "newer").expect(0);
}

#[test]
fn a_damaged_pack_that_a_second_copy_has_is_whole_again_and_so_is_what_is_served() {
    let kept = Kept::new();
    let second = kept.world.path().join("second");
    kept.world.outlast(&["store", "copy", second.to_str().unwrap()]).expect(0);
    let settings = fs::read_to_string(kept.world.own().join("outlast.toml")).unwrap();
    kept.world.configure(&format!("{settings}[[copy]]\nto = {:?}\n", second.to_str().unwrap()));
    assert_eq!(damage(&kept), 1);
    assert_ne!(restore(&kept, "control").code, 0, "the control");
    // Nobody else is asked.
    kept.upstream.on(HOST, "/*", Fault::Status(502));
    kept.world.outlast(&["store", "verify", "--heal"]).expect(0).says("is whole again");
    restore(&kept, "healed").expect(0);
    kept.world.outlast(&["store", "verify"]).expect(0);
}

#[test]
fn a_repository_that_git_alone_can_ask_is_fetched_anew_as_well() {
    let kept = Kept::not_yet();
    let noise: String = std::iter::repeat_with(fastrand::alphanumeric).take(200_000).collect();
    kept.repository.commit("main", "large", &[("noise.txt", &noise)]);
    let address = format!("file://{}", kept.repository.folder().display());
    kept.world.outlast(&["adopt", &address]).expect(0);
    damage(&kept);
    // A server packs the same bytes again at times: then the damaged pack is whole again as well.
    let healed = kept.world.outlast(&["store", "verify", "--heal"]);
    assert!(healed.stderr.contains("all that is served of it is here"), "{}", healed.stderr);
    assert_eq!(healed.code, kept.world.outlast(&["store", "verify"]).code, "it says what is so afterwards");
    let into = kept.world.path().join("mended");
    let name = address.trim_start_matches("file:///").trim_end_matches(".git");
    kept.world.outlast(&["restore", &format!("localhost/{name}"), into.to_str().unwrap()]).expect(0);
    assert_eq!(fs::read_to_string(into.join("noise.txt")).unwrap(), noise);
}

#[test]
fn a_copy_that_merged_what_is_damaged_is_what_it_is_mended_from() {
    let kept = Kept::new();
    let superseded = kept.repository.commit("feature", "one", &[("f.txt", "one\n")]);
    kept.world.outlast(&["sync"]).expect(0);
    kept.moves(&["update-ref", "refs/heads/feature", "main"]);
    kept.world.outlast(&["sync"]).expect(0);
    // The copy has its own bytes, as after packs were merged.
    for pack in packs(&kept.world.own().join("git")) {
        let bytes = fs::read(&pack).unwrap();
        fs::remove_file(&pack).unwrap();
        fs::write(&pack, bytes).unwrap();
    }
    assert_eq!(damage(&kept), 2);
    // Nobody is asked, and what no ref upstream reaches any more is here as well.
    kept.upstream.on(HOST, "/*", Fault::Status(502));
    kept.world.outlast(&["store", "verify", "--heal"]).says("all that is served of it is here");
    fs::remove_dir_all(kept.world.own().join("git")).unwrap();
    restore(&kept, "mended").expect(0);
    let copies: Vec<_> = fs::read_dir(kept.world.own().join("git")).unwrap().collect();
    let copy = copies[0].as_ref().unwrap().path();
    let show = ["-C", copy.to_str().unwrap(), "cat-file", "-e", &superseded];
    finish(kept.world.command("git").args(show), b"").expect(0);
}

#[test]
fn a_copy_that_is_damaged_itself_comes_back_when_it_is_looked_at() {
    let kept = Kept::new();
    for entry in fs::read_dir(packs(&kept.world.own().join("git"))[0].parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "idx") {
            fs::remove_file(path).unwrap();
        }
    }
    assert_ne!(restore(&kept, "control").code, 0, "the control");
    kept.world.outlast(&["sync"]).expect(0);
    restore(&kept, "again").expect(0);
}

#[test]
fn what_git_finds_fault_with_in_a_history_is_said_once_and_refused_never() {
    let sound = Kept::new();
    let done = sound.world.outlast(&["sync"]).expect(0);
    assert!(!done.stdout.contains("finds fault"), "the control: {}", done.stdout);
    let kept = Kept::not_yet();
    // An author without an address, as some importers wrote them.
    let folder = kept.repository.folder().to_str().unwrap();
    let git = |arguments: &[&str], input: &str| {
        let done = finish(kept.world.command("git").args(["-C", folder]).args(arguments), input.as_bytes());
        done.expect(0).stdout.trim().to_owned()
    };
    let [tree, main] = ["main^{tree}", "main"].map(|revision| git(&["rev-parse", revision], ""));
    let who = "Nobody 1767225600 +0000";
    let commit = format!("tree {tree}\nparent {main}\nauthor {who}\ncommitter {who}\n\nodd\n");
    let odd = git(&["hash-object", "-w", "--literally", "-t", "commit", "--stdin"], &commit);
    kept.moves(&["update-ref", "refs/heads/main", &odd]);
    kept.world.outlast(&["adopt", ADDRESS]).expect(0);
    let said = |n: usize| {
        let done = kept.world.outlast(&["sync"]).expect(0);
        assert_eq!(
            done.stdout.matches("finds fault with its history").count(),
            n,
            "{} {}",
            done.stdout,
            done.stderr
        );
    };
    said(1);
    said(0);
    assert_eq!(kept.refs(&[])["refs/heads/main"], json!(odd));
    let status = kept.world.outlast(&["status"]).expect(0).stdout;
    assert_eq!(status.matches("finds fault with what came").count(), 1, "{status}");
    fs::remove_dir_all(kept.world.own().join("git")).unwrap();
    said(0);
    said(0);
}
