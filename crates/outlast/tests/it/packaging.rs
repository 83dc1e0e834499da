//! What is in `packaging/`: the systemd unit by systemd's own checks, the container file by its lines.
//!
//! Not tested: a service manager that really starts the unit (there is none where tests run), and an image that is really built
//! (that takes a registry of images). Their commands are run here as they stand, with another address.

use std::fs;
use std::path::{Path, PathBuf};

use crate::world::{Done, OUTLAST, World, finish, need};

/// systemd's sum of what a service could reach: 10 is everything, and it calls what is below 2 "safe".
const EXPOSURE_MAX: &str = "20";

fn file(name: &str) -> String {
    let path = root().join("packaging").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Has systemd look at a unit; the program is where the test's own is.
fn analyze(world: &World, verb: &[&str], unit: &str) -> Done {
    need("systemd-analyze");
    let path = world.path().join("outlast.service");
    world.write(&path, unit.replace("/usr/bin/outlast", OUTLAST));
    let mut command = world.command("systemd-analyze");
    finish(command.args(verb).arg(path), b"")
}

#[test]
fn the_unit_has_no_mistake() {
    let (world, unit) = (World::new(), file("outlast.service"));
    // Only of this file: units that it wants, and their machine, may have mistakes of their own.
    let said = |unit: &str| {
        let done = analyze(&world, &["verify", "--man=no", "--recursive-errors=no"], unit);
        (done.code, done.stderr.lines().filter(|line| line.contains("outlast.service")).count())
    };
    assert_eq!(said(&unit), (0, 0));
    for (line, mistake) in [
        ("ProtectSystem=strict", "ProtectSystem=strictly"),
        ("NoNewPrivileges=yes", "NoNewPrivilege=yes"),
        ("ExecStart=/usr/bin/outlast", "ExecStart=outlast-that-is-nowhere"),
    ] {
        let broken = unit.replace(line, mistake);
        assert_ne!(broken, unit, "{line}");
        assert_ne!(said(&broken), (0, 0), "the control: {mistake}");
    }
}

#[test]
fn the_unit_can_reach_next_to_nothing() {
    let (world, unit) = (World::new(), file("outlast.service"));
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let security =
        |unit: &str| analyze(&world, &["security", "--offline=yes", "--no-pager", &threshold], unit);
    security(&unit).expect(0);
    let bare: String = unit
        .lines()
        .take_while(|line| !line.starts_with("CapabilityBoundingSet"))
        .collect::<Vec<_>>()
        .join("\n");
    assert!(bare.contains("ExecStart") && bare.len() < unit.len());
    assert_ne!(security(&bare).code, 0, "the control: without what shuts it in");
}

/// Returns the words of a line of a unit.
fn words<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        .unwrap_or_else(|| panic!("{key}"));
    line.split(' ').collect()
}

/// Starts what a file says, where no port is taken, and ends it as a service manager does.
fn starts(world: &World, words: &[&str]) {
    let mut command = world.command(OUTLAST);
    let words: Vec<&str> =
        words.iter().map(|word| if word.contains(":8642") { "127.0.0.1:0" } else { word }).collect();
    let mut child = command.args(&words).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line)
        .unwrap();
    assert!(line.starts_with("listening http://127.0.0.1:"), "{line}");
    let term = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(term.unwrap().success() && child.wait().unwrap().success());
}

#[test]
fn the_units_commands_are_outlasts() {
    let unit = file("outlast.service");
    let start = words(&unit, "ExecStart");
    assert_eq!(start[0], "/usr/bin/outlast");
    starts(&World::new(), &start[1..]);
    assert_eq!(
        words(&unit, "ExecReload"),
        ["/bin/kill", "-HUP", "$MAINPID"],
        "what makes it read its configuration again"
    );
    // It has 30 s for requests under way.
    let stop: u32 = words(&unit, "TimeoutStopSec")[0].parse().unwrap();
    assert!(stop > 30, "{stop}");
}

/// One line of a container file: its instruction, and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    instruction: String,
    rest: String,
}

