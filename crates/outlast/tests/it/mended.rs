//! Repositories whose packs are damaged on the disk.

use std::fs;
use std::path::{Path, PathBuf};

use fakes::Fault;

use crate::repositories::{HOST, Kept};
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
    assert_ne!(restore(&kept, "control").code, 0, "the control");
    kept.upstream.on(HOST, "/*", Fault::Status(502));
    kept.world.outlast(&["store", "verify", "--heal"]).expect(1).says("could not be fetched anew");
    kept.upstream.clear_faults();
    // The packs that are damaged stay so; what was in them is in another one.
    kept.world.outlast(&["store", "verify", "--heal"]).expect(1).says("all that is served of it is here");
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
