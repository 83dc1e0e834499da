//! What would not survive is named, with the command that mends it; and that command does.

mod machine;

use fakes::{Fault, Upstream};
use serde_json::Value;

use crate::world::{Done, OUTLAST, World, finish};

const NPM: &str = "registry.npmjs.org";

/// A project with a lock, whose registry answers.
fn project() -> (Upstream, World) {
    project_in(World::new())
}

/// The same in a world that has something of its own.
fn project_in(world: World) -> (Upstream, World) {
    let upstream = Upstream::start_blocking();
    let package = fakes::npm::package("left-pad", &[("1.3.0", &[])]);
    upstream.put(NPM, "/", fakes::Answer::text("{}"));
    upstream.serve_npm(NPM, std::slice::from_ref(&package));
    let manifest = r#"{ "name": "small", "version": "1.0.0", "dependencies": { "left-pad": "1.3.0" } }"#;
    let lock = package.lock(NPM, "1.3.0");
    let world = world.file("package.json", manifest).file("package-lock.json", &lock);
    world.place(&upstream, &[NPM]);
    world.outlast(&["init"]).expect(0);
    (upstream, world)
}

/// Returns the findings, and asserts that the exit code agrees with them.
fn doctor(world: &World, arguments: &[&str]) -> Vec<Value> {
    let done = world.outlast(&[&["doctor", "--json"], arguments].concat());
    let findings = done.json()["findings"].as_array().unwrap().clone();
    let is_any = |state: &str| findings.iter().any(|finding| finding["state"] == state);
    let expected = match (is_any("lost") || is_any("claimed"), is_any("unknown")) {
        (true, _) => 1,
        (false, true) => 3,
        (false, false) => 0,
    };
    assert_eq!(done.code, expected, "{}", done.stdout);
    findings
}

fn kinds(findings: &[Value]) -> Vec<&str> {
    let mut kinds: Vec<&str> = findings.iter().map(|finding| finding["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    kinds
}

/// Does what a finding says, as a person who pastes it.
fn mend(world: &World, findings: &[Value], kind: &str) -> Done {
    let finding = findings.iter().find(|finding| finding["kind"] == kind);
    let mend = finding.unwrap_or_else(|| panic!("{findings:#?}"))["mend"].as_str().unwrap();
    let folder = std::path::Path::new(OUTLAST).parent().unwrap();
    let script = format!("PATH={}:$PATH; {mend}", folder.display());
    finish(world.command("sh").args(["-ec", &script]), b"")
}

#[test]
fn each_finding_is_mended_by_its_command() {
    let (_upstream, world) = project();
    let findings = doctor(&world, &[]);
    assert_eq!(kinds(&findings), ["no_second_copy", "not_adopted"], "{findings:#?}");
    mend(&world, &findings, "not_adopted").expect(0);
    assert_eq!(kinds(&doctor(&world, &[])), ["no_second_copy"]);

    // The disk of the home is the only one that a test has.
    let second = world.path().join("second");
    world.outlast(&["store", "copy", second.to_str().unwrap()]).expect(0);
    assert_eq!(kinds(&doctor(&world, &[])), ["copy_not_scheduled"]);
    let toml = std::fs::read_to_string(world.own().join("outlast.toml")).unwrap();
    world.configure(&format!("{toml}[[copy]]\nto = {:?}\n", second.to_str().unwrap()));
    assert_eq!(kinds(&doctor(&world, &[])), ["copy_on_same_disk"]);

    world.record(&["npm", "ci", "--no-audit"]).expect(0);
    let findings = doctor(&world, &[]);
    assert_eq!(kinds(&findings), ["copy_behind", "copy_on_same_disk", "never_drilled"], "{findings:#?}");
    mend(&world, &findings, "never_drilled").expect(0);
    mend(&world, &findings, "copy_behind").expect(0);
    assert_eq!(kinds(&doctor(&world, &[])), ["copy_on_same_disk"]);

    // A lock that changes is seen, whoever changed it.
    let lock = std::fs::read_to_string(world.project().join("package-lock.json")).unwrap();
    world.write(&world.project().join("package-lock.json"), lock.replace("1.3.0", "1.4.0"));
    let findings = doctor(&world, &["."]);
    assert!(kinds(&findings).contains(&"not_adopted"), "{findings:#?}");
}

#[test]
fn what_is_damaged_out_of_reach_or_too_old_is_named() {
    let (upstream, world) = project();
    world.outlast(&["adopt", "."]).expect(0);
    world.record(&["npm", "ci", "--no-audit"]).expect(0);
    world.drill(&["npm", "ci", "--no-audit"]).expect(0);
    let toml = std::fs::read_to_string(world.own().join("outlast.toml")).unwrap();
    let away = "[limits]\nproved_for = \"1ms\"\n[[copy]]\nto = \"/nowhere/at/all\"\n";
    world.configure(&format!("{toml}{away}"));
    let findings = doctor(&world, &[]);
    assert_eq!(kinds(&findings), ["copy_not_reached", "drill_too_old"], "{findings:#?}");
    world.configure(&toml);

    let blobs = crate::world::entries(&world.own().join("blobs"));
    let blob = blobs
        .iter()
        .flat_map(|folder| crate::world::entries(folder))
        .flat_map(|folder| crate::world::entries(&folder));
    for file in blob {
        std::fs::write(&file, "flipped").unwrap();
    }
    upstream.on(NPM, "/*", Fault::Reset);
    let findings = doctor(&world, &["."]);
    assert!(kinds(&findings).contains(&"not_adopted"), "the bytes are read back: {findings:#?}");
    let findings = doctor(&world, &["."]);
    assert!(kinds(&findings).contains(&"damaged"), "{findings:#?}");
}

#[test]
fn a_certificate_that_is_not_trusted_and_a_host_that_is_silent_are_told_apart() {
    let (upstream, world) = project();
    world.outlast(&["adopt", "."]).expect(0);
    let silent = doctor(&world, &["--via", "http://127.0.0.1:9"]);
    assert_eq!(kinds(&silent), ["no_second_copy", "not_reached", "server_not_proved"], "{silent:#?}");
    let address = upstream.tls_address().to_string();
    world.configure(&crate::world::places(&[NPM], &[("connect", &address)]));
    let findings = doctor(&world, &[]);
    assert!(kinds(&findings).contains(&"certificate"), "{findings:#?}");
}

#[test]
fn status_has_a_row_for_what_was_adopted() {
    let (upstream, world) = project();
    upstream.on(NPM, "/left-pad/-/*", Fault::Status(404));
    world.outlast(&["adopt", "."]).expect(1);
    let cell = |state: &str| {
        let status = world.outlast(&["status", "--json"]).expect(0).json();
        let cells = status["cells"].as_array().unwrap().clone();
        let [cell] = &*cells else { panic!("{status:#}") };
        assert_eq!(
            (&cell["what"], &cell["vanished"], &cell["state"]),
            (&"locks".into(), &"all".into(), &state.into())
        );
    };
    cell("lost");
    upstream.clear_faults();
    world.outlast(&["adopt", "."]).expect(0);
    cell("claimed");
    let n_lines = || {
        std::fs::read_to_string(world.own().join("journal/current.jsonl"))
            .unwrap()
            .matches("\"adopted\"")
            .count()
    };
    let n_before = n_lines();
    world.outlast(&["adopt", "."]).expect(0);
    assert_eq!(n_lines(), n_before, "what is no news is not written down again");
}
