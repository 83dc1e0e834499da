//! The plan of a room: what a command must find in it so that it runs as it would outside.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;
use drill::{Mask, Place};
use intercept::{Authority, Caller, CallerTrust, Paths, Settings, Tier};
use model::escape;
use sandbox::{Fresh, PlacedFile, Plan, ProjectCopy, ROOM_FILES, Stdout};
use store::Store;

use crate::failure::Failure;
use crate::home::Home;
use crate::project;
use crate::tasks::repositories;
use crate::tasks::space::Space;
use crate::via;

/// Certificates are for everybody in the room to read; files that repeat the caller's settings are not.
pub(crate) const PUBLIC: u32 = 0o644;
pub(crate) const PRIVATE: u32 = 0o600;

/// Settings files are read up to this size; none that a person wrote is longer.
const SETTINGS_BYTES_MAX: u64 = 4 << 20;

/// A command and where it is to run.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) command: Vec<OsString>,
    pub(crate) directory: PathBuf,
    pub(crate) variables: Vec<(OsString, OsString)>,
    pub(crate) stdout: Stdout,
}

impl Order {
    /// Takes the command, and the rest from this process.
    #[expect(clippy::disallowed_methods, reason = "the rim reads the environment")]
    pub(crate) fn here(command: Vec<OsString>) -> Result<Self, Failure> {
        let directory = std::env::current_dir().map_err(Failure::nowhere)?;
        let secret = |name: &OsString| name == "OUTLAST_HOME" || name == "OUTLAST_FAILPOINTS";
        let variables = std::env::vars_os().filter(|(name, _)| !secret(name)).collect();
        Ok(Self { command, directory, variables, stdout: Stdout::Own })
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller::new(self.variables.clone(), self.directory.clone(), intercept::caller::Disk)
    }

    /// Returns the command as text, for records.
    pub(crate) fn words(&self) -> Vec<String> {
        self.command.iter().map(|word| escape(word.as_bytes())).collect()
    }

    /// Returns the directory as text, for records.
    pub(crate) fn place(&self) -> String {
        escape(self.directory.as_os_str().as_bytes())
    }

    pub(crate) fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }
}

/// Returns the files that every room has, and where they are.
pub(crate) fn paths() -> Paths {
    let folder = Path::new(ROOM_FILES);
    Paths {
        bundle: folder.join("bundle.pem"),
        ca: folder.join("ca.pem"),
        extra: folder.join("extra.pem"),
        java_store: folder.join("cacerts"),
        directory: folder.to_owned(),
    }
}

/// Returns what clients need in a sealed room.
pub(crate) fn settings(home: &Home, store: &Store, caller: &Caller) -> Result<Settings, Failure> {
    let mut forges: BTreeSet<String> = registry::FORGES.iter().map(|host| (*host).to_owned()).collect();
    forges.extend(home.config.upstreams.iter().map(|upstream| upstream.host.clone()));
    // Where one is followed, all are: but for this machine itself, which a room has a ssh of its own for.
    let followed = repositories::followed(store)?;
    let elsewhere = followed.iter().filter(|address| !address.as_str().starts_with("file:"));
    forges.extend(elsewhere.map(|address| address.repo().host().to_owned()));
    let tier = Tier::Sealed { forges: forges.into_iter().collect() };
    Ok(intercept::settings(caller, &paths(), &tier))
}

/// Refuses a project that lies in the home, which no room shows.
pub(crate) fn check_place(home: &Home, order: &Order) -> Result<(), Failure> {
    let directory = order.directory.canonicalize().unwrap_or_else(|_| order.directory.clone());
    if !directory.starts_with(&home.path) {
        return Ok(());
    }
    let what =
        format!("the project lies in Outlast's own home, `{}`, which no room shows", home.path.display());
    Err(Failure::usage(anyhow!(what))
        .hint("keep the home elsewhere: --home or OUTLAST_HOME names another folder"))
}

/// Plans a sealed room.
pub(crate) fn sealed(
    home: &Home,
    order: &Order,
    settings: &Settings,
    trust: &CallerTrust,
    authority: &Authority,
) -> Plan {
    let paths = paths();
    let bundle: Arc<[u8]> = trust.bundle_pem(authority.root_pem()).into();
    // Where a host is not looked into, its own certificate is seen.
    let extra = match home.config.exec.passthrough.as_slice() {
        [] => trust.extra_pem(authority.root_pem()).into(),
        _ => bundle.clone(),
    };
    let java: Arc<[u8]> = trust.java_trust_store(authority.root_der()).into();
    let public = |path: PathBuf, bytes: Arc<[u8]>| PlacedFile { path, bytes, mode: PUBLIC };
    let mut files = vec![
        public(paths.bundle, bundle.clone()),
        public(paths.extra, extra),
        public(paths.ca, authority.root_pem().as_bytes().into()),
        public(paths.java_store, java.clone()),
    ];
    files.extend(settings.files.iter().map(|(path, bytes)| PlacedFile {
        path: path.clone(),
        bytes: bytes.as_slice().into(),
        mode: PRIVATE,
    }));
    files.extend(settings.overlays.iter().map(|path| public(path.clone(), bundle.clone())));
    files.extend(settings.java_overlays.iter().map(|path| public(path.clone(), java.clone())));
    Plan {
        command: order.command.clone(),
        directory: order.directory.clone(),
        environment: environment(order, settings),
        ports: home.config.exec.ports.clone(),
        local_ports: home.config.exec.allow_local.clone(),
        files,
        masked: vec![home.path.clone()],
        fresh: None,
        stdout: order.stdout,
    }
}

