//! The controls: what is lost, wrong or left is noticed by what the other tests rely on.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::scene::{Acknowledged, Scene, fetch};

/// Checks that a recorded run is no longer accepted after something was done to its home.
#[track_caller]
fn check(what: &str, harm: impl Fn(&Scene, &Acknowledged)) {
    let scene = Scene::new();
    let acknowledged = [scene.record(&fetch(&scene.urls()[..2]))];
    scene.assert_kept(&acknowledged, what);
    harm(&scene, &acknowledged[0]);
    let judged = catch_unwind(AssertUnwindSafe(|| scene.assert_kept(&acknowledged, what)));
    assert!(judged.is_err(), "{what} is not noticed");
}

fn folder(scene: &Scene, acknowledged: &Acknowledged) -> std::path::PathBuf {
    scene.world.own().join("runs").join(acknowledged.record["run_id"].as_str().unwrap())
}

#[test]
fn a_loss_is_noticed() {
    let blob = |scene: &Scene, acknowledged: &Acknowledged| {
        scene.world.blob(acknowledged.record["objects"][0]["sha256"].as_str().unwrap())
    };
    check("a lost blob", |scene, acknowledged| fs::remove_file(blob(scene, acknowledged)).unwrap());
    check("a blob cut short", |scene, acknowledged| {
        fs::File::options().write(true).open(blob(scene, acknowledged)).unwrap().set_len(100).unwrap();
    });
    check("a lost record", |scene, acknowledged| {
        fs::write(folder(scene, acknowledged).join("record.json"), "{}").unwrap();
    });
    check("a lost journal", |scene, _| fs::remove_dir_all(scene.world.own().join("journal")).unwrap());
}

#[test]
fn a_wrong_byte_is_noticed() {
    let scene = Scene::new();
    let command = fetch(&scene.urls()[..2]);
    let words: Vec<&str> = ["exec", "--"].into_iter().chain(command.iter().map(String::as_str)).collect();
    let served = scene.run("", &words).expect(0).stdout;
    assert_eq!(served.lines().filter(|line| line.starts_with("got ")).count(), 2, "{served}");
    let wrong = served.replacen("got ", "got 0", 1);
    assert!(catch_unwind(AssertUnwindSafe(|| scene.assert_served_right(&wrong))).is_err());
}
