//! A run without a room, where none is possible.

use crate::probe::{Folder, Probe, User};

#[test]
fn exit_codes_and_what_cannot_be_run_are_as_in_a_room() {
    let check = |words: &[&str], code: i32| {
        let mut probe = Probe::new(User::Caller, "--observed");
        probe.command.arg("--").args(words);
        assert_eq!(probe.run().code, Some(code), "{words:?}");
    };
    check(&["sh", "-c", "exit 7"], 7);
    check(&["sh", "-c", "kill -KILL $$"], 137);
    check(&["no-such-program"], 127);
    check(&[""], 127);
    check(&["/etc/passwd"], 126);
}

#[test]
fn files_of_the_room_are_elsewhere_and_go_with_the_run() {
    let folder = Folder::new();
    folder.make("tmp");
    let mut probe =
        Probe::new(User::Caller, "--observed --file /run/outlast/a/ca.pem=text --file /etc/hosts=not")
            .script("cat $CA; echo $CA; grep -c not /etc/hosts");
    probe.command.env("CA", "/run/outlast/a/ca.pem").env("TMPDIR", folder.join("tmp"));
    let outcome = probe.run();
    assert!(outcome.stdout.starts_with(&format!("text{}/", folder.join("tmp").display())), "{outcome:?}");
    assert!(outcome.stdout.ends_with("/a/ca.pem\n0\n"), "{outcome:?}");
    assert!(folder.join("tmp").read_dir().unwrap().next().is_none());
}

#[test]
fn copies_are_refused() {
    let outcome = Probe::new(User::Caller, "--observed --fresh /a /b /c").script("true").run();
    assert_eq!(outcome.code, Some(125));
    assert!(outcome.log.iter().any(|line| line.contains("NotPossible")), "{outcome:?}");
}
