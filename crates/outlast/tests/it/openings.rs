//! A Unix socket that appears while a command runs makes the run observed, and keeps a drill from passing.
//!
//! What looks and what appears are in a network and a mount namespace of their own: the sockets would make other tests
//! observed, which see them by their path from any network namespace.

use std::path::PathBuf;

use fakes::{Answer, Upstream};
use tempfile::TempDir;

use crate::world::{Done, OUTLAST, World, finish};

const URL: &str = "https://files.example.com/a.txt";
/// Binds `late` in a folder when `ready` appears there, and stays until `over` does.
const SERVICE: &str = "import os, socket, sys, time
at = lambda name: os.path.join(sys.argv[1], name)
def wait(name):
    while not os.path.exists(at(name)): time.sleep(0.01)
wait('ready')
service = socket.socket(socket.AF_UNIX); service.bind(at('late')); service.listen()
wait('over')";

/// A folder that every room shows; each run outside a room mounts an empty one over it.
struct Seen(TempDir);

impl Seen {
    fn new() -> Self {
        Self(tempfile::Builder::new().prefix("outlast-openings-").tempdir_in("/var/tmp").unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A command that says that it runs, and goes on when something is there.
    fn command(&self, first: &str) -> Vec<String> {
        let at = |name: &str| self.at(name).display().to_string();
        let (ready, late) = (at("ready"), at("late"));
        let script =
            format!("{first} && touch {ready} && while ! test -e {late}; do sleep 0.02; done; sleep 0.1");
        vec!["sh".to_owned(), "-c".to_owned(), script]
    }

    /// Runs Outlast; if `is_late`, a service outside binds its socket while the command runs.
    fn run(&self, world: &World, arguments: &[&str], command: &[String], is_late: bool) -> Done {
        let service = if is_late { "python3 -c \"$SERVICE\" \"$SEEN\" &" } else { "touch \"$SEEN/late\";" };
        let script = format!(
            "mount -t tmpfs seen \"$SEEN\" || exit 99; {service} \"$@\"; code=$?; touch \"$SEEN/over\"; wait
             test -e \"$SEEN/ready\" || exit 98; exit $code"
        );
        let mut outer = world.command("unshare");
        outer.args(["--user", "--map-root-user", "--net", "--mount", "sh", "-c", &script, "sh", OUTLAST]);
        outer.args(arguments).args(command).env("SERVICE", SERVICE).env("SEEN", self.0.path());
        finish(&mut outer, b"")
    }

    fn reason(&self) -> String {
        format!(
            "`{}` appeared while the command ran; end what made it and run again",
            self.at("late").display()
        )
    }
}

fn record_of(world: &World) -> (String, String) {
    let record = world.newest_record();
    (record["containment"].as_str().unwrap().to_owned(), record["containment_reasons"].to_string())
}

#[test]
fn a_run_is_observed_if_a_socket_appears_and_sealed_if_none_does() {
    let (world, seen) = (World::new(), Seen::new());
    let command = seen.command("true");
    for arguments in [&["exec", "--"][..], &["exec", "--fresh", "--"]] {
        let done = seen.run(&world, arguments, &command, false).expect(0).says(", sealed, exit code 0");
        assert!(!done.stderr.contains("appeared"), "{}", done.stderr);
        assert_eq!(record_of(&world), ("sealed".to_owned(), "null".to_owned()));

        let done = seen.run(&world, arguments, &command, true).expect(0).says(", observed, exit code 0");
        done.says(&format!("observed, not sealed: {}", seen.reason()));
        let (containment, reasons) = record_of(&world);
        assert_eq!(containment, "observed");
        assert!(reasons.contains(&seen.reason()), "{reasons}");
    }
}

#[test]
fn a_run_that_must_be_sealed_fails_then_and_is_recorded() {
    let (world, seen) = (World::new(), Seen::new());
    let command = seen.command("true");
    let arguments = ["exec", "--require-sealed", "--"];
    seen.run(&world, &arguments, &command, false).expect(0);
    seen.run(&world, &arguments, &command, true)
        .expect(125)
        .says("the run was not sealed")
        .says(&seen.reason());
    assert_eq!(record_of(&world).0, "observed");
}

#[test]
fn a_drill_does_not_pass_if_a_socket_appears() {
    let (world, upstream, seen) = (World::new(), Upstream::start_blocking(), Seen::new());
    upstream.put("files.example.com", "/a.txt", Answer::text("kept\n"));
    world.place(&upstream, &["files.example.com"]);
    let command = seen.command(&format!("curl -fsS {URL}"));
    std::fs::write(seen.at("late"), "").unwrap();
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    world.record(&words).expect(0);

    seen.run(&world, &["drill", "--"], &command, false).expect(0).says("PASS");
    let done = seen.run(&world, &["drill", "--"], &command, true).expect(3).says("INCONCLUSIVE");
    done.says("the room was not sealed").says(&seen.reason());
    let report = world.newest_report();
    assert_eq!((&report["verdict"], &report["containment"]), (&"inconclusive".into(), &"observed".into()));
    seen.run(&world, &["drill", "--"], &command, false).expect(0).says("PASS");
}
