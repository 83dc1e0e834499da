//! A repository of the first protocol that lists its packages in files named after their bytes, as Satis still writes them.

use std::fs;
use std::process::Command;

use fakes::composer::HOSTS;
use fakes::{Answer, Fault};
use serde_json::json;

use super::{INSTALL, Scene, packages};
use crate::world::{finish, places};

const HOST: &str = "satis.acme.example";
const UPDATE: [&str; 4] = ["composer", "update", "--no-interaction", "--no-progress"];

/// Puts a repository with one package, whose archive lies beside its lists.
fn serve(scene: &Scene) {
    let zip = packages()[0].zip("1.0.0").clone();
    scene.upstream.put(HOST, "/dist/old.zip", Answer::bytes("application/zip", zip));
    let version = json!({
        "name": "acme/old", "version": "1.0.0", "version_normalized": "1.0.0.0", "type": "library", "uid": 1,
        "dist": { "type": "zip", "url": format!("https://{HOST}/dist/old.zip"), "reference": "a".repeat(40), "shasum": "" },
    });
    let list = json!({ "packages": { "acme/old": { "1.0.0": version } } }).to_string();
    let sha1 = finish(&mut Command::new("sha1sum"), list.as_bytes()).expect(0).stdout[..40].to_owned();
    let path = format!("include/all${sha1}.json");
    let root = json!({ "packages": [], "includes": { &path: { "sha1": sha1 } } }).to_string();
    // As Composer spells it.
    scene.upstream.put(HOST, &format!("/{}", path.replace('$', "%24")), Answer::json(list));
    scene.upstream.put(HOST, "/packages.json", Answer::json(root));
}

#[test]
fn a_repository_of_the_first_protocol_survives_its_outage() {
    let scene = Scene::new();
    serve(&scene);
    let project = scene.world.project();
    let manifest = json!({
        "repositories": [{ "type": "composer", "url": format!("https://{HOST}") }, { "packagist.org": false }],
        "require": { "acme/old": "*" },
    });
    fs::write(project.join("composer.json"), manifest.to_string()).unwrap();
    fs::remove_file(project.join("composer.lock")).unwrap();
    let address = scene.upstream.tls_address().to_string();
    let places = places(&[&HOSTS[..], &[HOST]].concat(), &[("connect", &address), ("ca_file", &scene.ca)]);
    scene.world.configure(&format!("{places}[limits]\nindex_fresh_for = \"0s\"\n"));
    scene.exec(&UPDATE).expect(0);
    let lock = fs::read(project.join("composer.lock")).unwrap();
    scene.upstream.on(HOST, "*", Fault::Status(502));
    for command in [UPDATE, INSTALL] {
        scene.forget();
        scene.exec(&command).expect(0);
        assert_eq!(fs::read(project.join("composer.lock")).unwrap(), lock, "{command:?}");
        assert_eq!(scene.n_installed(), 1, "{command:?}");
    }
    // The control: without Outlast there is nothing.
    scene.forget();
    assert_ne!(scene.directly(&INSTALL).code, 0);
}
