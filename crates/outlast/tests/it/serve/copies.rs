//! The second copy: it serves when the first is lost, and gives back what the first has lost.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fakes::{Fault, Upstream};

use super::{NPM, Served, as_new, npm_install, package, upstream};
use crate::world::{Done, OUTLAST, World, entries, finish, places};

const FILE: &str = "/left-pad/-/left-pad-1.3.0.tgz";

/// A world whose server has kept one package.
fn kept() -> (Upstream, World) {
    let upstream = upstream();
    let world = World::new();
    world.place(&upstream, &[NPM]);
    let served = Served::start(&world);
    ask_for_all(&served);
    served.end();
    (upstream, world)
}

fn ask_for_all(served: &Served) {
    for path in ["/left-pad", FILE] {
        assert_eq!(served.get(&["-o", "/dev/null"], &format!("/npm{path}")).0, "200", "{path}");
    }
}

/// Returns where the package's archive lies in a home.
fn archive(home: &Path) -> PathBuf {
    blob(home, package().tarball("1.3.0"))
}

fn blob(home: &Path, bytes: &[u8]) -> PathBuf {
    let sha256 = sha256sum(bytes);
    home.join("blobs").join(&sha256[..2]).join(&sha256[2..4]).join(sha256)
}

fn sha256sum(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), bytes).unwrap();
    let done = finish(std::process::Command::new("sha256sum").arg(folder.path().join("file")), b"").expect(0);
    done.stdout[..64].to_owned()
}

