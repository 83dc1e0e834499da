//! Sockets that appear while the command runs: those that it might reach are told, and no others.
//!
//! Each test looks for paths in its own folder only: others bind sockets of their own beside it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::probe::{Folder, Outcome, Probe, User, await_that, elsewhere, outside};

/// Runs a script in a room, and meanwhile does something outside.
fn run_while<T>(user: User, options: &str, script: &str, meanwhile: impl FnOnce() -> T) -> (Outcome, T) {
    let mut probe = Probe::new(user, options).script(script);
    let child = probe.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    await_that("the command", || probe.log().iter().any(|line| line.starts_with("started")));
    let made = meanwhile();
    let output = child.wait_with_output().unwrap();
    (probe.outcome(&output), made)
}

/// Binds a service that everybody may reach.
fn bind(path: &Path) -> UnixListener {
    let service = UnixListener::bind(path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    service
}

/// A script that waits until `path` is there, and says whether it connects.
fn connect(path: &Path) -> String {
    format!(
        "python3 -c '
import os, socket, time
path = \"{}\"
while not os.path.exists(path): time.sleep(0.01)
time.sleep(0.05)
try: socket.socket(socket.AF_UNIX).connect(path); print(\"connected\")
except OSError: print(\"refused\")'",
        path.display()
    )
}

/// Returns what the log says of openings in a folder.
fn told(outcome: &Outcome, folder: &Folder) -> Vec<String> {
    let own = format!("opening `{}", folder.path().display());
    outcome.log.iter().filter(|line| line.starts_with(&own)).cloned().collect()
}

fn line(path: &Path) -> String {
    format!("opening `{}` appeared while the command ran; end what made it and run again", path.display())
}

#[test]
fn a_socket_that_appears_where_the_command_sees_it_is_told() {
    for user in User::all() {
        let folder = Folder::new();
        let path = folder.join("late");
        let (outcome, _service) = run_while(user, "", &connect(&path), || bind(&path));
        assert_eq!(outcome.stdout, "connected\n", "the reason why: {user:?} {outcome:?}");
        assert_eq!(told(&outcome, &folder), [line(&path)], "{outcome:?}");
    }
}

#[test]
fn one_of_another_network_namespace_is_told_unless_it_is_the_commands_own() {
    let serve = |path: &Path, seconds: u8| {
        format!(
            "import os, socket, time\ns = socket.socket(socket.AF_UNIX); s.bind(\"{0}\"); os.chmod(\"{0}\", 0o777); s.listen()\n\
             time.sleep({seconds})",
            path.display()
        )
    };
    for user in User::all() {
        let folder = Folder::new();
        let (path, own) = (folder.join("late"), folder.join("own"));
        let nested = format!("unshare --map-root-user --net python3 -c '{}' & ", serve(&own, 1));
        let script = format!("{nested}{}; wait", connect(&path));
        let (outcome, _service) = run_while(user, "", &script, || elsewhere("", &serve(&path, 60)));
        assert_eq!(outcome.stdout, "connected\n", "the reason why: {user:?} {outcome:?}");
        assert!(own.exists(), "the control: {outcome:?}");
        assert_eq!(told(&outcome, &folder), [line(&path)], "{outcome:?}");
    }
}

#[test]
fn one_that_is_gone_or_renamed_before_the_end_is_told_by_the_name_it_was_bound_to() {
    let folder = Folder::new();
    let (first, second, third) = (folder.join("first"), folder.join("second"), folder.join("third"));
    let script = format!("while test ! -e {}; do sleep 0.05; done", folder.join("done").display());
    let (outcome, _service) = run_while(User::Caller, "", &script, || {
        let service = bind(&first);
        std::thread::sleep(std::time::Duration::from_millis(300));
        drop(service);
        fs::remove_file(&first).unwrap();
        let service = bind(&second);
        fs::rename(&second, &third).unwrap();
        folder.write("done", "");
        service
    });
    let mut lines = told(&outcome.good(), &folder);
    lines.sort();
    assert_eq!(lines, [line(&first), line(&second)]);
}

#[test]
fn a_service_that_starts_anew_is_covered_no_more_and_told() {
    let folder = Folder::new();
    let path = folder.join("service");
    let before = bind(&path);
    let script =
        connect(&path).replace("while not os.path.exists(path)", "while not os.path.exists(path + \"2\")");
    let (outcome, _service) = run_while(User::Caller, "", &script, || {
        drop(before);
        fs::remove_file(&path).unwrap();
        let service = bind(&path);
        folder.write("service2", "");
        service
    });
    assert!(outcome.has(&format!("masked {}", path.display())), "the control: {outcome:?}");
    assert_eq!(outcome.stdout, "connected\n", "the reason why");
    assert_eq!(told(&outcome, &folder), [line(&path)], "{outcome:?}");
}

#[test]
fn what_was_there_before_what_the_command_binds_and_abstract_ones_are_not_told() {
    let folder = Folder::new();
    let (covered, own) = (folder.join("covered"), folder.join("own"));
    let service = bind(&covered);
    // Its own name is gone, so that nothing lies over it and only the list tells an old socket from a new one.
    let (named, linked) = (folder.join("named"), folder.join("linked"));
    let other = bind(&named);
    fs::hard_link(&named, &linked).unwrap();
    fs::remove_file(&named).unwrap();
    let script = format!(
        "python3 -c '
import os, socket, time
own = socket.socket(socket.AF_UNIX); own.bind(\"{}\"); own.listen()
while not os.path.exists(\"{}\"): time.sleep(0.01)
time.sleep(0.2)'",
        own.display(),
        folder.join("done").display()
    );
    for user in User::all() {
        let name = format!("{}/abstract", folder.path().display());
        let (outcome, _made) = run_while(user, "", &script, || {
            // Each accepted connection is listed under the name of its service.
            let connected = [(&covered, &service), (&linked, &other)]
                .map(|(path, service)| (UnixStream::connect(path).unwrap(), service.accept().unwrap()));
            let address =
                <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(
                    &name,
                );
            let hidden = UnixListener::bind_addr(&address.unwrap()).unwrap();
            await_that("the command's own", || own.exists());
            folder.write("done", "");
            (connected, hidden)
        });
        assert_eq!(told(&outcome.good(), &folder), Vec::<String>::new(), "{user:?}");
        fs::remove_file(&own).unwrap();
        fs::remove_file(folder.join("done")).unwrap();
    }
}

#[test]
fn one_that_appears_where_the_room_does_not_show_it_is_not_told() {
    for user in User::all() {
        let (folder, temporary) = (Folder::new(), Folder::temporary());
        for name in ["home", "home/inner", "project", "scratch", "masked", "shown"] {
            folder.make(name);
        }
        let at = |name: &str| folder.join(name);
        let options = format!(
            "--mask {} --fresh {} {} {}",
            at("masked").display(),
            at("home").display(),
            at("project").display(),
            at("scratch").display()
        );
        let hidden = [
            at("home/late"),
            at("home/inner/late"),
            at("project/late"),
            at("masked/late"),
            temporary.join("late"),
        ];
        let shown = at("shown/late");
        let tries: String = hidden
            .iter()
            .map(|path| connect(path).replace("while not", "if not"))
            .collect::<Vec<_>>()
            .join("; ");
        let script = format!("{}; {tries}", connect(&shown));
        let (outcome, _services) = run_while(user, &options, &script, || {
            let services: Vec<UnixListener> = hidden.iter().map(|path| bind(path)).collect();
            (services, bind(&shown))
        });
        let expected = format!("connected\n{}", "refused\n".repeat(hidden.len()));
        assert_eq!(outcome.stdout, expected, "{user:?} {outcome:?}");
        assert_eq!(told(&outcome, &folder), [line(&shown)], "{user:?} {outcome:?}");
        assert_eq!(told(&outcome, &temporary), Vec::<String>::new(), "{user:?}");
        assert!(outside(&connect(&temporary.join("late"))).stdout == b"connected\n", "the control");
    }
}

#[test]
fn one_in_a_folder_that_shows_under_another_name_too_is_told() {
    crate::probe::need_root("nobody else can mount a folder twice");
    let (folder, temporary) = (Folder::new(), Folder::temporary());
    for name in ["home", "project", "scratch", "other"] {
        folder.make(name);
    }
    let at = |name: &str| folder.join(name).display().to_string();
    let late = temporary.join("late");
    let other = at("other/late");
    // The mount is made in a namespace of its own, with which it goes.
    let script = format!(
        "mount --bind {} {} && exec {} --log {} --fresh {} {} {} -- sh -c \"$SCRIPT\"",
        temporary.path().display(),
        at("other"),
        env!("CARGO_BIN_EXE_sandbox-probe"),
        at("log"),
        at("home"),
        at("project"),
        at("scratch"),
    );
    #[expect(clippy::disallowed_methods, reason = "tests start the probe")]
    let mut command = std::process::Command::new("unshare");
    let script = ["-m", "sh", "-c", &script];
    let child = command.args(script).env("SCRIPT", connect(Path::new(&other))).stdout(Stdio::piped()).spawn();
    let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
    await_that("the command", || log().contains("started"));
    let _service = bind(&late);
    let output = child.unwrap().wait_with_output().unwrap();
    assert_eq!(output.stdout, b"connected\n", "the reason why: {}", log());
    assert!(log().contains(&line(&late)), "{}", log());
}

#[test]
fn services_that_end_while_the_room_is_made_are_no_error() {
    let folder = Folder::new();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                // So few that the lists of tests beside this one, which have bounds, have room for them.
                let paths: Vec<_> = (0..8).map(|number| folder.join(&number.to_string())).collect();
                let services: Vec<_> = paths.iter().map(|path| bind(path)).collect();
                paths.iter().for_each(|path| fs::remove_file(path).unwrap());
                drop(services);
            }
        });
        let outcomes: Vec<_> = (0..20).map(|_| Probe::new(User::Caller, "").script("true").run()).collect();
        is_over.store(true, Ordering::Relaxed);
        outcomes.into_iter().for_each(|outcome| drop(outcome.good()));
    });
}
