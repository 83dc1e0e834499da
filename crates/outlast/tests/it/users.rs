//! Nobody in particular: uid 65534 with a home it can write, as in many CI containers; and root where we are it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::process::{Command, Stdio};

use crate::clients::npm_project;
use crate::world::{Done, OUTLAST, World, entries, finish, read_json};

const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Runs Outlast as uid 65534; where we are not root, as ourselves, who are somebody without rights as well.
fn as_nobody(world: &World, arguments: &[&str]) -> Done {
    finish(nobody(world, &[]).args(arguments), b"")
}

/// Returns a command that runs Outlast so, inside of `around`.
fn nobody(world: &World, around: &[&str]) -> Command {
    let binary = world.path().join("bin/outlast");
    if !binary.exists() {
        // The original may lie where only its owner can read.
        fs::create_dir(world.path().join("bin")).unwrap();
        fs::copy(OUTLAST, &binary).unwrap();
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let drop_rights: &[&str] = match is_root() {
        true => &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
        false => &[],
    };
    let words: Vec<&str> =
        around.iter().chain(drop_rights).copied().chain([binary.to_str().unwrap()]).collect();
    let mut command = world.command(words[0]);
    // What lies in root's home cannot be used by others.
    command.args(&words[1..]).env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
    command
}

fn give_to_nobody(world: &World) {
    if !is_root() {
        return;
    }
    let folders = [world.path().to_owned(), world.home(), world.project()];
    for path in folders.iter().cloned().chain(entries(&world.project())) {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

#[test]
fn uid_65534_records_and_drills() {
    let world = npm_project();
    give_to_nobody(&world);
    let script = "npm ci --no-audit && id -u > uid";
    let command = ["sh", "-c", script];
    as_nobody(
        &world,
        &[&["exec", "--fresh", "--require-sealed", "--output", "uid", "--"], &command[..]].concat(),
    )
    .expect(0);
    assert_eq!(world.newest_record()["containment"], "sealed");
    as_nobody(&world, &[&["drill", "--output", "uid", "--"], &command[..]].concat()).expect(0).says("PASS");
    assert_eq!(world.newest_report()["verdict"], "pass");

    as_nobody(&world, &[&["exec", "-q", "--"], &command[..]].concat()).expect(0);
    let uid = fs::read_to_string(world.project().join("uid")).unwrap();
    let own = nix::unistd::geteuid().as_raw();
    assert_eq!(uid.trim(), if is_root() { NOBODY } else { own }.to_string());
}

#[test]
fn the_caller_records_and_drills_and_stays_who_they_are() {
    let world = npm_project();
    let command = ["sh", "-c", "npm ci --no-audit && id -u"];
    let done =
        world.outlast(&[&["exec", "--fresh", "--require-sealed", "--"], &command[..]].concat()).expect(0);
    assert!(done.stdout.ends_with(&format!("{}\n", nix::unistd::geteuid())), "{}", done.stdout);
    world.drill(&command).expect(0);
    let folder = world.evidence().pop().unwrap();
    assert_eq!(read_json(&folder.join("report.json"))["containment"], "sealed");
}

#[test]
fn an_output_that_its_maker_made_unreadable_is_said_to_be_one() {
    let world = World::new();
    give_to_nobody(&world);
    let run = |script: &str| as_nobody(&world, &["exec", "--output", "made", "--", "sh", "-c", script]);
    let done = run("mkdir -m 000 made").expect(125);
    done.says("the command itself ended with exit code 0; its run is not recorded")
        .says("because: the outputs could not be read")
        .says("hint: make the outputs readable");
    assert_eq!(entries(&world.own().join("runs")).len(), 0);
    run("chmod 700 made && echo good > made/a").expect(0);
    assert_eq!(world.newest_record()["outputs"][0]["path"], "made/a");
}

/// As containers do: with something over a part of /proc, the kernel lets nobody inside mount a new one.
const MASKED_PROC: [&str; 6] =
    ["unshare", "--mount", "sh", "-c", "mount --bind /dev/null /proc/keys; exec \"$@\"", "sh"];

#[test]
fn a_container_that_masks_proc_has_rooms() {
    assert!(is_root(), "only root can play a container; hint: run this test as root");
    let world = npm_project();
    give_to_nobody(&world);
    let mut outside = Command::new("setpriv");
    outside
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "sleep", "60"])
        .env("SECRET", "outside");
    outside.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut outside = outside.spawn().unwrap();
    // The controls: a new /proc is refused here, and the secret can be read by who is not in a room.
    let environ = format!("/proc/{}/environ", outside.id());
    let control = format!(
        "! unshare --user --map-root-user --mount --pid --fork mount -t proc proc /proc && grep -q outside {environ}"
    );
    let words = [
        &MASKED_PROC[1..],
        &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", &control],
    ]
    .concat();
    finish(world.command(MASKED_PROC[0]).args(words), b"").expect(0);

    let script = format!("npm ci --no-audit && ! grep -q outside {environ}");
    let command = ["--", "sh", "-c", &script];
    let run = |words: &[&str]| finish(nobody(&world, &MASKED_PROC).args(words).args(command), b"");
    run(&["exec", "--fresh", "--require-sealed"]).expect(0);
    run(&["drill"]).expect(0).says("PASS");
    outside.kill().unwrap();
    outside.wait().unwrap();
}
