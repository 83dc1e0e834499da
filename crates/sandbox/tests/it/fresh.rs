//! A fresh room: the command works on copies, and neither home nor project is another afterwards.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::probe::{Folder, Probe, User};

/// A home with a project, a cache and settings; all of it open to whoever runs the probe.
struct Home {
    folder: Folder,
}

impl Home {
    fn new(user: User) -> Self {
        Self::of(Folder::new(), user)
    }

    fn of(folder: Folder, user: User) -> Self {
        for (name, text) in [
            ("home/.npmrc", "setting=1\n"),
            ("home/.cache/tool/warm", "warm"),
            ("home/project/main.txt", "source\n"),
            ("home/project/deep/er/file", "deep\n"),
            ("home/project/node_modules/stale", "stale"),
            ("home/outlast/keys", "secret"),
        ] {
            folder.write(name, text);
        }
        std::os::unix::fs::symlink("main.txt", folder.join("home/project/link")).unwrap();
        folder.make("scratch");
        if user == User::Nobody {
            own(&folder.join("home"));
        }
        Self { folder }
    }

    fn options(&self) -> String {
        let at = |name: &str| self.folder.join(name).display().to_string();
        format!(
            "--port 80 --mask {} --fresh {} {} {} --copy main.txt --copy deep/er/file --copy link --copy vanished \
             --empty {} --empty {} --empty /no/such/folder",
            at("home/outlast"),
            at("home"),
            at("home/project"),
            at("scratch"),
            at("home/.cache"),
            at("home/.new/cache"),
        )
    }

    fn probe(&self, user: User, script: &str) -> Probe {
        let mut probe = Probe::new(user, &self.options()).script(script);
        probe.command.current_dir(self.folder.join("home/project")).env("HOME", self.folder.join("home"));
        probe
    }

    /// Everything below home: kind, permissions, owner, times and content.
    fn state(&self) -> BTreeMap<PathBuf, String> {
        let mut state = BTreeMap::new();
        add(&self.folder.join("home"), &mut state);
        state
    }

    fn is_scratch_empty(&self) -> bool {
        self.folder.join("scratch").read_dir().unwrap().next().is_none()
    }
}

fn add(path: &Path, state: &mut BTreeMap<PathBuf, String>) {
    let metadata = path.symlink_metadata().unwrap();
    let content = if metadata.is_file() { std::fs::read(path).unwrap() } else { Vec::new() };
    let line = format!(
        "{:o} {} {}.{} {content:?}",
        metadata.mode(),
        metadata.uid(),
        metadata.mtime(),
        metadata.mtime_nsec()
    );
    state.insert(path.to_path_buf(), line);
    if metadata.is_dir() {
        path.read_dir().unwrap().for_each(|entry| add(&entry.unwrap().path(), state));
    }
}

fn own(path: &Path) {
    std::os::unix::fs::lchown(path, Some(65534), Some(65534)).unwrap();
    if path.symlink_metadata().unwrap().is_dir() {
        path.read_dir().unwrap().for_each(|entry| own(&entry.unwrap().path()));
    }
}

#[test]
fn the_command_sees_the_listed_files_its_settings_and_no_cache() {
    for user in User::all() {
        let home = Home::new(user);
        let script = "find . -type f -o -type l | sort; cat main.txt link deep/er/file ~/.npmrc; pwd; \
                      ls -A ~/.cache ~/.new/cache /tmp ~/outlast; stat -c '%a %Y' main.txt; test ! -e /no";
        let outcome = home.probe(user, script).run().good();
        let at = |name: &str| home.folder.join(name);
        let original = at("home/project/main.txt").metadata().unwrap();
        let expected = format!(
            "./deep/er/file\n./link\n./main.txt\nsource\nsource\ndeep\nsetting=1\n{}\n/tmp:\n\n{}:\n\n{}:\n\n{}:\n{:o} {}\n",
            at("home/project").display(),
            at("home/.cache").display(),
            at("home/.new/cache").display(),
            at("home/outlast").display(),
            original.mode() & 0o777,
            original.mtime(),
        );
        assert_eq!(outcome.stdout, expected, "{user:?}");
        assert!(outcome.has(&format!("masked {}", at("home/.cache").display())), "{outcome:?}");
        assert!(home.is_scratch_empty());
    }
}

