//! Packs that are indexed in this process, and those that are left to git.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use fakes::git::Repository;
use git::{Bare, Git, PackError};
use tempfile::TempDir;

/// An object of this many bytes is not held whole.
const LARGE: usize = (16 << 20) + 1;

/// An upstream, and a copy without anything in it.
struct Scene {
    folder: TempDir,
    upstream: Repository,
    copy: Bare,
    format: &'static str,
}

impl Scene {
    fn new(format: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let upstream = folder.path().join("upstream.git");
        let upstream = Repository::create(&upstream);
        let copy =
            Bare::lock(&Git::new("/usr/local/bin:/usr/bin:/bin"), &folder.path().join("copy.git")).unwrap();
        copy.lay_out(format).unwrap();
        Self { folder, upstream, copy, format }
    }

    /// Writes what `pack-objects --revs` makes of revisions.
    fn packed(&self, revisions: &str, options: &[&str]) -> PathBuf {
        let path = self.folder.path().join("received");
        let asked = self.folder.path().join("asked");
        fs::write(&asked, revisions).unwrap();
        let mut command = git(self.upstream.folder());
        command.args(["pack-objects", "--revs", "--stdout", "--quiet", "--delta-base-offset"]).args(options);
        let status = command.stdin(File::open(asked).unwrap()).stdout(File::create(&path).unwrap()).status();
        assert!(status.unwrap().success());
        path
    }

    fn take_whole(&self, pack: &Path) -> Result<(), PackError> {
        let incoming = self.copy.incoming().unwrap();
        let link = |to: &Path| fs::copy(pack, to).map(drop);
        incoming.index_whole(&File::open(pack).unwrap(), link, self.format)?;
        incoming.take_in().unwrap();
        Ok(())
    }

    fn take_thin(&self, pack: &Path) -> Result<(), PackError> {
        let incoming = self.copy.incoming().unwrap();
        incoming.index_thin(File::open(pack).unwrap(), self.format)?;
        incoming.take_in().unwrap();
        Ok(())
    }

    /// Returns the files of a kind beside the copy's packs.
    fn files(&self, extension: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.copy.folder().join("objects/pack")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_some_and(|it| it == extension)).collect()
    }

    /// Returns what git says of every object of the copy.
    fn verified(&self) -> Output {
        git(self.copy.folder()).args(["fsck", "--full", "--no-dangling"]).output().unwrap()
    }
}

fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("GIT_CONFIG_NOSYSTEM", "1");
    command.env("HOME", "/nonexistent").current_dir(folder);
    command
}

/// Returns the ids of all objects that revisions reach, sorted.
fn reached(folder: &Path, revisions: &[&str]) -> Vec<String> {
    let output =
        git(folder).args(["rev-list", "--objects", "--no-object-names"]).args(revisions).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut ids: Vec<_> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    ids.sort_unstable();
    ids
}

/// Returns the ids of all objects of a repository, sorted.
fn held(folder: &Path) -> Vec<String> {
    let arguments = ["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"];
    let output = git(folder).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_whole_pack_has_the_index_that_git_makes() {
    let scene = Scene::new("sha1");
    scene.upstream.grow(1, 300);
    let pack = scene.packed("", &["--all"]);
    scene.take_whole(&pack).unwrap();
    let other = scene.folder.path().join("other.idx");
    let made = git(scene.folder.path()).arg("index-pack").arg("-o").arg(&other).arg(&pack).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    assert_eq!(fs::read(&scene.files("idx")[0]).unwrap(), fs::read(other).unwrap());
    assert_eq!(held(scene.copy.folder()), reached(scene.upstream.folder(), &["--all"]));
    assert!(scene.files("rev").is_empty(), "git writes one, so it was not asked");
}

#[test]
fn a_thin_pack_is_made_whole_with_what_it_builds_on() {
    let scene = Scene::new("sha1");
    scene.upstream.grow(1, 100);
    let before = reached(scene.upstream.folder(), &["main"]);
    let pack = scene.packed("main\n", &[]);
    scene.take_whole(&pack).unwrap();
    let old =
        String::from_utf8(git(scene.upstream.folder()).args(["rev-parse", "main"]).output().unwrap().stdout);
    scene.upstream.grow(2, 100);
    let thin = scene.packed(&format!("main\n^{}\n", old.unwrap().trim()), &["--thin"]);
    // The control: on its own it is none.
    let alone = Scene::new("sha1");
    assert!(matches!(alone.take_thin(&thin), Err(PackError::Bad { .. })));
    scene.take_thin(&thin).unwrap();
    let after = reached(scene.upstream.folder(), &["main"]);
    assert!(after.len() > before.len());
    assert_eq!(held(scene.copy.folder()), after);
    assert!(scene.files("rev").is_empty() && scene.files("keep").is_empty(), "git was not asked");
    let verified = scene.verified();
    assert!(verified.status.success(), "{verified:?}");
}

#[test]
fn an_object_too_large_to_be_held_is_left_to_git() {
    let mut noise = vec![0; LARGE];
    fastrand::Rng::with_seed(1).fill(&mut noise);
    for large in [vec![0; LARGE], noise] {
        let scene = Scene::new("sha1");
        scene.upstream.commit_bytes("main", "large", &[("large", &large)]);
        let pack = scene.packed("main\n", &[]);
        scene.take_whole(&pack).unwrap();
        assert_eq!(held(scene.copy.folder()), reached(scene.upstream.folder(), &["main"]));
        assert_eq!((scene.files("idx").len(), scene.files("rev").len()), (1, 1));
    }
}

#[test]
fn deltas_that_build_on_too_many_others_are_left_to_git() {
    for (depth, n_by_git) in [("50", 0), ("60", 1)] {
        let scene = Scene::new("sha1");
        // One blob after the other, each as a delta of the one before, as far as that goes.
        let (mut stream, mut text) = (String::new(), "a line of a file that grows\n".repeat(40));
        for n in 1..=100 {
            text.push_str(&format!("line {n}\n"));
            stream.push_str(&format!("commit refs/heads/main\ncommitter a <a@b.c> {n} +0000\ndata 0\n"));
            stream.push_str(&format!("M 100644 inline a.txt\ndata {}\n{text}\n", text.len()));
        }
        let path = scene.folder.path().join("stream");
        fs::write(&path, stream).unwrap();
        let mut import = git(scene.upstream.folder());
        import.args([
            "-c",
            "fastimport.unpackLimit=1",
            "fast-import",
            "--quiet",
            &format!("--depth={depth}"),
        ]);
        assert!(import.stdin(File::open(path).unwrap()).status().unwrap().success());
        scene.take_whole(&scene.packed("main\n", &["--depth=4000"])).unwrap();
        assert_eq!(held(scene.copy.folder()), reached(scene.upstream.folder(), &["main"]));
        assert_eq!(scene.files("rev").len(), n_by_git, "depth {depth}");
    }
}

#[test]
fn no_damage_gives_an_index() {
    let scene = Scene::new("sha1");
    scene.upstream.grow(3, 20);
    let good = fs::read(scene.packed("", &["--all"])).unwrap();
    for seed in 0..120 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bad = good.clone();
        match random.u8(..4) {
            0 => bad.truncate(random.usize(..good.len())),
            1 => bad.extend_from_slice(&good[..random.usize(1..good.len())]),
            2 => drop(bad.splice(random.usize(..good.len())..good.len(), [0; 40])),
            _ => bad[random.usize(..good.len())] ^= 1 << random.u8(..8),
        }
        let path = scene.folder.path().join("bad");
        fs::write(&path, &bad).unwrap();
        let taken = scene.take_whole(&path);
        assert!(matches!(taken, Err(PackError::Bad { .. })), "seed {seed}: {taken:?}");
        assert!(matches!(scene.take_thin(&path), Err(PackError::Bad { .. })), "seed {seed}");
        assert!(scene.files("idx").is_empty() && scene.files("pack").is_empty(), "seed {seed}");
    }
}

