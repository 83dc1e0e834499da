//! Who the command is: the caller, with all ids or only its own; and real root where user namespaces are forbidden.

use std::process::Output;

use crate::probe::{Folder, Probe, User, is_root, need_root, outside};

#[test]
fn the_command_is_who_the_caller_is() {
    for user in User::all() {
        let id = if user == User::Nobody { 65534 } else { nix::unistd::geteuid().as_raw() };
        let outcome =
            Probe::new(user, "").script("id -u; touch /run/lock/x; stat -c %u /run/lock/x").run().good();
        assert_eq!(outcome.stdout, format!("{id}\n{id}\n"));
    }
}

#[test]
fn other_users_exist_for_root_and_for_nobody_else() {
    let other = if is_root() { User::Nobody } else { User::Caller };
    let chown = "touch /run/lock/x; chown 1234 /run/lock/x 2>/dev/null || echo refused";
    assert_eq!(Probe::new(other, "").script(chown).run().good().stdout, "refused\n");
    if !is_root() {
        return;
    }
    let script = "touch /run/lock/x && chown 1234:4321 /run/lock/x && stat -c %u:%g /run/lock/x && \
                  setpriv --reuid 1234 --regid 4321 --clear-groups id -u";
    let outcome = Probe::new(User::Caller, "").script(script).run().good();
    assert_eq!(outcome.stdout, "1234:4321\n1234\n");
}

/// Runs a script as root of a user namespace in which no further one may be made, as in many CI containers.
fn without_user_namespaces(script: &str) -> Output {
    let probe = env!("CARGO_BIN_EXE_sandbox-probe");
    let folder = Folder::new();
    folder.write("script", &script.replace("PROBE", probe));
    folder.write(
        "limit",
        "echo 0 > /proc/sys/user/max_user_namespaces && ! unshare -U true 2>/dev/null && exec sh script",
    );
    if !is_root() {
        // With the one id that anybody may map.
        return checked(outside(&format!(
            "cd {}; exec unshare --map-root-user --mount sh limit",
            folder.path().display()
        )));
    }
    // The ids are mapped from outside, once the process has its namespace; what is executed then is root in it.
    let output = outside(&format!(
        "cd {folder}; mkfifo go; own=$(readlink /proc/self/ns/user)
         unshare --user --mount sh -c 'read word < go; exec sh limit' & pid=$!
         while test \"$(readlink /proc/$pid/ns/user)\" = \"$own\"; do sleep 0.01; done
         echo 0 0 65536 > /proc/$pid/uid_map; echo 0 0 65536 > /proc/$pid/gid_map; echo go > go; wait $pid",
        folder = folder.path().display(),
    ));
    checked(output)
}

/// Fails where the limit could not be set.
fn checked(output: Output) -> Output {
    assert!(!String::from_utf8_lossy(&output.stderr).contains("max_user_namespaces"), "{output:?}");
    output
}

#[test]
fn real_root_without_user_namespaces_has_the_same_room() {
    let folder = Folder::new();
    folder.make("home");
    folder.write("home/key", "secret");
    let home = folder.join("home").display().to_string();
    let inside = format!(
        "curl -sS http://crates.io/; id -u; cat {home}/key; umount {home}; umount -l {home}; cat {home}/key; \
         ip link set lo down; unshare -m true && echo unshared; python3 -c \"import socket; socket.socket(40)\"; \
         (: >> /proc/sys/kernel/core_pattern) && echo written; find /dev -type b; ls /proc | grep -c ^[0-9]"
    );
    let output = without_user_namespaces(&format!("PROBE --port 80 --mask {home} -- sh -c '{inside}'"));
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(stdout.starts_with("Outlast as crates.io at "), "{output:?}");
    assert!(stdout.contains("\n0\n"), "{output:?}");
    assert!(!stdout.contains("secret") && !stdout.contains("unshared"), "{output:?}");
    assert!(!stdout.contains("written") && !stdout.contains("/dev/"), "{output:?}");
    assert!(stderr.contains("RTNETLINK answers: Operation not permitted"), "{output:?}");
    assert!(stderr.contains("Errno 97"), "{output:?}");
    let n_processes: u32 = stdout.lines().last().unwrap().parse().unwrap();
    assert!(n_processes < 10, "{output:?}");
}

#[test]
fn real_root_without_user_namespaces_becomes_the_caller_of_sudo() {
    need_root("there are no ids to become");
    let inside = "id -u; id -g; id -G; touch /run/user/1234/x && echo own; grep CapEff /proc/self/status";
    let output = without_user_namespaces(&format!("SUDO_UID=1234 SUDO_GID=4321 PROBE -- sh -c '{inside}'"));
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        stdout,
        "1234\n4321\n4321\nCapEff:\t0000000000000000\n".replace("CapEff", "own\nCapEff"),
        "{output:?}"
    );
    let control = Probe::new(User::Caller, "").script("id -u");
    assert_eq!(control.run().good().stdout, "0\n", "with user namespaces root stays root");
}

#[test]
fn where_nothing_is_allowed_that_is_said() {
    let folder = Folder::new();
    let log = folder.join("log");
    let weak = if is_root() {
        "--reuid 65534 --regid 65534 --clear-groups"
    } else {
        "--bounding-set=-all --inh-caps=-all --no-new-privs"
    };
    let output =
        without_user_namespaces(&format!("setpriv {weak} PROBE --log {} -- true; echo $?", log.display()));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "125\n", "{output:?}");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("NotPossible") && log.contains("user namespaces"), "{log}");
}