fn flip(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[20] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

/// Runs Outlast on another home.
fn at(world: &World, home: &Path, arguments: &[&str]) -> Done {
    finish(world.command(OUTLAST).env("OUTLAST_HOME", home).args(arguments), b"")
}

#[test]
fn what_one_disk_lost_another_one_serves() {
    let (upstream, world) = kept();
    let second = world.path().join("second");
    let to = second.to_str().unwrap();
    let report =
        world.outlast(&["store", "copy", "--json", to]).expect(0).says("is on the home's own disk").json();
    assert_eq!(report[0]["n_blobs"], 2, "{report:#}");
    world.outlast(&["store", "copy", to]).expect(0).says("0 blobs of 0 B were new to it");
    at(&world, &second, &["store", "verify"]).expect(0);

    // Everything else is lost, and the upstream is down.
    std::fs::remove_dir_all(world.own()).unwrap();
    upstream.on(NPM, "/*", Fault::Reset);
    world.place(&upstream, &[NPM]);
    let installs = || {
        as_new(&world);
        let served = Served::start(&world);
        served.paste(&world, "npm, pnpm");
        npm_install(&world)
    };
    assert_ne!(installs().code, 0, "the control: a new home has nothing");
    std::fs::remove_dir_all(world.own()).unwrap();
    std::fs::rename(&second, world.own()).unwrap();
    world.place(&upstream, &[NPM]);
    installs().expect(0);
}

#[test]
fn a_damaged_copy_is_healed_from_the_second_when_it_is_wanted() {
    let (upstream, world) = kept();
    let second = world.path().join("second");
    world.outlast(&["store", "copy", second.to_str().unwrap()]).expect(0);
    upstream.on(NPM, "/*", Fault::Reset);
    let ask = || {
        let served = Served::start(&world);
        served.get(&["-o", "/dev/null"], &format!("/npm{FILE}")).0
    };
    flip(&archive(&world.own()));
    assert_eq!(ask(), "503", "the control: nobody knows of a second copy");
    let toml = std::fs::read_to_string(world.own().join("outlast.toml")).unwrap();
    world.configure(&format!("{toml}[[copy]]\nto = {:?}\n", second.to_str().unwrap()));
    assert_eq!(ask(), "200");
    world.outlast(&["store", "verify"]).expect(0);
    let status = world.outlast(&["status", "--json"]).expect(0).json();
    let healed = status["events"].as_array().unwrap().iter().find(|event| event["kind"] == "healed");
    let detail = healed.unwrap_or_else(|| panic!("{status:#}"))["detail"].as_str().unwrap();
    assert!(detail.contains(second.to_str().unwrap()) && detail.contains(FILE), "{detail}");
}

#[test]
fn verify_heals_from_the_second_copy_or_else_from_upstream() {
    let (upstream, world) = kept();
    flip(&archive(&world.own()));
    world.outlast(&["store", "verify"]).expect(1).says("--heal");
    let healed = world.outlast(&["store", "verify", "--heal", "--json"]).expect(0).json();
    assert_eq!(
        (&healed["healed"][0]["from"], &healed["n_damaged"]),
        (&"upstream".into(), &0.into()),
        "{healed:#}"
    );
    world.outlast(&["store", "verify"]).expect(0);
    let status = world.outlast(&["status"]).expect(0);
    assert!(status.stdout.contains("is whole again from `registry.npmjs.org`"), "{}", status.stdout);

    let second = world.path().join("second");
    world.outlast(&["store", "copy", second.to_str().unwrap()]).expect(0);
    let toml = std::fs::read_to_string(world.own().join("outlast.toml")).unwrap();
    world.configure(&format!("{toml}[[copy]]\nto = {:?}\n", second.to_str().unwrap()));
    upstream.on(NPM, "/*", Fault::Reset);
    std::fs::remove_file(archive(&world.own())).unwrap();
    let healed = world.outlast(&["store", "verify", "--heal"]).expect(0).says("is whole again, from");
    let n_blobs = &world.outlast(&["store", "stat", "--json"]).expect(0).json()["n_blobs"];
    healed.says(&format!("{n_blobs} blobs read back, 1 of them healed, none damaged"));
    // Where neither has it, it stays damaged, and says so.
    flip(&archive(&world.own()));
    flip(&archive(&second));
    world.outlast(&["store", "verify", "--heal"]).expect(1).says("1 blob damaged");
    world.outlast(&["store", "copy", "--verify"]).expect(1).says("which is damaged here");
}

#[test]
fn another_outlast_takes_a_copy_from_whoever_may_and_gives_it_back() {
    let (upstream, world) = kept();
    let other = World::new();
    let token = |scope: &str| other.outlast(&["token", "add", scope, "--scope", scope]).expect(0).stdout;
    let (admin, read) = (token("admin"), token("read"));
    let served = Served::start(&other);
    let copy = |token: &str, arguments: &[&str]| {
        let mut command = world.command(OUTLAST);
        command.args(["store", "copy", "-v"]).args(arguments).arg(&served.base);
        finish(command.env("OUTLAST_TOKEN", token.trim()), b"")
    };
    for token in [read.as_str(), "", "outlast_guessed"] {
        let refused = copy(token, &[]).expect(1).says("--scope admin");
        assert!(!refused.stderr.contains(read.trim()), "{}", refused.stderr);
    }
    assert!(!other.own().join("copies").exists(), "nothing was begun");
    let report = copy(&admin, &["--json"]).expect(0).json();
    assert_eq!(report[0]["n_blobs"], 2, "{report:#}");
    copy(&admin, &[]).expect(0).says("0 blobs of 0 B were new to it");
    let [there] = &*entries(&other.own().join("copies")) else { panic!("one copy") };
    at(&other, there, &["store", "verify"]).expect(0);

    // What is damaged there is mended by whoever looks.
    flip(&archive(there));
    at(&other, there, &["store", "verify"]).expect(1);
    copy(&admin, &["--verify"]).expect(0).says("1 of them in place of damaged ones");
    at(&other, there, &["store", "verify"]).expect(0);

    // And it gives back what is lost here.
    upstream.on(NPM, "/*", Fault::Reset);
    flip(&archive(&world.own()));
    world.outlast(&["store", "verify", "--heal"]).expect(1);
    let toml = std::fs::read_to_string(world.own().join("outlast.toml")).unwrap();
    world.write(&world.own().join("second.token"), &admin);
    world.configure(&format!("{toml}[[copy]]\nto = {:?}\ntoken_file = \"second.token\"\n", served.base));
    world.outlast(&["store", "verify", "--heal"]).expect(0).says(&format!("from `{}`", served.base));
}

#[test]
fn what_is_long_travels_in_parts_and_is_read_back() {
    let (upstream, world) = kept();
    let large = fakes::noise(3 << 20, 1);
    upstream.put("a.example", "/large.tar.gz", fakes::Answer::file(large.clone()));
    world.place(&upstream, &[NPM, "a.example"]);
    let asking = Served::start(&world);
    assert_eq!(asking.get(&["-o", "/dev/null"], "/files/a.example/large.tar.gz").0, "200");
    asking.end();
    let other = World::new();
    let admin = other.outlast(&["token", "add", "admin", "--scope", "admin"]).expect(0).stdout;
    let served = Served::start(&other);
    let copy = |arguments: &[&str]| {
        let mut command = world.command(OUTLAST);
        command.args(["store", "copy"]).args(arguments).arg(&served.base);
        finish(command.env("OUTLAST_TOKEN", admin.trim()), b"").expect(0)
    };
    copy(&[]);
    let [there] = &*entries(&other.own().join("copies")) else { panic!("one copy") };
    let stat = at(&other, there, &["store", "stat", "--json"]).expect(0).json();
    assert!(stat["size_bytes"].as_u64().unwrap() > large.len() as u64, "{stat:#}");
    at(&other, there, &["store", "verify"]).expect(0);
    flip(&blob(there, &large));
    at(&other, there, &["store", "verify"]).expect(1);
    copy(&["--verify"]).says("1 of them in place of damaged ones");
    at(&other, there, &["store", "verify"]).expect(0);
}

#[test]
fn a_server_brings_its_copy_up_to_date_by_itself() {
    let (upstream, world) = kept();
    upstream.put("a.example", "/page", fakes::Answer::text("page"));
    let second = world.path().join("second");
    let to = second.to_str().unwrap();
    world.place(&upstream, &[NPM, "a.example"]);
    let toml = std::fs::read_to_string(world.own().join("outlast.toml")).unwrap();
    world.configure(&format!("{toml}[[copy]]\nto = {to:?}\nevery = \"1s\"\n"));
    let served = Served::start(&world);
    std::thread::sleep(Duration::from_secs(3));
    assert!(!second.exists(), "a disk that is not there is no reason to begin a copy below its mount point");
    world.outlast(&["store", "copy"]).expect(0);
    assert_eq!(served.get(&[], "/files/a.example/page").0, "200");
    let start = Instant::now();
    while at(&world, &second, &["store", "stat", "--json"]).expect(0).json()["n_objects"] != 3 {
        assert!(start.elapsed() < Duration::from_secs(20), "never copied");
        std::thread::sleep(Duration::from_millis(100));
    }
    served.end();
}

#[test]
fn a_place_that_cannot_be_is_refused() {
    let (_upstream, world) = kept();
    world.outlast(&["store", "copy"]).expect(2).says("no second copy is named");
    let inside = world.own().join("second");
    world.outlast(&["store", "copy", inside.to_str().unwrap()]).expect(2).says("lie in each other");
    let home = world.home();
    world.write(&home.join("letter"), "mine");
    world.outlast(&["store", "copy", home.to_str().unwrap()]).expect(1).says("something else in it");
    world.outlast(&["store", "copy", "http://me:secret@127.0.0.1:9"]).expect(2);
    world.outlast(&["store", "copy", "http://127.0.0.1:9"]).expect(1).says("goes on where it was");
    let places = places(&[NPM], &[("connect", "127.0.0.1:9")]);
    world.configure(&format!("{places}[[copy]]\nto = \"http://a.example\"\ntoken_file = \"nowhere\"\n"));
    world.outlast(&["store", "copy"]).expect(2).says("token_file");
}
