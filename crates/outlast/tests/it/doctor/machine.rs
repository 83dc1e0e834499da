//! What is wrong with the machine itself, or soon will be: its disk, its clock, its rooms, and certificates that end.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use super::{NPM, doctor, kinds, project_in};
use crate::dated::Dated;
use crate::kills::full::{Disk, FILLER, apart};
use crate::observed;
use crate::serve::Served;
use crate::world::World;

const DAY: Duration = Duration::from_secs(86_400);

/// Returns the one finding of a kind, and asserts that it says what to do.
#[track_caller]
fn found<'a>(findings: &'a [Value], kind: &str) -> &'a Value {
    let all: Vec<&Value> = findings.iter().filter(|finding| finding["kind"] == kind).collect();
    let [one] = &*all else { panic!("{kind}: {findings:#?}") };
    assert!(!one["mend"].as_str().unwrap().is_empty(), "{one:#}");
    one
}

#[test]
fn a_disk_that_is_nearly_full_is_named() {
    apart("doctor::machine::a_disk_that_is_nearly_full_is_named", || {
        let world = World::new();
        let disk = Disk::of(&world);
        let (_upstream, world) = project_in(world);
        assert!(!kinds(&doctor(&world, &[])).contains(&"disk_full"), "the control: there is space");
        // 44 of 64 MB: less than half of it is free.
        fs::write(world.own().join(FILLER), vec![0; 44 << 20]).unwrap();
        let findings = doctor(&world, &[]);
        let finding = found(&findings, "disk_full");
        assert_eq!(
            (&finding["state"], &finding["subject"]),
            (&"lost".into(), &world.own().to_str().unwrap().into())
        );
        assert!(finding["mend"].as_str().unwrap().contains("free some space"), "{finding:#}");
        fs::remove_file(world.own().join(FILLER)).unwrap();
        assert!(!kinds(&doctor(&world, &[])).contains(&"disk_full"), "that mends it");
        drop(disk);
    });
}

#[test]
fn a_clock_that_has_jumped_back_is_named() {
    let (world, mut clock) = Dated::new();
    let (_upstream, world) = project_in(world);
    clock.pass(DAY);
    world.outlast(&["adopt", "."]).expect(0);
    let journals = |findings: &[Value]| {
        let is_it =
            |finding: &&Value| finding["detail"].as_str().unwrap().contains("the journal's newest entry");
        findings.iter().find(is_it).cloned()
    };
    assert_eq!(journals(&doctor(&world, &[])), None, "the control: it has not");
    clock.reset();
    let finding = journals(&doctor(&world, &[])).unwrap();
    assert_eq!((&finding["kind"], &finding["state"]), (&"clock".into(), &"lost".into()));
    assert!(finding["mend"].as_str().unwrap().contains("timedatectl set-ntp true"), "{finding:#}");
}

#[test]
fn a_certificate_that_is_about_to_end_is_named() {
    let (world, mut clock) = Dated::new();
    let (_upstream, world) = project_in(world);
    // Those of the fake upstream end with the year 2047.
    let end: jiff::Timestamp = "2048-01-01T00:00:00Z".parse().unwrap();
    let left = Duration::try_from(end.duration_since(jiff::Timestamp::now())).unwrap();
    clock.pass(left - DAY * 15);
    assert!(!kinds(&doctor(&world, &[])).contains(&"certificate"), "the control: there are 15 days");
    clock.pass(DAY * 2);
    let findings = doctor(&world, &[]);
    let finding = found(&findings, "certificate");
    assert_eq!((&finding["state"], &finding["subject"]), (&"claimed".into(), &NPM.into()));
    assert!(finding["detail"].as_str().unwrap().ends_with("ends on 2048-01-01"), "{finding:#}");
    assert!(finding["mend"].as_str().unwrap().contains("renew it"), "{finding:#}");
}

#[test]
fn an_authority_of_the_proxy_that_nobody_makes_anew_is_named() {
    let (world, mut clock) = Dated::new();
    let (_upstream, world) = project_in(world);
    let start = || Served::start_as_proxy(&world, "127.0.0.1:0").end();
    start();
    let state = |findings: &[Value]| {
        let is_it = |finding: &&Value| finding["subject"] == "the forward proxy's authority";
        findings.iter().find(is_it).map(|finding| finding["state"].as_str().unwrap().to_owned())
    };
    let found = |clock: &mut Dated, days: u32| {
        clock.pass(DAY * days);
        state(&doctor(&world, &[]))
    };
    assert_eq!(found(&mut clock, 270), None, "the control: it is good for three months and more");
    assert_eq!(found(&mut clock, 10).as_deref(), Some("claimed"));
    assert_eq!(found(&mut clock, 90).as_deref(), Some("lost"));
    // What the finding says mends it.
    start();
    assert_eq!(state(&doctor(&world, &[])), None);
    fs::remove_file(world.own().join("keys/ca.key")).unwrap();
    assert_eq!(state(&doctor(&world, &[])).as_deref(), Some("unknown"));
}

#[test]
fn a_machine_on_which_no_room_can_be_made_is_named() {
    let (_upstream, world) = super::project();
    assert!(!kinds(&doctor(&world, &[])).contains(&"no_room"), "the control: here it can");
    let done = observed::outlast(&world, &["doctor", "--json"]).expect(1);
    let findings = done.json()["findings"].as_array().unwrap().clone();
    let finding = found(&findings, "no_room");
    assert_eq!(finding["state"], "lost");
    let mend = finding["mend"].as_str().unwrap();
    let document = mend.split(',').next().unwrap();
    let text = fs::read_to_string(format!("{}/../../{document}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert!(text.contains("user.max_user_namespaces"), "{mend}");
}