#[test]
fn the_commits_of_a_pack_that_broke_off_are_known_as_far_as_it_came() {
    let scene = Scene::new("sha1");
    scene.upstream.grow(1, 200);
    let path = scene.packed("", &["--all"]);
    let whole = fs::read(&path).unwrap();
    let known = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        git::commits(File::open(&path).unwrap(), "sha1")
    };
    let all = known(&whole);
    let parents = git(scene.upstream.folder()).args(["rev-list", "--parents", "--all"]).output().unwrap();
    let parents = String::from_utf8(parents.stdout).unwrap();
    for commit in &all {
        let ids = [&[commit.id][..], &commit.parents].concat();
        let line = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        assert!(parents.lines().any(|it| it == line), "{line}");
    }
    assert!(all.len() > 190, "few are packed as a difference: {}", all.len());
    let mut lengths = Vec::new();
    for part in 0..8 {
        let some = known(&whole[..whole.len() * part / 20]);
        assert_eq!(some[..], all[..some.len()], "{part}");
        lengths.push(some.len());
    }
    assert!(lengths.is_sorted() && lengths[0] == 0 && lengths[1] > 0, "{lengths:?}");
    let damaged: Vec<u8> =
        whole.iter().enumerate().map(|(n, byte)| byte ^ u8::from(n % 1000 == 999)).collect();
    let some = known(&damaged);
    assert!(some.len() < all.len() && some.iter().all(|commit| all.contains(commit)));
    assert!(known(b"<html>").is_empty());
}

#[test]
fn what_is_wrong_in_an_object_is_no_damage_of_its_pack() {
    let scene = Scene::new("sha1");
    scene.upstream.grow(1, 20);
    let folder = scene.upstream.folder();
    let asked = |arguments: &[&str]| {
        let output = git(folder).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let text = scene.folder.path().join("commit");
    let who = "Nobody 1767225600 +0000";
    let tree = asked(&["rev-parse", "main^{tree}"]);
    fs::write(&text, format!("tree {tree}\nauthor {who}\ncommitter {who}\n\nodd\n")).unwrap();
    let odd = asked(&["hash-object", "-w", "--literally", "-t", "commit", text.to_str().unwrap()]);
    scene.take_whole(&scene.packed(&odd, &[])).unwrap();
    let id: model::ObjectId = odd.parse().unwrap();
    let refs = [("refs/heads/main".parse().unwrap(), model::Target::Object { id, peeled: None })]
        .into_iter()
        .collect();
    scene.copy.write_refs(&refs, &Default::default()).unwrap();
    let flaws = scene.copy.check().unwrap();
    assert!(flaws.len() == 1 && flaws[0].contains("missingEmail"), "{flaws:?}");
    // With damage besides, that is what it is about.
    let pack = &scene.files("pack")[0];
    let mut bytes = fs::read(pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(pack).unwrap();
    fs::write(pack, bytes).unwrap();
    assert!(scene.copy.check().is_err());
}
