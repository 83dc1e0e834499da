//! What `/setup` says to paste is undone by what it says to paste afterwards, and by nothing that a person has to do by hand.

use fakes::Upstream;

use super::{CARGO, NPM, Served, as_new, package};
use crate::world::{World, finish};

/// What a person had in Cargo's settings before.
const OWN: &str = "[net]\nretry = 0\n\n# mine\n[term]\nverbose = false\n";

#[test]
fn what_was_pasted_for_cargo_is_taken_out_again_and_nothing_else() {
    let upstream = Upstream::start_blocking();
    upstream.serve_cargo(CARGO[0], CARGO[1], &[fakes::cargo::crate_("hello", "1.0.0")]);
    let world = World::new();
    world.place(&upstream, &CARGO);
    let mut served = Served::start(&world);
    let settings = world.home().join(".cargo/config.toml");
    let read = || std::fs::read_to_string(&settings).unwrap();
    let fetch = || {
        let _ = std::fs::remove_dir_all(world.home().join(".cargo/registry"));
        let mut command = world.command("timeout");
        command.args(["-s", "KILL", "20", "cargo", "fetch"]);
        // Without the server nothing is reached.
        command.env("https_proxy", "http://127.0.0.1:9").env("no_proxy", "127.0.0.1");
        finish(&mut command, b"").code
    };
    for token in [None, Some("kim")] {
        as_new(&world);
        let manifest = "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\nhello = \"1\"\n";
        world.write(&world.project().join("Cargo.toml"), manifest);
        world.write(&world.project().join("src/main.rs"), "fn main() {}\n");
        world.write(&settings, OWN);
        if let Some(name) = token {
            served.end();
            let said = world.outlast(&["token", "add", name, "--scope", "read"]).expect(0).stdout;
            served = Served::start(&world);
            served.token = Some(said.trim().to_owned());
        }
        served.paste(&world, "Cargo");
        assert_ne!(read(), OWN);
        assert_eq!(fetch(), 0, "{token:?}");
        served.undo(&world, "Cargo");
        assert_eq!(read(), OWN, "{token:?}");
        assert_ne!(fetch(), 0, "the control: nothing leads to the server any more");
        // Pasted twice, it is undone at once.
        served.paste(&world, "Cargo");
        served.undo(&world, "Cargo");
        assert_eq!(read(), OWN, "{token:?}");
        served.undo(&world, "Cargo");
        assert_eq!(read(), OWN, "what is not there is not taken out");
    }
    let left = std::fs::read_dir(settings.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!left.into_iter().any(|name| name.to_string_lossy().ends_with(".before")));
}

#[test]
fn every_undo_is_a_command() {
    let upstream = Upstream::start_blocking();
    upstream.serve_npm(NPM, &[package()]);
    let world = World::new();
    world.place(&upstream, &[NPM]);
    let served = Served::start_as_proxy(&world, "127.0.0.1:0");
    let page = served.get(&[], "/setup").1;
    let clients: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert!(clients.len() > 10, "{clients:?}");
    for client in clients {
        let (_, undo) = served.settings(client);
        let undo = undo.split("\n# ").next().unwrap();
        let mut lines = undo.lines().filter(|line| !line.is_empty()).peekable();
        assert!(lines.peek().is_some(), "{client} has none");
        assert!(lines.all(|line| !line.starts_with('#')), "{client}: {undo}");
    }
    served.end();
}