/// Reads a container file: lines that end with a backslash go on, and comments are none.
fn lines(text: &str) -> Vec<Line> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let read = |line: &str| {
        let (instruction, rest) = line.split_once(' ').unwrap_or_else(|| panic!("`{line}` says nothing"));
        Line { instruction: instruction.to_owned(), rest: rest.trim().to_owned() }
    };
    lines.map(read).collect()
}

/// Returns what is wrong with a container file.
fn mistakes(text: &str) -> Vec<String> {
    const KNOWN: [&str; 10] =
        ["FROM", "RUN", "WORKDIR", "COPY", "USER", "ENV", "VOLUME", "EXPOSE", "ENTRYPOINT", "CMD"];
    let (lines, mut mistakes, mut stages) = (lines(text), Vec::new(), Vec::new());
    let of = |instruction: &str| {
        lines
            .iter()
            .filter(|line| line.instruction == instruction)
            .map(|line| &*line.rest)
            .collect::<Vec<_>>()
    };
    for Line { instruction, rest } in &lines {
        match instruction.as_str() {
            "FROM" => stages.extend(rest.split_once(" AS ").map(|(_, name)| name.to_owned())),
            "COPY" => {
                let from = rest.split(' ').find_map(|word| word.strip_prefix("--from="));
                if from.is_some_and(|from| !stages.iter().any(|stage| stage == from)) {
                    mistakes.push(format!("no stage is called so: {rest}"));
                }
            }
            known if KNOWN.contains(&known) => {}
            other => mistakes.push(format!("no instruction: {other}")),
        }
    }
    if lines.first().is_none_or(|line| line.instruction != "FROM") {
        mistakes.push("it begins with no image".to_owned());
    }
    // Who runs it last is who runs the server.
    if of("USER").last().is_none_or(|user| *user == "root" || *user == "0") {
        mistakes.push("root runs it".to_owned());
    }
    for key in ["ENTRYPOINT", "CMD"] {
        if of(key).last().is_none_or(|words| serde_json::from_str::<Vec<String>>(words).is_err()) {
            mistakes.push(format!("{key} is no list of words"));
        }
    }
    mistakes
}

#[test]
fn the_container_file_has_no_mistake() {
    let text = file("Containerfile");
    assert_eq!(mistakes(&text), [""; 0]);
    for (line, mistake) in [
        ("USER outlast", "USER root"),
        ("--from=build", "--from=built"),
        ("EXPOSE", "EXPOSES"),
        ("CMD [\"serve\",", "CMD [\"serve\""),
        ("FROM docker.io/library/rust", "RUN docker.io/library/rust"),
    ] {
        let broken = text.replace(line, mistake);
        assert_ne!(broken, text, "{line}");
        assert_ne!(mistakes(&broken), [""; 0], "the control: {mistake}");
    }
}

#[test]
fn the_container_starts_only_with_a_token_and_an_address() {
    let text = file("Containerfile");
    let rest = |instruction: &str| {
        let lines = lines(&text).into_iter().rev();
        lines.into_iter().find(|line| line.instruction == instruction).unwrap().rest
    };
    let list = |instruction: &str| serde_json::from_str::<Vec<String>>(&rest(instruction)).unwrap();
    assert_eq!(list("ENTRYPOINT"), ["/usr/bin/outlast"]);
    assert_eq!(
        rest("ENV"),
        format!("OUTLAST_HOME={}", rest("VOLUME")),
        "what it keeps outlasts the container"
    );
    let command = list("CMD");
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let world = World::new();
    world.outlast(&words).expect(2).says("outlast token add NAME --scope read");
    world.outlast(&["token", "add", "kim", "--scope", "read"]).expect(0);
    world.outlast(&words).expect(2).says("url = ");
    world.configure("[serve]\nurl = \"http://outlast.example:8642\"\n");
    let port = words.last().unwrap().rsplit(':').next().unwrap();
    assert_eq!(port, rest("EXPOSE"));
    starts(&world, &words);
}
