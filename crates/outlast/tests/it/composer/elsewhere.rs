//! Archives on a server that is no forge, as a Satis has them: neither their address nor a checksum says what they are.

use std::fs;

use fakes::Answer;
use fakes::composer::HOSTS;
use serde_json::json;

use super::{INSTALL, Scene, packages};

const UPDATE: [&str; 4] = ["composer", "update", "--no-interaction", "--no-progress"];
const REFERENCE: &str = "0123456789012345678901234567890123456789";

/// Lets the server have the archive of one of our packages at the one address.
fn put(scene: &Scene, package: usize) {
    let zip = packages()[package].zip("1.0.0").clone();
    scene.upstream.put(HOSTS[0], "/dist/elsewhere.zip", Answer::bytes("application/zip", zip));
}

/// Returns which of our packages was installed under the name that the project requires.
fn installed(scene: &Scene) -> String {
    let manifest = scene.world.project().join("vendor/acme/elsewhere/composer.json");
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
    manifest["name"].as_str().unwrap().to_owned()
}

#[test]
fn a_release_stays_what_it_was_though_its_address_gives_something_else() {
    let scene = Scene::new();
    let project = scene.world.project();
    fs::write(project.join("composer.json"), json!({ "require": { "acme/elsewhere": "*" } }).to_string())
        .unwrap();
    fs::remove_file(project.join("composer.lock")).unwrap();
    let version = json!({
        "name": "acme/elsewhere", "version": "1.0.0", "version_normalized": "1.0.0.0", "type": "library",
        "dist": {
            "type": "zip", "url": format!("https://{}/dist/elsewhere.zip", HOSTS[0]),
            "reference": REFERENCE, "shasum": "",
        },
    });
    let document = json!({ "packages": { "acme/elsewhere": [version] } }).to_string();
    scene.upstream.put(HOSTS[0], "/p2/acme/elsewhere.json", Answer::json(document));
    put(&scene, 0);
    scene.exec(&UPDATE).expect(0);
    assert_eq!(installed(&scene), "acme/lib-0");

    put(&scene, 1);
    for command in [INSTALL, UPDATE] {
        scene.forget();
        scene.exec(&command).expect(0);
        assert_eq!(installed(&scene), "acme/lib-0", "{command:?}");
    }
    // The control: without Outlast it is whatever lies there now.
    scene.forget();
    scene.directly(&INSTALL).expect(0);
    assert_eq!(installed(&scene), "acme/lib-1");
}