/// Returns the command's environment: the caller's, with what the room needs.
pub(crate) fn environment(order: &Order, settings: &Settings) -> Vec<(OsString, OsString)> {
    let mut environment: BTreeMap<OsString, OsString> = order.variables.iter().cloned().collect();
    for name in &settings.removed {
        environment.remove(name);
    }
    environment.remove(OsStr::new(via::TOKEN));
    environment.extend(settings.variables.iter().cloned());
    environment.into_iter().collect()
}

/// What a fresh room hides, and whose it is.
#[derive(Debug)]
pub(crate) struct Masked {
    pub(crate) fresh: Fresh,
    pub(crate) masks: Vec<Mask>,
    /// What is said of caches that the command names and that cannot be hidden.
    pub(crate) unhidden: Vec<String>,
}

/// Plans the copies of a fresh room: the project's own files, an overlay over the home folder, no caches.
pub(crate) fn fresh(order: &Order, space: Space) -> Result<Masked, Failure> {
    let root = project::root(&order.directory);
    let homes = homes(order);
    let files = project::files(&root)?;
    let words = order.words();
    let place =
        Place { homes: &homes, project: &root, files: &files, directory: &order.directory, command: &words };
    let lookup = |name: &str| order.variable(name);
    let mut masks = drill::masks(&place, &lookup, &settings_text);
    let real_homes: Vec<PathBuf> = homes.iter().filter_map(|home| home.canonicalize().ok()).collect();
    let real_root = root.canonicalize().map_err(Failure::nowhere)?;
    let real = Place { homes: &real_homes, project: &real_root, directory: &real_root, ..place };
    let made = made_within(&mut masks, &root, &real_root);
    masks.retain(|mask| can_be_masked(mask, &homes, &real));
    if own_uid() == Some(0) {
        // Only root can use the machine's own package manager, and so its caches.
        masks.extend(drill::mask::machine_masks().into_iter().filter(|mask| mask.path.is_dir()));
    }
    let unhidden = drill::mask::unhidden(&place, &masks, &lookup, &|path| path.exists());
    let fresh = Fresh {
        project: ProjectCopy { from: project::without_made(&root, files, &made)?, at: root },
        empty: masks.iter().map(|mask| mask.path.clone()).collect(),
        scratch: space.folder(order, &homes),
        homes,
    };
    Ok(Masked { fresh, masks, unhidden })
}

/// Takes out what the build makes within the project, and returns the folders.
fn made_within(masks: &mut Vec<Mask>, root: &Path, real_root: &Path) -> Vec<PathBuf> {
    let mut made = Vec::new();
    masks.retain(|mask| {
        let real = mask.path.canonicalize().unwrap_or_else(|_| mask.path.clone());
        let relative = mask.path.strip_prefix(root).or_else(|_| real.strip_prefix(real_root));
        match relative {
            Ok(relative) if mask.is_made() => made.push(relative.to_owned()),
            _ => return true,
        }
        false
    });
    made
}

/// Reads a settings file, as far as it may reach. What is no file is passed over: a pipe would have to be waited for.
fn settings_text(path: &Path) -> Option<String> {
    use std::io::Read as _;
    if !path.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return None;
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(SETTINGS_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether an empty folder can lie over a path: it is one, or can be made one in a copy of a home; and no link leads it
/// to a home, the project, or what holds them.
fn can_be_masked(mask: &Mask, homes: &[PathBuf], real: &Place<'_>) -> bool {
    let path = mask.path.as_path();
    let Ok(folder) = path.canonicalize() else {
        let is_there = |folder: &&Path| folder.symlink_metadata().is_ok();
        let parent = path.ancestors().find(is_there);
        return !mask.is_left_out_when_absent()
            && parent.is_some_and(|parent| parent != path && parent.is_dir())
            && homes.iter().any(|home| path.starts_with(home));
    };
    folder.is_dir() && real.may_hide(&folder)
}

/// Returns the home folders of whoever runs the command: the variable's and the password file's, which programs that
/// ignore the variable use, Java among them.
fn homes(order: &Order) -> Vec<PathBuf> {
    let table = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let uid = own_uid().map(|uid| uid.to_string());
    let listed = table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2).copied() == uid.as_deref()).then(|| fields.get(5).map(PathBuf::from))?
    });
    let mut homes: Vec<PathBuf> =
        order.variable("HOME").map(PathBuf::from).into_iter().chain(listed).collect();
    // A system account may have `/` or a folder of the system for a home: covering that would hide too much.
    homes.retain(|home| home.is_absolute() && home.components().count() > 1 && home.is_dir());
    homes.dedup();
    homes
}