#[test]
fn whatever_the_command_does_home_and_project_stay_as_they_are() {
    for user in User::all() {
        let home = Home::new(user);
        let before = home.state();
        let name = format!("/tmp/sandbox-it-{:x}", u64::from_be_bytes(host::random::bytes()));
        let script = "echo changed > main.txt; echo x > built; rm deep/er/file; rm -r deep; mkdir -p node_modules/a; \
                      echo x > ~/.npmrc; rm -r ~/.cache/*; echo x > ~/.cache/y; rm ~/project/link; chmod 700 ~/project; \
                      echo x > ~/.new/cache/z; mkdir ~/made; chmod 0 ~/made; mv ~/.npmrc ~/moved; echo x > NAME; \
                      mkdir locked; echo x > locked/in; chmod 0 locked; cat ~/moved main.txt NAME"
            .replace("NAME", &name);
        let outcome = home.probe(user, &script).run().good();
        assert_eq!(outcome.stdout, "x\nchanged\nx\n", "{user:?} {outcome:?}");
        assert!(outcome.has(r#"copy ["built", "locked", "main.txt", "node_modules"]"#), "{outcome:?}");
        assert_eq!(home.state(), before, "{user:?}");
        assert!(home.is_scratch_empty(), "{user:?}");
        assert!(!Path::new(&name).exists());
        // The control: the same on the project itself changes it.
        let mut control = Probe::new(user, "").script("echo changed > main.txt");
        control.command.current_dir(home.folder.join("home/project"));
        control.run().good();
        assert_ne!(home.state(), before);
    }
}

#[test]
fn plans_that_would_touch_the_originals_are_refused() {
    let home = Home::new(User::Caller);
    let at = |name: &str| home.folder.join(name).display().to_string();
    let check = |options: String, why: &str| {
        let outcome = Probe::new(User::Caller, &options).script("true").run();
        assert_eq!(outcome.code, Some(125), "{outcome:?}");
        assert!(outcome.log.iter().any(|line| line.contains("BadPlan") && line.contains(why)), "{outcome:?}");
        assert!(home.is_scratch_empty());
    };
    let fresh = format!("--fresh {} {} {}", at("home"), at("home/project"), at("scratch"));
    check(format!("{fresh} --copy ../.npmrc"), "leaves the project");
    check(format!("{fresh} --copy /etc/passwd"), "leaves the project");
    check(format!("--fresh {0} {0} {0}/x", at("home")), "lies in");
    check(format!("--fresh / {} {}", at("home/project"), at("scratch")), "root of the file system");
    check("--fresh home project scratch".to_owned(), "not absolute");
}

#[test]
fn a_project_in_the_temporary_folder_or_outside_home_is_found_at_its_path() {
    let home = Home::new(User::Caller);
    let name = format!("/tmp/sandbox-it-{:x}", u64::from_be_bytes(host::random::bytes()));
    std::fs::create_dir(&name).unwrap();
    std::fs::write(format!("{name}/in-tmp"), "x").unwrap();
    let scratch = home.folder.join("scratch").display().to_string();
    let options = format!("--fresh {} {name} {scratch} --copy in-tmp", home.folder.join("home").display());
    let mut probe = Probe::new(User::Caller, &options).script("pwd; ls; ls /tmp | wc -l");
    probe.command.current_dir(&name);
    let outcome = probe.run();
    std::fs::remove_dir_all(&name).unwrap();
    assert_eq!(outcome.good().stdout, format!("{name}\nin-tmp\n1\n"));
}

#[test]
fn the_command_starts_also_in_a_folder_of_which_nothing_is_copied() {
    for user in User::all() {
        let home = Home::new(user);
        for name in ["home/project/node_modules", "home/project/build/debug", "home/project/deep"] {
            home.folder.make(name);
        }
        if user == User::Nobody {
            own(&home.folder.join("home"));
        }
        let before = home.state();
        for (name, expected) in [("node_modules", ""), ("build/debug", ""), ("deep", "er\n")] {
            let mut probe = home.probe(user, "pwd; ls -A; touch made");
            let directory = home.folder.join("home/project").join(name);
            probe.command.current_dir(&directory);
            let outcome = probe.run().good();
            assert_eq!(outcome.stdout, format!("{}\n{expected}", directory.display()), "{user:?}");
        }
        assert_eq!(home.state(), before, "{user:?}");
    }
}

#[test]
fn a_home_in_the_temporary_folder_is_there_and_nothing_else_of_it() {
    for user in User::all() {
        let home = Home::of(Folder::temporary(), user);
        let before = home.state();
        let beside = home.folder.write("beside", "not in the room");
        let scratch = Folder::new();
        scratch.make("scratch");
        let at = |name: &str| home.folder.join(name).display().to_string();
        let own = format!("{} {} {}", at("home"), at("home/project"), at("scratch"));
        let moved = format!("{} {} {}", at("home"), at("home/project"), scratch.join("scratch").display());
        let script = "cat ~/.npmrc main.txt; ls -A ~/.cache; test -e ~/outlast/keys && echo key; echo x >> ~/.npmrc; \
                      echo x > made; ls /tmp/*; cat ~/.npmrc";
        let options = home.options().replace(&own, &moved);
        let mut probe = Probe::new(user, &options).script(script);
        probe.command.current_dir(home.folder.join("home/project")).env("HOME", home.folder.join("home"));
        let outcome = probe.run().good();
        assert_eq!(outcome.stdout, "setting=1\nsource\nhome\nsetting=1\nx\n", "{outcome:?}");
        assert!(beside.exists());
        assert_eq!(home.state(), before);
    }
}
