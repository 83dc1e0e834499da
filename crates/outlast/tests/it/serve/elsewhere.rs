//! A registry whose files lie at a mirror as well, which is asked where the registry gives nothing, or gives it wrong.

use std::time::{Duration, Instant};

use fakes::{Answer, Fault, Upstream, noise};

use super::{NPM, Served, as_new, npm_install};
use crate::raw::get;
use crate::world::{World, places};

const MIRROR: &str = "mirror.example";
const BASE: &str = "/npm";
const PATH: &str = "/left-pad/-/left-pad-1.3.0.tgz";

/// A registry and a mirror that have the same package, and a server that knows of both.
struct Scene {
    registry: Upstream,
    mirror: Upstream,
    package: fakes::npm::Package,
    world: World,
    served: Served,
}

impl Scene {
    fn new(filler: &str) -> Self {
        Self::with(filler, &format!("mirrors = [\"https://{MIRROR}{BASE}\"]\n"))
    }

    fn with(filler: &str, mirrors: &str) -> Self {
        let files = [("index.js", "module.exports = 1;\n"), ("filler.txt", filler)];
        let package = fakes::npm::package("left-pad", &[("1.3.0", &files)]);
        let (registry, mirror) = (Upstream::start_blocking(), Upstream::start_blocking());
        registry.serve_npm(NPM, std::slice::from_ref(&package));
        mirror.put(MIRROR, &format!("{BASE}{PATH}"), Answer::file(package.tarball("1.3.0").clone()));
        let world = World::new();
        let place = |host: &str, upstream: &Upstream| {
            let folder = world.path().join(host);
            std::fs::create_dir(&folder).unwrap();
            let (address, ca) = (upstream.tls_address().to_string(), upstream.ca_file(&folder));
            places(&[host], &[("connect", &address), ("ca_file", ca.to_str().unwrap())])
        };
        world.configure(&format!("{}{mirrors}{}", place(NPM, &registry), place(MIRROR, &mirror)));
        let served = Served::start(&world);
        Self { registry, mirror, package, world, served }
    }

    fn fail(&self, fault: Fault) {
        self.registry.on(NPM, PATH, fault);
    }

    /// Returns whether the file comes as the registry's index has it.
    fn comes(&self) -> bool {
        get(&self.served.base, &format!("/npm{PATH}"), &[]).is(self.package.tarball("1.3.0"))
    }

    fn n_asked(&self) -> usize {
        self.mirror.n_asked(MIRROR, &format!("{BASE}{PATH}"))
    }
}

#[test]
fn what_a_registry_gives_wrong_or_not_at_all_comes_from_its_mirror() {
    let faults = || [Fault::WrongBytes, Fault::Status(502), Fault::Status(404), Fault::Reset, Fault::Html200];
    for fault in faults() {
        let scene = Scene::new("");
        scene.fail(fault.clone());
        as_new(&scene.world);
        scene.served.paste(&scene.world, "npm, pnpm");
        npm_install(&scene.world).expect(0);
        assert!(scene.world.project().join("node_modules/left-pad/index.js").is_file(), "{fault:?}");
        assert_eq!(scene.n_asked(), 1, "{fault:?}");
        assert!(scene.comes() && scene.n_asked() == 1, "{fault:?}: it is kept");
        scene.world.outlast(&["store", "verify"]).expect(0);
    }
    // The control: where no mirror is named, none is asked, and nothing wrong is given out.
    for fault in faults() {
        let scene = Scene::with("", "");
        scene.fail(fault.clone());
        assert!(!scene.comes() && scene.mirror.log().is_empty(), "{fault:?}");
    }
}

#[test]
fn a_registry_that_works_is_the_only_one_that_is_asked() {
    let scene = Scene::new("");
    assert!(scene.comes());
    assert!(scene.mirror.log().is_empty(), "{:?}", scene.mirror.log());
}

#[test]
fn whoever_asks_again_for_what_broke_off_gets_it_from_the_mirror() {
    // Larger than what is verified before its first byte leaves; and of a size that nobody has said.
    let large: String = noise(3 << 20, 3).iter().map(|byte| char::from(b' ' + byte % 94)).collect();
    for (filler, fault) in [(&*large, Fault::WrongBytes), ("", Fault::ShortWithoutLength)] {
        let scene = Scene::new(filler);
        scene.fail(fault.clone());
        assert!(!scene.comes(), "{fault:?}: what has left cannot be taken back");
        assert_eq!(scene.n_asked(), 0, "{fault:?}");
        assert!(scene.comes() && scene.n_asked() == 1, "{fault:?}");
    }
}

#[test]
fn what_was_wrong_is_told_whoever_had_it_right() {
    let scene = Scene::new("");
    scene.fail(Fault::WrongBytes);
    assert!(scene.comes());
    let start = Instant::now();
    let is_told = || {
        let status = scene.world.outlast(&["status", "--json"]).expect(0).json();
        let events = status["events"].as_array().unwrap().clone();
        events.iter().any(|event| event["kind"] == "quarantined" && event.to_string().contains(NPM))
    };
    while !is_told() {
        assert!(start.elapsed() < Duration::from_secs(20), "nobody is told");
    }
}

#[test]
fn a_mirror_is_believed_in_nothing() {
    let scene = Scene::new("");
    scene.mirror.on(MIRROR, "*", Fault::WrongBytes);
    scene.fail(Fault::Status(502));
    assert!(!scene.comes());
    assert_eq!(scene.n_asked(), 1);
    scene.mirror.clear_faults();
    assert!(scene.comes(), "the control");

    // What nobody vouches for is not asked for there, and indexes are their registry's alone.
    let scene = Scene::new("");
    for path in ["/other", "/other/-/other-1.0.0.tgz", "/left-pad"] {
        scene.mirror.put(MIRROR, &format!("{BASE}{path}"), Answer::text("the mirror's"));
    }
    scene.registry.on(NPM, "*", Fault::Status(502));
    for path in ["/other", "/other/-/other-1.0.0.tgz", "/left-pad", PATH] {
        assert_eq!(get(&scene.served.base, &format!("/npm{path}"), &[]).status, 503, "{path}");
    }
    assert!(scene.mirror.log().is_empty(), "{:?}", scene.mirror.log());
}

#[test]
fn a_mirror_hears_nothing_of_who_asks() {
    let scene = Scene::new("");
    scene.fail(Fault::Reset);
    let secret = ["Authorization: Bearer S3CRET", "Cookie: s=S3CRET"];
    assert_eq!(get(&scene.served.base, &format!("/npm{PATH}"), &secret).status, 200);
    let log = scene.mirror.log();
    assert!(log.len() == 1 && !format!("{log:?}").contains("S3CRET"), "{log:?}");
}
