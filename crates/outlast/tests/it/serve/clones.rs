//! Many clones of one repository at once, by git's own client, and how often the server's git ran for them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::thread;

use fakes::noise;

use super::Served;
use crate::repositories::Kept;
use crate::world::{Done, finish};

/// What the server may take more than before while eight clients clone `N_LARGE` files.
const MEMORY_KB_MAX: u64 = 32 << 10;
const N_LARGE: u64 = 8;
const LARGE_BYTES: usize = 2 << 20;

/// A server whose git writes down each pack that it makes, and waits with it while a file is there.
struct Scene {
    kept: Kept,
    served: Served,
}

impl Scene {
    fn new(variables: &[(&str, &str)]) -> Self {
        let kept = Kept::new();
        let files: Vec<(String, _)> =
            (0..N_LARGE).map(|n| (format!("large-{n}"), noise(LARGE_BYTES, n))).collect();
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (&**name, &**bytes)).collect();
        kept.repository.commit_bytes("main", "large", &files);
        kept.world.outlast(&["sync"]).expect(0);
        let programs = kept.world.path().join("programs");
        fs::create_dir(&programs).unwrap();
        let script = format!(
            "#!/bin/sh\nPATH=${{PATH#*:}}\ncase \"$*\" in *upload-pack*info-refs*);; *upload-pack*)\n\
             echo run >>{0}/runs\nwhile [ -e {0}/wait ]; do sleep 0.05; done;; esac\nexec git \"$@\"\n",
            programs.display()
        );
        fs::write(programs.join("git"), script).unwrap();
        fs::set_permissions(programs.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
        let path = kept.world.command("git").get_envs().find_map(|(name, value)| {
            let path = value.filter(|_| name == "PATH")?;
            Some(format!("{}:{}", programs.display(), path.display()))
        });
        let served = Served::start_with(&kept.world, "127.0.0.1:0", |command| {
            command.env("PATH", path.unwrap()).envs(variables.iter().copied());
        });
        Self { kept, served }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.kept.world.path().join("programs").join(name)
    }

    fn n_runs(&self) -> usize {
        fs::read_to_string(self.file("runs")).unwrap_or_default().lines().count()
    }

    /// Clones with these words of git's, at the same time; returns how each ended.
    fn clone_all(&self, words: &[&[&str]]) -> Vec<Done> {
        let address = format!("{}/git/forge.example/acme/app.git", self.served.base);
        let clone = |number: usize, words: &[&str]| {
            let folder = format!("clone-{number}");
            let _ = fs::remove_dir_all(self.kept.world.project().join(&folder));
            let mut command = self.kept.world.command("git");
            finish(command.args(words).args(["-q", &address, &folder]), b"")
        };
        thread::scope(|scope| {
            let threads: Vec<_> = words
                .iter()
                .enumerate()
                .map(|(number, words)| scope.spawn(move || clone(number, words)))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    /// Asserts that a clone has everything.
    fn check(&self, number: usize) {
        let git = |arguments: &[&str]| {
            let mut command = self.kept.world.command("git");
            finish(command.args(["-C", &format!("clone-{number}")]).args(arguments), b"").expect(0).stdout
        };
        git(&["fsck", "--full", "--no-progress"]);
        assert_eq!(git(&["log", "--oneline"]).lines().count(), 5);
        let large = fs::read(self.kept.world.project().join(format!("clone-{number}/large-7"))).unwrap();
        assert!(large == noise(LARGE_BYTES, 7));
    }

    /// Returns the most memory that the server had so far, in kB.
    fn most_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.served.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

#[test]
fn clones_at_once_are_one_run_of_git() {
    let scene = Scene::new(&[]);
    scene.clone_all(&[&["clone", "--depth", "2"]]).pop().unwrap().expect(0);
    assert_eq!(scene.n_runs(), 1);
    let before = scene.most_memory();
    for done in scene.clone_all(&[&["clone"][..]; 8]) {
        done.expect(0);
    }
    assert_eq!(scene.n_runs(), 2);
    (0..8).for_each(|number| scene.check(number));
    let more = scene.most_memory() - before;
    assert!(more < MEMORY_KB_MAX, "eight times 16 MB took {more} kB of memory");
    // As pipelines do it; and those that ask for something else get something else.
    let same = scene.clone_all(&[&["clone", "--depth", "1"][..]; 4]);
    same.into_iter().for_each(|done| _ = done.expect(0));
    assert_eq!(scene.n_runs(), 3);
    let zero = ["-c", "protocol.version=0", "clone"];
    let others = [&zero[..], &zero, &["clone", "--filter=blob:none"]];
    scene.clone_all(&others).into_iter().for_each(|done| _ = done.expect(0));
    assert_eq!(scene.n_runs() - 3, 1 + 2, "a partial clone asks twice");
    scene.check(0);
    scene.served.end();
}

#[test]
fn a_full_disk_breaks_no_clone() {
    for point in ["git.answer_written=nospace+", "git.answer_written=nospace@20+"] {
        let scene = Scene::new(&[("OUTLAST_FAILPOINTS", point)]);
        for done in scene.clone_all(&[&["clone"][..]; 3]) {
            done.expect(0);
        }
        (0..3).for_each(|number| scene.check(number));
        let before = scene.n_runs();
        scene.clone_all(&[&["clone"]]).pop().unwrap().expect(0);
        assert_eq!(
            scene.n_runs(),
            before + 1,
            "the control: what did not fit on the disk is not joined later"
        );
        scene.served.end();
    }
}
