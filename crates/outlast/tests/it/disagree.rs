//! Locks of one project that do not agree: each is right or wrong for whoever works with it.

use fakes::Upstream;

use crate::world::World;

const NPM: &str = "registry.npmjs.org";

#[test]
fn a_wrong_lock_costs_its_own_part_of_a_project_and_no_other() {
    let upstream = Upstream::start_blocking();
    let package = fakes::npm::package("left-pad", &[("1.3.0", &[])]);
    upstream.serve_npm(NPM, std::slice::from_ref(&package));
    let lock = package.lock(NPM, "1.3.0");
    let digest = lock.split("sha512-").nth(1).unwrap().split('"').next().unwrap();
    let other = fakes::npm::package("other", &[("1.0.0", &[])]).lock(NPM, "1.0.0");
    let others = other.split("sha512-").nth(1).unwrap().split('"').next().unwrap();
    let wrong = lock.replace(digest, others);
    assert_ne!(lock, wrong);
    let world = World::new().file("package-lock.json", &lock).file("sub/package-lock.json", &lock);
    world.place(&upstream, &[NPM]);
    let adopt = |code: i32| world.outlast(&["adopt", "--json", "."]).expect(code).json();
    assert_eq!(adopt(0)["n_kept"], 1, "the control: they agree");
    world.write(&world.project().join("sub/package-lock.json"), &wrong);
    for what in ["kept before", "fetched now"] {
        let report = adopt(1);
        assert_eq!(report["n_kept"], 1, "{what}: {report:#}");
        let [missing] = &**report["missing"].as_array().unwrap() else { panic!("{what}: {report:#}") };
        let reason = missing["reason"].as_str().unwrap();
        assert!(reason.contains("another lock of the project pins"), "{what}: {reason}");
        world.outlast(&["store", "verify"]).expect(0);
        std::fs::remove_dir_all(world.own().join("blobs")).unwrap();
        std::fs::remove_dir_all(world.own().join("journal")).unwrap();
        std::fs::remove_file(world.own().join("index.db")).unwrap();
    }
}
