//! apt, whose lists and documents are of use only together and only for some days: with the real client, and a mirror that fails it.

mod archive;

use std::time::Duration;

use fakes::{Fault, Upstream};

use crate::dated::Dated;
use crate::world::{Done, World, finish, places, texts};
use archive::{Archive, By, HOST, SUITE, script};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
const OPTION: &str = "-o Acquire::Check-Valid-Until=false";

struct Scene {
    world: World,
    mirror: Upstream,
}

impl Scene {
    fn new(world: World, archive: &Archive) -> Self {
        let mirror = Upstream::start_blocking();
        let place = places(&[HOST], &[("connect", &mirror.plain_address().to_string())]);
        world.configure(&format!("{place}[limits]\nindex_fresh_for = \"0s\"\n"));
        Self { world: world.file("fetch.sh", &script(&archive.key())), mirror }
    }

    /// Updates and downloads through Outlast.
    fn fetch(&self, options: &str) -> Done {
        let options = format!("OPTIONS={options}");
        self.world.outlast(&["exec", "--", "env", &options, "sh", "fetch.sh"])
    }

    /// Does the same without Outlast.
    fn fetch_directly(&self, options: &str) -> Done {
        let mirror = format!("http://{}", self.mirror.plain_address());
        let mut command = self.world.command("sh");
        finish(command.arg("fetch.sh").env("MIRROR", mirror).env("OPTIONS", options), b"")
    }

    fn events(&self) -> Vec<String> {
        let status = self.world.outlast(&["status", "--json"]).expect(0).json();
        texts(&status["events"], "kind").into_iter().map(str::to_owned).collect()
    }
}

/// Checks that these packages came.
#[track_caller]
fn got(done: Done, version: u32) {
    let done = done.expect(0);
    let expected = format!("small-contrib_{version}.0_all.deb small-main_{version}.0_all.deb\n");
    assert_eq!(done.stdout, expected, "{}", done.stderr);
}

#[track_caller]
fn failed(done: &Done) {
    assert!(done.code == 100 && done.stdout.is_empty(), "{}\n{}{}", done.code, done.stdout, done.stderr);
}

#[test]
fn apt_sees_one_generation_while_the_mirror_switches_to_the_next() {
    let archive = Archive::new(By::Name);
    let scene = Scene::new(World::new(), &archive);
    let [one, two] = [1, 2].map(|number| archive.generation(number));
    archive.put_list(&scene.mirror, &one);
    archive.put_documents(&scene.mirror, &one);
    got(scene.fetch(""), 1);
    got(scene.fetch_directly(""), 1);
    // Between the list and the documents.
    archive.put_documents(&scene.mirror, &two);
    got(scene.fetch(""), 1);
    failed(&scene.fetch_directly(""));
    archive.put_list(&scene.mirror, &two);
    got(scene.fetch(""), 2);
    got(scene.fetch_directly(""), 2);
}

#[test]
fn the_last_whole_generation_stands_in() {
    for by in [By::Name, By::Digest] {
        let archive = Archive::new(by);
        let scene = Scene::new(World::new(), &archive);
        let [one, two] = [1, 2].map(|number| archive.generation(number));
        archive.put_list(&scene.mirror, &one);
        archive.put_documents(&scene.mirror, &one);
        got(scene.fetch(""), 1);
        // The mirror fails when the new list was out and one of its documents.
        archive.put_list(&scene.mirror, &two);
        archive.put_documents(&scene.mirror, &two);
        scene.mirror.on(HOST, &format!("{SUITE}/contrib/*"), Fault::Status(502));
        failed(&scene.fetch(""));
        scene.mirror.on("*", "*", Fault::Status(502));
        got(scene.fetch(""), 1);
        failed(&scene.fetch_directly(""));
        // Once all of the new one was there, it stands in.
        scene.mirror.clear_faults();
        got(scene.fetch(""), 2);
        scene.mirror.on("*", "*", Fault::Status(502));
        got(scene.fetch(""), 2);
    }
}

#[test]
fn what_is_named_by_its_digest_is_there_after_the_mirror_has_dropped_it() {
    let archive = Archive::new(By::Digest);
    let (world, mut clock) = Dated::new();
    let scene = Scene::new(world, &archive);
    let [one, two] = [1, 2].map(|number| archive.generation(number));
    archive.put_list(&scene.mirror, &one);
    archive.put_documents(&scene.mirror, &one);
    got(scene.fetch(""), 1);
    clock.pass(10 * MINUTE);
    // A cache before the mirror still gives the list of before.
    archive.put_documents(&scene.mirror, &two);
    archive.drop_documents(&scene.mirror, &one);
    got(scene.fetch(""), 1);
    failed(&scene.fetch_directly(""));
}

#[test]
fn a_list_whose_time_is_over_is_told_with_the_option_that_takes_it() {
    let archive = Archive::new(By::Digest);
    let (world, mut clock) = Dated::new();
    let scene = Scene::new(world, &archive);
    let one = archive.generation(1);
    archive.put_list(&scene.mirror, &one);
    archive.put_documents(&scene.mirror, &one);
    got(scene.fetch(""), 1);
    scene.mirror.on("*", "*", Fault::Status(502));
    clock.pass(DAY);
    let early = scene.fetch("");
    assert!(!early.stderr.contains("expired"), "{}", early.stderr);
    got(early, 1);
    assert!(scene.world.newest_record().get("expired").is_none());

    clock.pass(9 * DAY);
    let done = scene.fetch("");
    failed(&done);
    let list = format!("http://{HOST}{SUITE}/InRelease");
    let done = done.says("is expired (invalid since").says(&format!("expired: {list} is valid until 20"));
    done.says(&format!("`{OPTION}`"));
    let record = scene.world.newest_record();
    assert_eq!(texts(&record["expired"], "url"), [&*list], "{record:#}");
    assert!(texts(&record["expired"], "option")[0].contains(OPTION));
    assert!(scene.events().contains(&"expired".to_owned()), "{:?}", scene.events());
    let status = scene.world.outlast(&["status"]).expect(0).stdout;
    assert!(status.contains("valid until 20") && status.contains(OPTION), "{status}");
    got(scene.fetch(OPTION), 1);
    failed(&scene.fetch_directly(OPTION));
}
