use std::sync::Arc;

use super::*;

/// As much as nothing here needs.
const LIMITS: Limits = Limits { time: Duration::from_secs(60), stdout_bytes: 1 << 20, stderr_bytes: 1000 };

/// Longer than anybody here takes nothing.
const PATIENCE: Duration = Duration::from_secs(30);

fn path() -> [(&'static str, &'static str); 1] {
    [("PATH", "/usr/local/bin:/usr/bin:/bin")]
}

fn sh(script: &str, limits: Limits) -> Program {
    Program::new("sh", limits).args(["-c", script]).environment(path())
}

/// A pipe with a name: it tells what was written by whoever had it open, and when nobody has any more.
struct Witness {
    folder: tempfile::TempDir,
    /// So that opening it waits for nobody.
    both: File,
}

impl Witness {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("witness");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        Self { both: File::options().read(true).write(true).open(&path).unwrap(), folder }
    }

    /// Returns a script that starts a second process, tells of it, and waits for it; neither ends in less than half a minute.
    fn script(&self) -> String {
        let path = self.folder.path().join("witness");
        let second = "(sleep 30; echo survived >&3) & echo started >&3; wait";
        format!("exec 3>{}; {second}", path.display())
    }

    /// Waits until the second process was started.
    fn started(&mut self) {
        let mut text = [0; 8];
        self.both.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"started\n");
    }

    /// Returns what was written until nobody was left who could.
    fn rest(self) -> String {
        let mut witness = File::open(self.folder.path().join("witness")).unwrap();
        drop(self.both);
        let mut text = String::new();
        witness.read_to_string(&mut text).unwrap();
        text
    }
}

#[test]
fn a_program_has_the_environment_and_the_folder_that_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().canonicalize().unwrap();
    let output = Program::new("/usr/bin/env", LIMITS).environment([("A", "b c")]).run().unwrap();
    // Whatever else there may be is not for the log of a test.
    assert!(output.stdout == b"A=b c\n" && output.status.success());
    let output = sh("pwd -P; echo why >&2; exit 7", LIMITS).folder(folder.path()).run().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{}\n", real.display()));
    assert_eq!((output.stderr, output.status.code()), (b"why\n".to_vec(), Some(7)));
    assert_eq!(sh("cat; kill -9 $$", LIMITS).run().unwrap().status.code(), None);
}

#[test]
fn a_program_comes_after_others_with_what_it_starts() {
    // What it starts says so itself; it may have begun a moment before it was told.
    let own = "cut -d' ' -f19 /proc/self/stat";
    let before = String::from_utf8(sh(&format!("{own}; :"), LIMITS).run().unwrap().stdout).unwrap();
    let expected = before.trim().parse::<i32>().unwrap() + 3;
    let script = format!("until [ $({own}) = {expected} ]; do :; done");
    assert!(sh(&script, LIMITS).after_others(expected).run().unwrap().status.success());
    let limits = Limits { time: Duration::from_millis(300), ..LIMITS };
    assert!(matches!(sh(&script, limits).run(), Err(ProcessError::Slow { .. })), "the control");
}

#[test]
fn a_program_reads_what_it_is_given_and_nothing_else() {
    let text = "line\n".repeat(100_000);
    let program = Program::new("cat", LIMITS).environment(path()).reads(text.as_bytes()).unwrap();
    for _ in 0..2 {
        assert!(program.run().unwrap().stdout == text.as_bytes(), "from the beginning, each time");
    }
    assert_eq!(Program::new("cat", LIMITS).environment(path()).run().unwrap().stdout, b"");
}

#[test]
fn a_program_that_never_ends_is_ended_with_what_it_started() {
    let mut witness = Witness::new();
    let limits = Limits { time: Duration::from_secs(2), ..LIMITS };
    let error = sh(&witness.script(), limits).run().unwrap_err();
    assert!(matches!(&error, ProcessError::Slow { program, .. } if program == "sh"), "{error}");
    witness.started();
    assert_eq!(witness.rest(), "");
}

