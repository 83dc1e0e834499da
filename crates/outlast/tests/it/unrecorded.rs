//! A command that ran and ended, and a home that could not take it: what is said, and what counts all the same.

use fakes::{Answer, Upstream};
use model::Sha256;

use crate::world::{Done, OUTLAST, World, entries, finish};

const URL: &str = "https://files.example.com/a.txt";

/// A world with a home that is there, and a host at a loopback upstream.
fn scene() -> (World, Upstream) {
    let (world, upstream) = (World::new(), Upstream::start_blocking());
    upstream.put("files.example.com", "/a.txt", Answer::text("kept\n"));
    world.place(&upstream, &["files.example.com"]);
    world.outlast(&["exec", "-q", "--", "true"]).expect(0);
    (world, upstream)
}

fn with_failpoints(world: &World, failpoints: &str, arguments: &[&str]) -> Done {
    finish(world.command(OUTLAST).env("OUTLAST_FAILPOINTS", failpoints).args(arguments), b"")
}

#[test]
fn how_the_command_ended_is_said_where_its_run_could_not_be_recorded() {
    let check = |failpoint: &str, script: &str, said: &[&str]| {
        let (world, _upstream) = scene();
        let n_runs = || entries(&world.own().join("runs")).len();
        let before = n_runs();
        let done = with_failpoints(&world, failpoint, &["exec", "--", "sh", "-c", script]).expect(125);
        let done = said.iter().fold(done, |done, said| done.says(said));
        done.says("hint: ").says("then record the command again");
        assert_eq!(n_runs(), before, "{failpoint}");
        world.drill(&["sh", "-c", script]).expect(3).says("no run of this command");
        // With space again it is recorded, and ends as it ends.
        let code = if script.ends_with("exit 7") { 7 } else { 0 };
        world.outlast(&["exec", "--", "sh", "-c", script]).expect(code);
        world.outlast(&["store", "verify"]).expect(0);
        assert_eq!(n_runs(), before + 1, "{failpoint}");
    };
    let fetch = format!("curl -fsSo a.txt {URL}");
    let ended = "the command itself ended with exit code 0; its record could not be stored";
    let object = ", nor perhaps all of the 1 object (5 B) that it fetched";
    check("journal.append=nospace+", &fetch, &[ended, object, "no space left for the store"]);
    check("journal.synced=broken+", &fetch, &[ended, object, "could not write to the store"]);
    check("blob.synced=nospace+", "exit 7", &["ended with exit code 7; its record could not be stored\n"]);
}

#[test]
fn a_folder_where_a_blob_belongs_is_named_with_the_way_out() {
    let (world, _upstream) = scene();
    let place = world.blob(&Sha256::of(b"kept\n").to_string());
    std::fs::create_dir_all(&place).unwrap();
    let fetch = ["exec", "--", "curl", "-fsSo", "a.txt", URL];
    world
        .outlast(&fetch)
        .expect(125)
        .says("the command itself ended with exit code 0")
        .says("because: something lies where a blob belongs")
        .says(&format!("because: `{}` is a folder", place.display()))
        .says("hint: move it out of `blobs/`");
    let verified = world.outlast(&["store", "verify"]).expect(1);
    verified.says(&format!("`{}` is a folder where a blob belongs; hint: move it", place.display()));
    let verified = world.outlast(&["store", "verify", "--json"]).expect(1).json();
    assert_eq!(verified["damaged"][0]["obstructed"], place.to_str().unwrap());
    std::fs::remove_dir(&place).unwrap();
    world.outlast(&fetch).expect(0);
    let verified = world.outlast(&["store", "verify", "--json"]).expect(0).json();
    assert_eq!(verified["damaged"], serde_json::json!([]));
}

