//! Many clones of one repository at once, by git's own client, and how often the server's git ran for them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use fakes::noise;

use super::Served;
use crate::libraries;
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

    fn address(&self) -> String {
        format!("{}/git/forge.example/acme/app.git", self.served.base)
    }

    /// Clones with these words of git's.
    fn clone(&self, folder: &str, words: &[&str]) -> Done {
        let address = self.address();
        let _ = fs::remove_dir_all(self.kept.world.project().join(folder));
        let mut command = self.kept.world.command("git");
        finish(command.args(words).args([&address, folder]), b"")
    }

    /// Clones with each of these words at the same time; returns how each ended.
    fn clone_all(&self, words: &[&[&str]]) -> Vec<Done> {
        thread::scope(|scope| {
            let clone =
                |number: usize, words| scope.spawn(move || self.clone(&format!("clone-{number}"), words));
            let threads: Vec<_> =
                words.iter().enumerate().map(|(number, words)| clone(number, words)).collect();
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

#[test]
fn a_client_that_gives_up_in_silence_waits_for_its_turn() {
    let scene = Scene::new(&[]);
    let wait = scene.file("wait");
    fs::write(&wait, "").unwrap();
    let n_cores = thread::available_parallelism().unwrap().get();
    let impatient = ["-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=8", "clone"];
    thread::scope(|scope| {
        for number in 0..n_cores {
            let filter = format!("--filter=blob:limit={number}");
            let scene = &scene;
            let clone = move || scene.clone(&format!("busy-{number}"), &["clone", "-n", &filter]);
            scope.spawn(move || clone().expect(0));
        }
        while scene.n_runs() < n_cores {
            thread::sleep(Duration::from_millis(50));
        }
        let clone = |folder: &'static str, words: &'static [&str]| {
            let words = [&impatient[..], words].concat();
            let scene = &scene;
            scope.spawn(move || scene.clone(folder, &words))
        };
        let [quiet, told] = [clone("clone-0", &["-q"]), clone("clone-1", &["--progress"])];
        // Git alone can begin its answer, so that nothing comes.
        let control = clone("control", &["--depth", "1"]).join().unwrap();
        assert!(control.code != 0 && control.stderr.contains("too slow"), "{}", control.stderr);
        fs::remove_file(&wait).unwrap();
        quiet.join().unwrap().expect(0);
        told.join().unwrap().expect(0).says("remote: the server is busy; waiting for a turn");
    });
    scene.check(0);
    scene.check(1);
    scene.served.end();
}

#[test]
fn clients_of_every_kind_hear_that_they_wait() {
    let clients = [libraries::jgit(), libraries::go_git(), libraries::libgit2()];
    thread::scope(|scope| {
        for client in &clients {
            scope.spawn(|| {
                waits(|scene| {
                    let address = scene.address();
                    client.run(&scene.kept.world, &["clone", &address, "clone-0"])
                })
                .expect(0);
            });
        }
        for version in ["protocol.version=0", "protocol.version=1"] {
            scope.spawn(move || {
                let done = waits(|scene| scene.clone("clone-0", &["-c", version, "clone", "--progress"]));
                done.expect(0).says("remote: the server is busy; waiting for a turn");
            });
        }
    });
}

/// Lets a client clone, whose pack is begun only after it was told for the first time that it waits.
fn waits(clone: impl FnOnce(&Scene) -> Done + Send) -> Done {
    let scene = Scene::new(&[]);
    fs::write(scene.file("wait"), "").unwrap();
    let done = thread::scope(|scope| {
        let cloning = scope.spawn(|| clone(&scene));
        while scene.n_runs() == 0 && !cloning.is_finished() {
            thread::sleep(Duration::from_millis(50));
        }
        thread::sleep(Duration::from_secs(7));
        fs::remove_file(scene.file("wait")).unwrap();
        cloning.join().unwrap()
    });
    scene.check(0);
    scene.served.end();
    done
}