#[test]
fn a_program_that_nobody_waits_for_is_ended_with_what_it_started() {
    let mut witness = Witness::new();
    let running = sh(&witness.script(), LIMITS).start().unwrap();
    witness.started();
    drop(running);
    assert_eq!(witness.rest(), "");
}

#[test]
fn what_a_program_leaves_in_its_group_ends_with_it() {
    let mut witness = Witness::new();
    let script = witness.script().replace("; wait", "");
    assert!(sh(&script, LIMITS).run().unwrap().status.success());
    witness.started();
    assert_eq!(witness.rest(), "");
}

#[test]
fn what_leaves_the_group_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { time: Duration::from_secs(20), ..LIMITS };
    // It says its id once it has left.
    let script = "mkfifo up; setsid sh -c 'echo $$ >up; exec sleep 40' & read id <up; echo $id";
    let output =
        sh(script, limits).folder(folder.path()).run().expect("it holds the pipes open all the while");
    let id: i32 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    nix::sys::signal::kill(Pid::from_raw(id), Signal::SIGKILL).expect("it is still there");
}

#[test]
fn a_program_that_writes_without_end_is_ended() {
    let error = sh("while :; do echo more; done", LIMITS).run().unwrap_err();
    assert!(matches!(error, ProcessError::Long { bytes_max: 1_048_576, .. }), "{error}");
    let all = sh("head -c 1048576 /dev/zero", LIMITS).run().unwrap();
    assert_eq!(all.stdout.len(), 1 << 20, "as much as it may");
    assert!(sh("head -c 1048577 /dev/zero", LIMITS).run().is_err(), "one byte more");
    let output = sh("head -c 3000000 /dev/zero >&2; echo done", LIMITS).run().unwrap();
    assert_eq!((output.stdout, output.stderr.len()), (b"done\n".to_vec(), 1000));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_passed_on_as_it_comes() {
    let mut stream = sh("echo one; read wait <fifo; echo two", LIMITS);
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    stream = stream.folder(folder.path());
    let mut stream = stream.stream(PATIENCE, ()).unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), "one\n");
    std::fs::write(&fifo, "go\n").unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), "two\n");
    assert!(stream.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_answer_ends_with_an_error() {
    let mut stream = sh("echo half; echo why >&2; exit 3", LIMITS).stream(PATIENCE, ()).unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), "half\n");
    let error = stream.next().await.unwrap().unwrap_err();
    assert!(matches!(&error, ProcessError::Failed { said, .. } if said == "why"), "{error}");
    assert!(stream.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_whose_answer_nobody_wants_is_ended() {
    let mut witness = Witness::new();
    let stream = sh(&format!("while :; do echo more; done & {}", witness.script()), LIMITS)
        .stream(PATIENCE, ())
        .unwrap();
    witness.started();
    drop(stream);
    assert_eq!(witness.rest(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_nothing_is_not_waited_for() {
    let mut witness = Witness::new();
    let held = Arc::new(());
    // Not before it has told that it started.
    let script = witness.script().replace("; wait", "; while :; do echo more; done");
    let mut stream = sh(&script, LIMITS).stream(Duration::from_millis(100), held.clone()).unwrap();
    witness.started();
    assert_eq!(witness.rest(), "", "it is ended");
    let let_go = async {
        while Arc::strong_count(&held) > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, let_go).await.unwrap();
    // Half an answer does not end as a whole one does.
    let mut last = None;
    while let Some(piece) = stream.next().await {
        last = Some(piece);
    }
    assert!(matches!(last, Some(Err(ProcessError::Untaken { .. }))), "{last:?}");
}

#[test]
fn a_program_that_cannot_be_started_is_named() {
    let check = |program: Program, expected: &str| {
        let error = program.environment(path()).run().unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    };
    check(Program::new("no-such-program", LIMITS), "`no-such-program` is not installed");
    check(Program::new("/etc/passwd", LIMITS), "`/etc/passwd` could not be started");
    let nowhere = Program::new("sh", LIMITS).folder(Path::new("/nowhere"));
    check(nowhere, "`sh` could not be started; look at its permissions and at the folder `/nowhere`");
}
