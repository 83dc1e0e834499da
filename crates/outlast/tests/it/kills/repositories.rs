//! `kill -9` at every step of taking a repository in: the next sync goes on by itself, and nothing is lost.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::repositories::Kept;
use crate::world::{OUTLAST, finish};

pub(super) const KILLED: i32 = -9;

fn git(kept: &Kept, folder: &Path, arguments: &[&str]) -> String {
    let mut command = kept.world.command("git");
    finish(command.arg("-C").arg(folder).args(arguments), b"").expect(0).stdout
}

pub(super) fn commits(kept: &Kept, folder: &Path) -> BTreeSet<String> {
    git(kept, folder, &["rev-list", "--all"]).lines().map(str::to_owned).collect()
}

pub(super) fn copy(kept: &Kept) -> std::path::PathBuf {
    kept.world.own().join("git/forge.example%2Facme%2Fapp.git")
}

/// Asserts that journal, refs and packs say the same, and that nothing lies about.
pub(super) fn is_whole(kept: &Kept, point: &str) {
    let served = git(
        kept,
        &copy(kept),
        &["for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags"],
    );
    let refs = kept.refs(&[]);
    let told: String = refs
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| *name != "HEAD")
        // Behind `^` is what a tag is of.
        .map(|(name, target)| (name, target.as_str().unwrap().split('^').next().unwrap()))
        .map(|(name, id)| format!("{name} {id}\n"))
        .collect();
    assert_eq!(served, told, "{point}");
    git(kept, &copy(kept), &["fsck", "--full", "--strict"]);
    kept.world.outlast(&["store", "verify"]).expect(0);
    let left = |entry: &fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with("incoming-") || name.ends_with(".new") || name.starts_with("tmp_")
    };
    for folder in [copy(kept), copy(kept).join("objects/pack")] {
        let left: Vec<_> = fs::read_dir(folder).unwrap().map(Result::unwrap).filter(left).collect();
        assert!(left.is_empty(), "{point}: {left:?}");
    }
}

#[test]
fn packs_are_merged_whenever_that_is_killed() {
    for point in mirror::MAINTENANCE_POINTS {
        let kept = Kept::not_yet();
        kept.repository.commit_bytes("large", "large", &[("large", &fakes::noise(2 << 20, 1))]);
        kept.world.outlast(&["adopt", crate::repositories::ADDRESS]).expect(0);
        let before = commits(&kept, &copy(&kept));
        let mut sync = kept.world.command(OUTLAST);
        let done = finish(sync.env("OUTLAST_FAILPOINTS", format!("{point}=kill")).arg("sync"), b"");
        assert_eq!(done.code, KILLED, "{point} is not passed: {}", done.stderr);
        kept.world.outlast(&["sync"]).expect(0);
        is_whole(&kept, point);
        assert_eq!(commits(&kept, &copy(&kept)), before, "{point}");
        assert!(copy(&kept).join("objects/pack/multi-pack-index").exists(), "{point}");
    }
}

#[test]
fn a_repository_is_taken_in_whole_whenever_it_is_killed() {
    for point in mirror::FAILURE_POINTS {
        let kept = Kept::not_yet();
        let kill = format!("{point}=kill");
        let killed = |arguments: &[&str]| {
            let mut command = kept.world.command(OUTLAST);
            let done = finish(command.env("OUTLAST_FAILPOINTS", &kill).args(arguments), b"");
            assert_eq!(done.code, KILLED, "{point} is not passed: {}", done.stderr);
        };
        // The first time.
        killed(&["adopt", crate::repositories::ADDRESS]);
        kept.world.outlast(&["sync"]).expect(0);
        is_whole(&kept, point);
        // Packs and journal have all of it.
        fs::remove_dir_all(copy(&kept)).unwrap();
        kept.world.outlast(&["sync"]).expect(0);
        is_whole(&kept, point);
        assert_eq!(commits(&kept, &copy(&kept)), commits(&kept, kept.repository.folder()), "{point}");

        // One branch goes on, one tag is moved, and one branch is new.
        let before = commits(&kept, &copy(&kept));
        kept.repository.commit("main", "goes on", &[("a.txt", "more\n")]);
        kept.moves(&["tag", "-f", "v1", "main~3"]);
        kept.repository.commit("new", "new", &[("n.txt", "n\n")]);
        killed(&["sync"]);
        kept.world.outlast(&["sync"]).expect(0);
        is_whole(&kept, point);
        fs::remove_dir_all(copy(&kept)).unwrap();
        kept.world.outlast(&["sync"]).expect(0);
        is_whole(&kept, point);
        let after = commits(&kept, &copy(&kept));
        assert!(
            after.is_superset(&before) && after.is_superset(&commits(&kept, kept.repository.folder())),
            "{point}"
        );
        assert_eq!(kept.json(&["holds"]).as_array().unwrap().len(), 1, "{point}");
    }
}
