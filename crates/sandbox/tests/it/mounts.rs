//! What is hidden stays hidden and in place, however the file system is mounted and whatever the command renames.

use std::process::Output;

use crate::probe::{Folder, Probe, User, is_root, outside};

/// As whom the probe runs: `nobody`, too, where there are ids for it.
fn probes() -> &'static [&'static str] {
    if is_root() { &["PROBE", "NOBODY"] } else { &["PROBE"] }
}

/// Runs a script with mounts of its own, in which `PROBE` is the probe as root and `NOBODY` the one as `nobody`. Where
/// the caller is not root, it is root of a namespace.
fn with_own_mounts(script: &str) -> Output {
    let probe = env!("CARGO_BIN_EXE_sandbox-probe");
    let nobody = format!("setpriv --reuid 65534 --regid 65534 --clear-groups {probe}");
    let folder = Folder::new();
    let script = folder.write("script", &script.replace("PROBE", probe).replace("NOBODY", &nobody));
    let namespaces = if is_root() { "--mount" } else { "--map-root-user --mount" };
    outside(&format!("unshare {namespaces} sh {}", script.display()))
}

#[test]
fn a_masked_folder_does_not_show_through_another_mount() {
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
    for probe in probes() {
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

#[test]
fn no_parent_of_a_masked_folder_can_be_moved_and_other_folders_can() {
    for user in User::all() {
        let folder = Folder::new();
        folder.write("user/.local/share/outlast/keys", "secret");
        folder.write("user/.local/share/other/file", "other");
        folder.write("user/elsewhere/file", "x");
        folder.write("user/.cache/outlast/keys", "secret");
        for name in [
            "user",
            "user/.local",
            "user/.local/share",
            "user/.local/share/other",
            "user/.local/share/outlast",
        ] {
            folder.make(name);
        }
        folder.make("user/elsewhere");
        let run = |mask: &str, script: &str| {
            let mut probe =
                Probe::new(user, &format!("--mask {}", folder.join(mask).display())).script(script);
            probe.command.current_dir(folder.join("user")).env("HOME", folder.join("user"));
            probe.run()
        };
        // Some move by copying, which takes from the masked folder nothing and leaves it where it is.
        let attempts = [
            "mv .local/share hidden",
            "python3 -c 'import os; os.rename(\".local/share\", \".local/hidden\")'",
            "mv .local hidden",
            "mv -T elsewhere .local/share",
            "rm -rf .local/share/outlast .local/share/other; rmdir .local/share",
            "mv .local/share/outlast hidden",
            "python3 -c 'import os; os.rename(\".local\", \"hidden\")'",
            "cd ..; mv user hidden",
            "umount -l /run/outlast/.pins/*; umount -l /run/outlast/.pins/*; mv .local hidden",
        ];
        for attempt in attempts {
            let outcome = run("user/.local/share/outlast", attempt);
            assert_ne!(outcome.code, Some(0), "{user:?} {attempt}: {outcome:?}");
            assert!(folder.join("user/.local/share/outlast/keys").exists(), "{user:?} {attempt}");
        }
        // What builds do goes on working, also beside the masked folder.
        let ordinary = "mkdir -p .local/share/tool/a .local/bin; echo x > .local/share/tool/f; \
                        mv .local/share/tool/f .local/bin/f; ln .local/bin/f .local/bin/g; mv elsewhere moved; \
                        mv .local/share/tool .local/share/renamed; rm -r moved .local/share/renamed";
        run("user/.local/share/outlast", ordinary).good();
        // Nothing that lies above the masked folder is a disk of its own: such a rename copies nothing.
        let across = "import os; rename = os.rename; os.mkdir(\".local/share/other\"); open(\".local/share/other/new\", \"w\").close()
rename(\".local/share/other\", \"moved\"); os.link(\"moved/new\", \".local/share/new\"); rename(\"moved\", \".local/moved\")
rename(\".local/moved\", \".local/share/other\")";
        run("user/.local/share/outlast", &format!("python3 -c '{across}'")).good();
        assert!(folder.join("user/.local/share/new").exists(), "{user:?}");
        // The control: what is above no mask can be moved.
        run("user/.cache/outlast", "mv .local/share moved").good();
        assert!(folder.join("user/moved/outlast/keys").exists(), "the control");
    }
}

#[test]
fn no_parent_of_a_masked_folder_can_be_moved_through_another_mount() {
    for probe in probes() {
        let folder = Folder::new();
        folder.write("user/deep/home/key", "secret");
        for name in ["user", "user/deep", "user/deep/home", "user/free", "alt"] {
            folder.make(name);
        }
        let at = |name: &str| folder.join(name).display().to_string();
        let script = format!("cd {}; mv -T deep hidden; mv -T free moved", at("alt"));
        let output = with_own_mounts(&format!(
            "mount --bind {} {}; HOME={} {probe} --mask {} -- sh -c '{script}'",
            at("user"),
            at("alt"),
            at("user"),
            at("user/deep/home")
        ));
        assert!(folder.join("user/deep/home/key").exists(), "{probe}: {output:?}");
        assert!(!folder.join("user/hidden").exists(), "{probe}: {output:?}");
        assert!(folder.join("user/moved").exists(), "the control, {probe}: {output:?}");
    }
}