#[test]
fn what_the_journal_has_is_recorded_though_the_index_and_the_file_could_not_be_written() {
    for failpoint in ["index.update=nospace+", "index.updated=broken+", "file.written=nospace+"] {
        let (world, _upstream) = scene();
        let fetch = ["curl", "-fsSo", "a.txt", URL];
        let done = with_failpoints(&world, failpoint, &[&["exec", "--"], &fetch[..]].concat()).expect(0);
        let is_said = done.stderr.contains("record.json` could not be written");
        assert_eq!(is_said, failpoint.starts_with("file"), "{failpoint}: {}", done.stderr);
        assert_eq!(entries(&world.own().join("runs")).len(), 2, "{failpoint}");
        world.drill(&fetch).expect(0).says("PASS");
        // The next command has written what was lacking.
        assert_eq!(world.newest_record()["command"][0], "curl", "{failpoint}");
        world.outlast(&["store", "verify"]).expect(0);
    }
}

#[test]
fn a_drill_that_could_not_be_written_down_is_neither_a_pass_nor_a_fail() {
    let check = |failpoint: &str, said: &str, n_evidence: usize| {
        let (world, _upstream) = scene();
        let fetch = ["curl", "-fsSo", "a.txt", URL];
        world.record(&fetch).expect(0);
        world.drill(&fetch).expect(0);
        let done = with_failpoints(&world, failpoint, &[&["drill", "--"], &fetch[..]].concat()).expect(3);
        done.says(said).says("hint: ");
        world.drill(&fetch).expect(0).says("PASS");
        let listed = world.outlast(&["evidence", "list", "--json"]).expect(0).json();
        assert_eq!(listed.as_array().unwrap().len(), n_evidence, "{failpoint}");
        assert_eq!(world.evidence().len(), n_evidence, "{failpoint}");
    };
    check("journal.append=nospace+", "the drill came to no verdict and leaves no evidence", 2);
    check("evidence.written=nospace+", "the evidence of the drill could not be finished", 2);
    // It was whole, so that nobody can leave it out.
    check("evidence.renamed=broken+", "the evidence of the drill could not be finished", 3);
}

#[test]
fn a_place_where_the_record_cannot_be_written_is_refused_before_the_command_runs() {
    let check = |file: &str, why: &str| {
        let (world, _upstream) = scene();
        world.write(&world.path().join("a file"), "mine\n");
        let n_runs = || entries(&world.own().join("runs")).len();
        let before = n_runs();
        let done = world.outlast(&["exec", "--record", file, "--", "touch", "ran"]).expect(125);
        done.says(&format!("could not write the record to `{file}`")).says(why).says("hint: ");
        assert!(!world.project().join("ran").exists(), "{file}");
        assert_eq!(n_runs(), before, "{file}");
    };
    check("nowhere/record.json", "No such file or directory");
    check("../a file/record.json", "Not a directory");
    check(".", "Is a directory");
    check("/proc/record.json", "");

    // Where it can be written, it is, and nothing is there before.
    let (world, _upstream) = scene();
    let script = "test ! -e record.json && test \"$(cat mine.json)\" = old";
    world.write(&world.project().join("mine.json"), "old");
    for file in ["record.json", "mine.json"] {
        world.outlast(&["exec", "--record", file, "--", "sh", "-c", script]).expect(0);
        let record = crate::world::read_json(&world.project().join(file));
        assert_eq!(record["command"][2], script);
        std::fs::remove_file(world.project().join("record.json")).unwrap_or_default();
    }
}

#[test]
fn how_the_command_ended_is_said_where_its_record_could_not_be_written_after_it() {
    let (world, _upstream) = scene();
    let script = "rm -r out; exit 7";
    for quiet in [&[][..], &["-q"]] {
        std::fs::create_dir_all(world.project().join("out")).unwrap();
        let exec = ["exec", "--record", "out/record.json", "--", "sh", "-c", script];
        let done = world.outlast(&[quiet, &exec].concat()).expect(125);
        let error = "error: the command itself ended with exit code 7; could not write the record to `out/record.json`";
        let (summary, error) = done.stderr.split_at(done.stderr.find(error).expect(&done.stderr));
        assert_eq!(summary.contains("exit code 7 after"), quiet.is_empty(), "{}", done.stderr);
        assert!(error.contains("hint: the record is in the home folder"), "{error}");
    }
    assert_eq!(world.newest_record()["exit_code"], 7);
}
