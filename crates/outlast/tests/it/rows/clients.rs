//! Real clients under three troubles of their registry: 502, a hang, a version that is no longer listed.

use std::fs;

use fakes::Fault;

use super::scene::{Edition, Scene, Shelf};
use crate::world::{finish, need};

pub(super) struct Client {
    pub(super) program: &'static str,
    pub(super) files: Vec<(String, String)>,
    pub(super) command: Vec<&'static str>,
    /// What is there once it has succeeded, below the project.
    pub(super) installed: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Trouble {
    Status,
    Hang,
    Unpublished,
}

/// Records an install, lets the registry fail, and installs again with empty caches.
#[track_caller]
pub(super) fn survives(shelf: fn() -> Shelf, client: &Client, trouble: Trouble) {
    need(client.program);
    let scene = Scene::new(shelf());
    for (path, text) in &client.files {
        scene.world.write(&scene.left(path), text);
    }
    let exec = |scene: &Scene| scene.world.outlast(&[&["exec", "--"], &client.command[..]].concat());
    exec(&scene).expect(0);
    assert!(scene.left(client.installed).exists(), "{}", client.installed);
    forget(&scene, client);
    match trouble {
        Trouble::Status => scene.upstream.on("*", "*", Fault::Status(502)),
        Trouble::Hang => scene.upstream.on("*", "*", Fault::Hang),
        Trouble::Unpublished => scene.put(Edition::Unpublished),
    }
    let done = exec(&scene).expect(0);
    assert!(scene.left(client.installed).exists(), "{trouble:?}: {}", done.stderr);
    super::tell(&format!("{} {trouble:?}: {:?}", client.program, done.took));
    // The control: the same client without Outlast, given more time than it took with it.
    forget(&scene, client);
    let patience = (done.took.as_secs() * 2 + 4).to_string();
    let command = [&["timeout", "-s", "KILL", &patience], &client.command[..]].concat();
    let control = finish(&mut scene.direct(&command), b"");
    assert!(control.code != 0 && !scene.left(client.installed).exists(), "{trouble:?}: {}", control.stderr);
}

/// Removes what the client left: all but what was there before, and its home.
fn forget(scene: &Scene, client: &Client) {
    let home = scene.world.home();
    fs::remove_dir_all(&home).unwrap();
    fs::create_dir(&home).unwrap();
    let project = scene.world.project();
    fs::remove_dir_all(&project).unwrap();
    fs::create_dir(&project).unwrap();
    for (path, text) in &client.files {
        scene.world.write(&scene.left(path), text);
    }
}
