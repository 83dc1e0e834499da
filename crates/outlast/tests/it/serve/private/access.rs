//! Who gets what is private: whoever a server lets in, and nobody by the way.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use fakes::{Fault, Upstream};

use super::{
    BASIC, CDN, NPM, OWN_NPM, OWN_PYPI, TOKEN, credentials, installed, nobody_else_heard, npm_install, scene,
};
use crate::serve::{PYPI, Served};
use crate::world::{OUTLAST, World, finish, places};

#[test]
fn what_is_private_is_never_open_to_a_network() {
    let (_upstream, world) = scene();
    let toml = fs::read_to_string(world.own().join("outlast.toml")).unwrap();
    let open = "[serve]\nopen = true\nurl = \"http://outlast.example\"\n";
    world.configure(&format!("{toml}{open}"));
    let refused = world.outlast(&["serve", "--listen", "0.0.0.0:0"]).expect(2);
    let refused = refused.says("what Outlast's credentials are for").says("hint: ");
    assert!(!refused.stderr.contains("S3CRET"));
    // On this machine's own loopback it is; and the control: without credentials it would be elsewhere as well.
    Served::start(&world).end();
    let without: String = toml
        .lines()
        .filter(|line| !line.starts_with("credentials_file"))
        .map(|line| format!("{line}\n"))
        .collect();
    world.configure(&format!("{without}{open}"));
    Served::start_at(&world, "0.0.0.0:0").end();
}

#[test]
fn whoever_has_a_token_gets_archives_wherever_they_lie() {
    let (upstream, world) = scene();
    let token = world.outlast(&["token", "add", "ci", "--scope", "read"]).expect(0).stdout.trim().to_owned();
    let mut served = Served::start(&world);
    served.token = Some(token);
    npm_install(&world, &served).expect(0);
    assert!(installed(&world).contains("'ours'"));
    nobody_else_heard(&upstream);
    // The control: who has none gets nothing, and nothing of it is on the way.
    served.token = Some("outlast_none".to_owned());
    assert_ne!(npm_install(&world, &served).code, 0);
    assert_eq!(served.get(&[], "/npm/@acme%2flib").0, "401");
    served.end();
}

#[test]
fn credentials_are_their_owners_alone_and_no_message_has_them() {
    let (_upstream, world) = scene();
    let file = world.own().join("npm.credentials");
    let status = || world.outlast(&["token", "list"]);
    status().expect(0);
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let refused = status().expect(2).says("by others than its owner").says("chmod 600");
        assert!(refused.stderr.contains("outlast.toml:") && !refused.stderr.contains(TOKEN));
    }
    for line in ["", "S3CRET and more", "S3CRET\nS3CRET"] {
        credentials(&world, "npm.credentials", line);
        let refused = status().expect(2).says("is not one line with credentials");
        assert!(!refused.stderr.contains("S3CRET"), "{}", refused.stderr);
    }
    fs::remove_file(&file).unwrap();
    status().expect(2).says("npm.credentials`: No such file");
}

#[test]
fn new_credentials_are_read_at_a_hangup_and_nothing_that_is_written_has_them() {
    let (upstream, world) = scene();
    upstream.guard(OWN_NPM, "Bearer 0TH3R-T0KEN");
    let served = Served::start(&world);
    let (status, body) = served.get(&[], "/npm/@acme%2flib");
    assert!(status == "503" && body.contains("refuses Outlast's credentials"), "{status} {body}");
    credentials(&world, "npm.credentials", "0TH3R-T0KEN");
    served.signal("HUP");
    let start = Instant::now();
    while served.get(&[], "/npm/@acme%2flib").0 != "200" {
        assert!(start.elapsed() < Duration::from_secs(20), "never let in");
        std::thread::sleep(Duration::from_millis(50));
    }
    served.end();
    let told = world.outlast(&["status"]).expect(0).stdout;
    assert!(told.contains("refuses Outlast's credentials"), "{told}");
    // The home has them in the files that were written for it, and nowhere else.
    for secret in [TOKEN, "0TH3R-T0KEN", BASIC, "S3CRET-W0RD"] {
        let found = finish(
            std::process::Command::new("grep")
                .args(["-rlF", "--exclude=*.credentials", secret])
                .arg(world.own()),
            b"",
        );
        assert_eq!((found.code, found.stdout.as_str()), (1, ""), "{secret}");
    }
}

