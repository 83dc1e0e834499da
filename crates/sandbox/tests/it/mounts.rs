//! What is hidden stays hidden and in place, however the file system is mounted and whatever the command renames.

use std::process::Output;

use crate::probe::{Folder, outside};

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Runs a script with mounts of its own, in which `PROBE` is the probe as root and `NOBODY` the one as `nobody`.
fn with_own_mounts(script: &str) -> Output {
    let probe = env!("CARGO_BIN_EXE_sandbox-probe");
    let nobody = format!("setpriv --reuid 65534 --regid 65534 --clear-groups {probe}");
    let folder = Folder::new();
    let script = folder.write("script", &script.replace("PROBE", probe).replace("NOBODY", &nobody));
    outside(&format!("unshare --mount sh {}", script.display()))
}

#[test]
fn a_masked_folder_does_not_show_through_another_mount() {
    if !is_root() {
        return;
    }
    let folder = Folder::new();
    folder.write("user/deep/home/in/key", "secret");
    for name in ["whole", "home", "part", "last", "user", "user/deep", "user/deep/home", "user/deep/home/in"]
    {
        folder.make(name);
    }
    let at = |name: &str| folder.join(name).display().to_string();
    let mounts = format!(
        "mount --bind {0}/user {0}/whole; mount --bind {0}/user/deep/home {0}/home; \
         mount --bind {0}/user/deep/home/in {0}/part; mount --rbind {0}/whole {0}/last",
        folder.path().display()
    );
    let script = format!(
        "cat {} {} {} {} 2>/dev/null; echo done",
        at("whole/deep/home/in/key"),
        at("home/in/key"),
        at("part/key"),
        at("last/deep/home/in/key")
    );
    let control = with_own_mounts(&format!("{mounts}; {script}"));
    assert_eq!(String::from_utf8_lossy(&control.stdout), "secretsecretsecretsecretdone\n", "the control");
    for probe in ["PROBE", "NOBODY"] {
        let output = with_own_mounts(&format!(
            "{mounts}; {probe} --mask {} -- sh -c '{script}'",
            at("user/deep/home")
        ));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "done\n", "{probe}: {output:?}");
    }
    // Also where an overlay covers the folder, which has a file system of its own.
    let fresh = format!("--fresh {} {} {}", at("user"), at("project"), at("scratch"));
    folder.make("project");
    folder.make("scratch");
    let output = with_own_mounts(&format!(
        "{mounts}; PROBE --mask {} {fresh} -- sh -c '{script}'",
        at("user/deep/home")
    ));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "done\n", "{output:?}");
}
