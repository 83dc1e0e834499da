//! What goes wrong inside is told, and never among what the command says.

use fakes::{Answer, Upstream};

use crate::world::{Done, World};

const URL: &str = "https://files.example.com/a.txt";

/// Returns a world with a recorded file whose copy is damaged, and its upstream.
fn damaged() -> (World, Upstream) {
    let (world, upstream) = (World::new(), Upstream::start_blocking());
    upstream.put("files.example.com", "/a.txt", Answer::text("kept\n"));
    world.place(&upstream, &["files.example.com"]);
    world.record(&["curl", "-fsS", URL]).expect(0);
    let record = world.newest_record();
    let sha256 = record["objects"][0]["sha256"].as_str().unwrap();
    std::fs::remove_file(world.blob(sha256)).unwrap();
    world.write(&world.blob(sha256), "KEPT\n");
    (world, upstream)
}

fn n_errors(done: &Done) -> usize {
    done.stderr.lines().filter(|line| line.contains("ERROR") && line.contains(URL)).count()
}

#[test]
fn a_damaged_copy_is_told_after_the_summary_and_not_before() {
    let (world, _upstream) = damaged();
    let script = format!("curl -sS -o body {URL}; curl -sS -o body {URL}; printf 'the end' >&2");
    let run = |flags: &[&str]| {
        let cut = ["exec", "--cut", "all", "--", "sh", "-c", &script];
        world.outlast(&[flags, &cut].concat()).expect(0)
    };
    for flags in [&[][..], &["-q"]] {
        let done = run(flags);
        let (before, after) = done.stderr.split_once("the end").unwrap();
        assert_eq!(before, "", "{flags:?}");
        let (summary, errors) = after.split_at(after.find("ERROR").unwrap_or_else(|| panic!("{after}")));
        assert_eq!(summary.contains("outlast: run "), flags.is_empty(), "{after}");
        assert!(errors.contains("cannot be used"), "{errors}");
        assert_eq!(n_errors(&done), 1, "the same error is told once: {after}");
    }
    // Asked for, it stands where it happened.
    let done = run(&["-v"]);
    assert!(n_errors(&done) >= 2, "{}", done.stderr);
    assert!(done.stderr.split_once("the end").unwrap().0.contains("ERROR"), "{}", done.stderr);
}

#[test]
fn a_drill_tells_it_after_the_verdict() {
    let (world, _upstream) = damaged();
    let done = world.drill(&["curl", "-fsS", URL]).expect(1);
    let (before, after) = done.stderr.split_once("evidence: ").unwrap();
    assert!(!before.contains("ERROR") && after.contains("ERROR"), "{}", done.stderr);
}

#[test]
fn an_error_that_was_kept_is_told_as_one() {
    let (world, upstream) = (World::new(), Upstream::start_blocking());
    upstream.put("files.example.com", "/a.txt", Answer::text("kept\n"));
    world.place(&upstream, &["files.example.com"]);
    let check = |paths: &[&str], said: Option<&str>| {
        let urls: Vec<String> =
            paths.iter().map(|path| format!("https://files.example.com/{path}")).collect();
        let words: Vec<&str> = urls.iter().map(String::as_str).collect();
        let done = world.outlast(&[&["exec", "--", "curl", "-sS"], &words[..]].concat()).expect(0);
        let line = done.stderr.lines().find(|line| line.contains("error"));
        assert_eq!(line, said, "{}", done.stderr);
    };
    check(&["a.txt"], None);
    check(
        &["a.txt", "b.txt"],
        Some("  1 of them is an error answer, kept as it is: 404 https://files.example.com/b.txt"),
    );
    check(
        &["b.txt", "c.txt"],
        Some(
            "  2 of them are error answers, kept as they are, the first: 404 https://files.example.com/b.txt",
        ),
    );
}

#[test]
fn where_nothing_is_wrong_there_is_no_error() {
    let (world, _upstream) = damaged();
    // Its own bytes, which mend the copy.
    let done = world.outlast(&["exec", "--fresh", "--", "curl", "-fsS", URL]).expect(0);
    assert_eq!(done.stdout, "kept\n");
    let done = world.drill(&["curl", "-fsS", URL]).expect(0);
    assert_eq!(n_errors(&done), 0, "{}", done.stderr);
}