fn own_uid() -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").ok().map(|own| own.uid())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what a fresh room hides of a folder with a home, a project in it, and what `prepare` adds.
    fn hidden(prepare: impl Fn(&Path)) -> Vec<PathBuf> {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let (home, project) = (root.join("home"), root.join("home/work/shop"));
        std::fs::create_dir_all(&project).unwrap();
        std::fs::create_dir(project.join(".git")).unwrap();
        prepare(&root);
        let variables = vec![("HOME".into(), home.into()), ("ROOT".into(), root.clone().into())];
        let order = Order { command: Vec::new(), directory: project, variables, stdout: Stdout::Own };
        let masks = fresh(&order, Space::Disk).unwrap().masks;
        masks.iter().filter_map(|mask| mask.path.strip_prefix(&root).ok().map(Path::to_owned)).collect()
    }

    #[track_caller]
    fn check(settings: &str, path: &str, expected: bool) {
        let hidden = hidden(|root| {
            for folder in ["warm", "home/warm", "home/node_modules"] {
                std::fs::create_dir(root.join(folder)).unwrap();
            }
            std::fs::write(root.join("home/file"), "").unwrap();
            std::os::unix::fs::symlink(root.join("home"), root.join("home/link")).unwrap();
            std::fs::write(root.join("home/.npmrc"), settings).unwrap();
        });
        assert_eq!(hidden.contains(&PathBuf::from(path)), expected, "{settings}: {path} in {hidden:?}");
    }

    #[test]
    fn a_cache_that_settings_name_is_hidden_if_a_folder_can_lie_over_it() {
        check("cache=${ROOT}/warm", "warm", true);
        check("cache=${ROOT}/elsewhere", "warm", false);
        check("cache=~/warm", "home/warm", true);
        check("cache=~/not/yet", "home/not/yet", true);
        check("cache=${ROOT}/not/yet", "not/yet", false);
        check("cache=~/file", "home/file", false);
        check("cache=~/file/below", "home/file/below", false);
        check("cache=~/link", "home/link", false);
        check("cache=${ROOT}", "", false);
        check("", "home/node_modules", true);
        check("", "home/work/node_modules", false);
    }

    #[test]
    fn settings_are_read_as_far_as_they_may_reach() {
        let padding = usize::try_from(SETTINGS_BYTES_MAX).unwrap();
        check(&format!("cache=~/warm\n{}", " ".repeat(padding)), "home/warm", true);
        check(&format!("{}\ncache=~/warm", " ".repeat(padding)), "home/warm", false);
        let hidden = hidden(|root| std::fs::create_dir(root.join("home/.npmrc")).unwrap());
        assert!(hidden.contains(&PathBuf::from("home/.npm")), "{hidden:?}");
    }

    #[test]
    fn public_roots_are_left_out_only_where_no_host_shows_its_own_certificate() {
        // Let's Encrypt's second root, which every client brings along.
        let public = include_bytes!("../../../intercept/src/trust/testdata/isrg-root-x2.pem");
        let files = intercept::caller::Memory::default().with("/etc/ssl/certs/ca-certificates.crt", public);
        let order =
            Order { command: Vec::new(), directory: "/".into(), variables: Vec::new(), stdout: Stdout::Own };
        let caller = Caller::new(Vec::new(), "/", files);
        let trust = CallerTrust::read(&caller);
        let authority = Authority::new("2026-11-24T12:00:00Z".parse().unwrap(), "test", None).unwrap();
        let check = |passthrough: &[&str], expected: usize| {
            let mut config = crate::config::Config::default();
            config.exec.passthrough = passthrough.iter().map(|host| (*host).to_owned()).collect();
            let home = Home { path: "/home".into(), config, clock: host::Clock::real() };
            let settings = intercept::settings(&caller, &paths(), &Tier::Sealed { forges: Vec::new() });
            let plan = sealed(&home, &order, &settings, &trust, &authority);
            let extra = plan.files.iter().find(|file| file.path == paths().extra).unwrap();
            let text = String::from_utf8_lossy(&extra.bytes);
            assert_eq!(text.matches("BEGIN CERTIFICATE").count(), expected, "{passthrough:?}");
        };
        check(&[], 1);
        check(&["mtls.example.com"], 2);
    }
}
