//! Debians to run clients in: the machine itself, and later ones in folders that `cargo xtask test` makes.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use fakes::{Answer, Upstream};

use crate::world::{OUTLAST, World, finish, need, texts, tools};

/// Enters a folder as if it were the machine, and runs a command there. It is entered by pivoting, as containers are:
/// in a mere chroot the kernel gives nobody a user namespace, and rooms would be other than they are for users.
const ENTER: &str = r#"set -e
root=$1 world=$2 binary=$3 project=$4
shift 4
mount --bind "$root" "$root"
mount -t tmpfs tmpfs "$root/tmp"
for folder in /dev /proc /sys "$world" "$binary"; do
    mkdir -p "$root$folder"
    mount --rbind "$folder" "$root$folder"
done
for file in /etc/hosts /etc/resolv.conf /etc/ssl/certs/ca-certificates.crt; do
    if [ -e "$file" ]; then
        : >> "$root$file"
        mount --bind "$file" "$root$file"
    fi
done
cd "$root"
pivot_root . .
umount -l .
cd "$project"
exec "$@"
"#;

/// A Debian, and the Composer that it has.
#[derive(Clone, Debug)]
pub(crate) struct Debian {
    /// None for the machine that the tests run on.
    root: Option<PathBuf>,
    /// What `is_composer` must say yes to.
    composer: Composer,
}

#[derive(Clone, Copy, Debug)]
enum Composer {
    Exactly(u32, u32),
    AtLeast(u32, u32),
}

impl Debian {
    /// Returns the machine that the tests run on, Debian 12, with Composer 2.5.
    pub(crate) fn bookworm() -> Self {
        Self { root: None, composer: Composer::Exactly(2, 5) }
    }

    /// Returns Debian 13 with Composer 2.8.
    pub(crate) fn trixie() -> Self {
        Self { root: Some(tools().join("machines/trixie/root")), composer: Composer::Exactly(2, 8) }
    }

    /// Returns Debian's newest suite, which moves, with Composer 2.11 or later.
    pub(crate) fn sid() -> Self {
        Self { root: Some(tools().join("machines/sid/root")), composer: Composer::AtLeast(2, 11) }
    }

    /// Returns whether it is entered, and so has nothing of this machine's clients.
    pub(crate) fn is_entered(&self) -> bool {
        self.root.is_some()
    }

    /// Returns a command that runs a program in this Debian, where it sees a world and the binary under test; the
    /// environment is the caller's to set. Fails the test if the machine was not made.
    #[track_caller]
    pub(crate) fn command(&self, world: &Path, project: &Path, program: &OsStr) -> Command {
        let Some(root) = &self.root else { return Command::new(program) };
        let is_made = root.join("usr/bin/composer").exists();
        assert!(is_made, "no Debian in {}; hint: `cargo xtask test` as root makes it", root.display());
        let binary = Path::new(OUTLAST).parent().unwrap();
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", ENTER, "enter"]);
        command.args([root, world, binary, project]).arg(program);
        command
    }
}

/// Returns the two numbers of `Composer version 2.8.8 2025-04-04 …`.
pub(crate) fn version(said: &str) -> (u32, u32) {
    let line = said.lines().find_map(|line| line.strip_prefix("Composer version "));
    let mut numbers = line.unwrap_or_else(|| panic!("no version: {said}")).split('.');
    let mut next = || numbers.next().unwrap().parse().unwrap();
    (next(), next())
}

/// Checks that the Debian has its Composer, and that a room there keeps what its PHP fetches.
#[track_caller]
fn is_usable(debian: Debian) {
    if !debian.is_entered() {
        need("composer");
    }
    let (wanted, at_least) = match debian.composer {
        Composer::Exactly(major, minor) => ((major, minor), false),
        Composer::AtLeast(major, minor) => ((major, minor), true),
    };
    let world = World::new().on(debian).with("COMPOSER_ALLOW_SUPERUSER", "1");
    let found = version(&world.outlast(&["exec", "--", "composer", "--version"]).expect(0).stdout);
    assert!(found == wanted || at_least && found > wanted, "{found:?} in place of {wanted:?}");
    assert_eq!(world.newest_record()["containment"], "sealed");

    let upstream = Upstream::start_blocking();
    upstream.put("files.example", "/hello", Answer::text("hello"));
    world.place(&upstream, &["files.example"]);
    let url = "https://files.example/hello";
    let fetch = ["php", "-r", "exit(@file_get_contents('https://files.example/hello') === 'hello' ? 0 : 1);"];
    // The control: nobody else knows this host.
    finish(world.command(fetch[0]).args(&fetch[1..]), b"").expect(1);
    world.record(&fetch).expect(0);
    let record = world.newest_record();
    assert_eq!(texts(&record["objects"], "url"), [url], "{record:#}");
    assert_eq!(record["containment"], "sealed");
    world.drill(&fetch).expect(0);
    assert_eq!(upstream.n_asked("files.example", "/hello"), 1);
}

#[test]
fn debian_12_has_composer_2_5() {
    is_usable(Debian::bookworm());
}

#[test]
fn debian_13_has_composer_2_8() {
    is_usable(Debian::trixie());
}

#[test]
fn the_newest_debian_has_composer_2_11() {
    is_usable(Debian::sid());
}

#[test]
#[should_panic(expected = "hint: `cargo xtask test` as root makes it")]
fn without_its_folder_a_debian_fails_the_test() {
    let empty = tempfile::tempdir().unwrap();
    is_usable(Debian { root: Some(empty.path().to_owned()), composer: Composer::AtLeast(2, 0) });
}

#[test]
#[should_panic(expected = "in place of (1, 10)")]
fn another_composer_fails_the_test() {
    is_usable(Debian { root: Debian::trixie().root, composer: Composer::Exactly(1, 10) });
}
