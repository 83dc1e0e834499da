//! Who has a token is let in, with each real client, and nobody else.

use std::time::{Duration, Instant};

use fakes::Upstream;

use super::{CARGO, NPM, PYPI, Served, as_new, cargo_build, npm_install, package, pip_download};
use crate::world::{OUTLAST, World, finish};

/// A world whose server wants tokens, and one token.
fn guarded() -> (Upstream, World, Served, String) {
    let upstream = Upstream::start_blocking();
    upstream.serve_npm(NPM, &[package()]);
    upstream.serve_cargo(CARGO[0], CARGO[1], &[fakes::cargo::crate_("hello", "1.0.0")]);
    upstream.serve_pypi(&[fakes::pypi::project("six").release("1.16.0", &[])]);
    let world = World::new();
    world.place(&upstream, &[&[NPM][..], &CARGO[..], &PYPI[..]].concat());
    let token = world.outlast(&["token", "add", "ci", "--scope", "read"]).expect(0).stdout.trim().to_owned();
    let mut served = Served::start(&world);
    served.token = Some(token.clone());
    (upstream, world, served, token)
}

#[test]
fn each_client_gets_in_with_a_token_and_none_without() {
    let (_upstream, world, mut served, token) = guarded();
    let install = |served: &Served| {
        as_new(&world);
        served.paste(&world, "npm, pnpm");
        npm_install(&world)
    };
    install(&served).expect(0);
    cargo_build(&world, &served).expect(0);
    pip_download(&world, &served).expect(0);
    as_new(&world);
    let via = |token: &str| {
        let mut command = world.command(OUTLAST);
        command.args(["exec", "--fresh", "--cut", "all", "--via", &served.base, "--"]);
        command.args(["sh", "-c", "curl -fsS -o /dev/null https://registry.npmjs.org/left-pad && env"]);
        finish(command.env("OUTLAST_TOKEN", token), b"")
    };
    let seen = via(&token).expect(0).stdout;
    assert!(!seen.contains(&token) && seen.contains("HOME="), "the command sees no token: {seen}");
    // The control: the same without, and with another token.
    let other = format!("outlast_{}", "A".repeat(43));
    let empty = World::new();
    let mut command = empty.command(OUTLAST);
    command.args([
        "exec",
        "--cut",
        "all",
        "--via",
        &served.base,
        "--",
        "curl",
        "-fsS",
        "https://registry.npmjs.org/left-pad",
    ]);
    assert_ne!(finish(command.env("OUTLAST_TOKEN", &other), b"").code, 0);
    served.token = Some(other);
    assert_ne!(install(&served).code, 0);
    assert_ne!(cargo_build(&world, &served).code, 0);
    assert_ne!(pip_download(&world, &served).code, 0);
    // What the home keeps lets nobody in: a copy of it is a copy of the token otherwise.
    let found = finish(std::process::Command::new("grep").args(["-rlF", &token]).arg(world.own()), b"");
    assert_eq!((found.code, found.stdout.as_str()), (1, ""));
}

#[test]
fn a_token_that_was_revoked_is_refused_at_once_and_pages_that_say_nothing_stay_open() {
    let (_upstream, world, served, token) = guarded();
    let bearer = format!("Authorization: Bearer {token}");
    let with = |path: &str| served.get(&["-H", &bearer], path).0;
    let without = |path: &str| served.get(&[], path).0;
    assert_eq!((with("/npm/left-pad"), without("/npm/left-pad")), ("200".to_owned(), "401".to_owned()));
    assert_eq!((with("/metrics"), without("/metrics")), ("200".to_owned(), "401".to_owned()));
    for path in ["/healthz", "/readyz", "/setup"] {
        assert_eq!(without(path), "200", "{path}");
    }
    assert_eq!(served.get(&["-u", &format!("kim:{token}")], "/npm/left-pad").0, "200");
    assert_eq!(served.get(&["-H", &bearer, "-H", &bearer], "/npm/left-pad").0, "401", "one is enough");
    let (_, setup) = served.get(&[], "/setup");
    assert!(setup.contains("TOKEN") && !setup.contains(&token));

    assert!(world.outlast(&["token", "list"]).expect(0).stdout.starts_with("ci "));
    world.outlast(&["token", "add", "ci", "--scope", "admin"]).expect(2).says("already");
    world.outlast(&["token", "revoke", "nobody"]).expect(1);
    world.outlast(&["token", "revoke", "ci"]).expect(0);
    let start = Instant::now();
    while with("/npm/left-pad") == "200" {
        assert!(start.elapsed() < Duration::from_secs(5), "it is still let in");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(without("/npm/left-pad"), "401", "no token is no open door");
}

#[test]
fn what_can_be_no_token_is_a_mistake_and_never_left_out() {
    let (_upstream, world, served, token) = guarded();
    let run = |token: &str, arguments: &[&str]| {
        let mut command = world.command(OUTLAST);
        finish(command.args(arguments).env("OUTLAST_TOKEN", token), b"")
    };
    let (broken, via) = (format!("{}\n{}", &token[..20], &token[20..]), &*served.base);
    let exec = ["exec", "--via", via, "--", "true"];
    for arguments in [
        &exec[..],
        &["drill", "--via", via, "--", "true"],
        &["adopt", "--via", via, "https://registry.npmjs.org/left-pad/-/left-pad-1.3.0.tgz"],
        &["doctor", "--via", via],
        &["store", "copy", via],
    ] {
        let refused =
            run(&broken, arguments).expect(2).says("OUTLAST_TOKEN").says("hint: write the token alone");
        assert!(!refused.stderr.contains(&token[..20]), "{}", refused.stderr);
    }
    // The line break with which a file ends is none of the token's, and who asks no server needs none.
    run(&format!("{token}\n"), &exec).expect(0);
    run(&broken, &["exec", "--", "true"]).expect(0);
    run(&broken, &["store", "copy", world.path().join("second").to_str().unwrap()]).expect(0);
    let toml = std::fs::read_to_string(world.own().join("outlast.toml")).unwrap();
    world.configure(&format!("{toml}[[copy]]\nto = {via:?}\ntoken_file = \"second.token\"\n"));
    for text in [&*broken, "", "\n"] {
        world.write(&world.own().join("second.token"), text);
        run(&token, &["store", "copy"]).expect(2).says("second.token").says("hint: write the token alone");
    }
    world.write(&world.own().join("second.token"), format!("{token}\n"));
    run(&broken, &["store", "copy", via]).expect(1).says("--scope admin");
}

#[test]
fn a_server_for_others_begins_with_a_token() {
    let world = World::new();
    world.configure("[serve]\nurl = \"http://127.0.0.1:9\"\n");
    world.outlast(&["serve", "--listen", "0.0.0.0:0"]).expect(2).says("outlast token add");
    world.outlast(&["token", "add", "ci", "--scope", "read"]).expect(0);
    drop(Served::start_at(&world, "0.0.0.0:0"));
}