/// Asks npm's registry for a private name, in a room that asks a server first; returns the status.
fn ask_in_room(world: &World, server: &str) -> String {
    let mut command = world.command(OUTLAST);
    let status = ["-w", "%{http_code}", "-o", "/dev/null"];
    command.args([&["exec", "--via", server, "--", "curl", "-sS"], &status[..]].concat());
    finish(command.arg(format!("https://{NPM}/@acme%2flib")), b"").expect(0).stdout
}

#[test]
fn a_room_tells_a_private_name_to_its_server_alone() {
    let upstream = Upstream::start_blocking();
    let world = World::new();
    world.place(&upstream, &[NPM]);
    let toml = fs::read_to_string(world.own().join("outlast.toml")).unwrap();
    let registry =
        format!("[[registry]]\necosystem = \"npm\"\nurl = \"https://{OWN_NPM}/\"\nnames = [\"@acme/*\"]\n");
    world.configure(&format!("{toml}{registry}"));
    let gone = "http://127.0.0.1:9";
    ask_in_room(&world, gone);
    assert_eq!(upstream.log().len(), 0);
    // The control: what is not private is asked for at its host, once the server gives nothing.
    world.configure(&toml);
    ask_in_room(&world, gone);
    assert_eq!(upstream.log().len(), 1);
}

#[test]
fn a_room_knows_by_its_servers_word_what_is_private_also_when_the_server_is_gone() {
    let (upstream, world) = scene();
    let served = Served::start(&world);
    // The registry of the company hangs: what the server has to fetch takes long, and the public one would answer at once.
    upstream.on(OWN_NPM, "*", Fault::Hang);
    let machine = World::new();
    machine.place(&upstream, &[NPM]);
    assert_eq!(ask_in_room(&machine, &served.base), "503");
    nobody_else_heard(&upstream);
    let base = served.base.clone();
    served.end();
    assert_eq!(ask_in_room(&machine, &base), "503", "and not what somebody else published there");
    nobody_else_heard(&upstream);
    // The control: a machine that the server never told asks whoever has such a name.
    let other = World::new();
    other.place(&upstream, &[NPM]);
    assert_eq!(ask_in_room(&other, &base), "200");
    assert!(upstream.log().iter().any(|seen| seen.host == NPM && seen.path.contains("acme")));
}

#[test]
fn a_room_installs_what_is_private_through_its_server() {
    let (upstream, world) = scene();
    let served = Served::start(&world);
    let machine = World::new();
    machine.configure(&places(
        &[&[NPM, OWN_NPM, OWN_PYPI, CDN], &PYPI[..]].concat(),
        &[("connect", "127.0.0.1:9")],
    ));
    let run = |command: &[&str]| machine.outlast(&[&["exec", "--via", &served.base, "--"], command].concat());
    let pip = ["pip", "download", "--no-cache-dir", "--retries=0", "six", "acme-lib"];
    run(&pip).expect(0);
    let names = fs::read_dir(machine.project()).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> = names.map(|name| name.to_string_lossy().to_lowercase()).collect();
    assert!(names.iter().any(|name| name.starts_with("acme_lib-1.0-")), "{names:?}");
    let npm = ["npm", "install", "left-pad@1.3.0", "@acme/lib", "--fetch-retries=0"];
    run(&npm).expect(0);
    assert!(installed(&machine).contains("'ours'"));
    nobody_else_heard(&upstream);
    served.end();
    // The control: another machine gets nothing without the server.
    let other = World::new();
    other.configure(&fs::read_to_string(machine.own().join("outlast.toml")).unwrap());
    assert_ne!(other.outlast(&[&["exec", "--"], &pip[..]].concat()).code, 0);
}
