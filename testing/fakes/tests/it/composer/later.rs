//! Composer 2.8 and 2.11, out of later Debians, against the same upstream.

use std::fs;

use fakes::Fault;
use fakes::composer::{self, HOSTS, Project, project};
use serde_json::{Value, json};

use super::Scene;
use crate::clients::run_in;

/// Returns a project, and what runs the Composer of a later Debian, which has no git.
fn later(suite: &str) -> (Scene, Project, impl Fn(&Scene, &str) -> (bool, String)) {
    let (scene, packages) = Scene::new(composer::samples);
    let versions = ["1.1.0", "2.0.1", "1.0.0", "", "1.0.0", "dev-main", "dev-feature/x", "1.0.0", "1.0.0"];
    let wanted = packages.iter().zip(versions).filter(|(_, version)| !version.is_empty());
    let project = wanted
        .fold(project("acme/project"), |project, (package, version)| project.requires(package, version));
    scene.write(&project);
    let suite = suite.to_owned();
    let composer = move |scene: &Scene, command: &str| {
        for folder in ["vendor", "home"] {
            let _ = fs::remove_dir_all(scene.project().join(folder));
        }
        let words = ["composer", command, "--no-interaction"];
        run_in(&suite, scene.folder.path(), &scene.upstream, &scene.project(), &words)
    };
    (scene, project, composer)
}

#[test]
fn later_composers_lock_and_install_the_same() {
    for suite in ["trixie", "sid"] {
        let (scene, project, composer) = later(suite);
        let (is_good, said) = composer(&scene, "install");
        assert!(is_good && said.contains("acme/plugin is active"), "{suite}: {said}");
        assert!(!said.contains("not up to date"), "{suite}: {said}");
        let (is_good, said) = composer(&scene, "update");
        assert!(is_good, "{suite}: {said}");
        let expected: Value = serde_json::from_str(&project.lock()).unwrap();
        for key in ["packages", "content-hash"] {
            assert_eq!(scene.lock()[key], expected[key], "{suite}");
        }
        scene.upstream.on(HOSTS[2], "*", Fault::Status(404));
        let (is_good, said) = composer(&scene, "install");
        assert!(!is_good && said.contains("404"), "{suite}: {said}");
    }
}

#[test]
fn the_newest_composer_asks_what_is_flagged() {
    let (scene, _, composer) = later("sid");
    let (is_good, said) = composer(&scene, "install");
    assert!(is_good && !said.contains("filter"), "{said}");
    assert_eq!(scene.upstream.n_asked(HOSTS[0], "/lists/all/summary.json"), 1);
    let flagged = composer::package(&scene.folder.path().join("flagged"), "acme/library");
    let flagged = flagged.release("1.1.0", &json!({}), &[]).flagged("1.1.0");
    scene.upstream.serve_composer(&[flagged]);
    for command in ["install", "update"] {
        let (is_good, said) = composer(&scene, command);
        assert!(!is_good && said.contains("malware"), "{said}");
    }
}
