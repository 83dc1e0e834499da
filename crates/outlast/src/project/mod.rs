//! The project a command runs in: its lock files, and the files that a fresh copy of it has.

mod git;
mod locks;

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use model::{Output, RepoId, Sha256, Sha256Hasher, escape};

pub(crate) use self::locks::{Locks, is_lock, locks};
use crate::failure::Failure;

/// A repository's own folder is copied up to this size: builds ask it for their version.
const REPOSITORY_BYTES_MAX: u64 = 512 << 20;
/// Folders that hold what was fetched or built: never part of a project's own files unless it tracks them.
const BUILT: [&str; 6] = ["node_modules", "vendor", "target", ".venv", "__pycache__", ".tox"];

/// Returns the folder that a drill copies: the repository that `directory` is in, or `directory` itself.
pub(crate) fn root(directory: &Path) -> PathBuf {
    let is_root = |folder: &&Path| folder.join(".git").exists();
    directory.ancestors().find(is_root).unwrap_or(directory).to_owned()
}

/// Returns the paths, relative to `root`, of the project's tracked and unignored files, and its repository's folder if
/// that is not too large to copy.
pub(crate) fn files(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = BTreeSet::new();
    for path in git::tracked(root)? {
        if root.join(&path).symlink_metadata().is_ok() {
            found.insert(path);
        }
    }
    let walk = ignore::WalkBuilder::new(root)
        .hidden(false)
        .parents(true)
        .require_git(false)
        .filter_entry(|entry| !is_built(entry.file_name()) && entry.file_name() != ".git")
        .build();
    for entry in walk {
        let entry = entry.map_err(|error| {
            Failure::no(error).hint("a drill copies the project's files; make them all readable")
        })?;
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        if let Ok(path) = entry.path().strip_prefix(root)
            && !is_folder
            && !path.as_os_str().is_empty()
        {
            found.insert(path.to_owned());
        }
    }
    let repository = root.join(".git");
    // A `.git` that is a file points to the real repository, which a copy must not write to.
    if repository.is_dir() && size_bytes(&repository) <= REPOSITORY_BYTES_MAX {
        found.insert(PathBuf::from(".git"));
    }
    Ok(found.into_iter().collect())
}

/// Returns the files of a project without what is in folders that its build makes, unless it tracks them.
pub(crate) fn without_made(
    root: &Path,
    files: Vec<PathBuf>,
    made: &[PathBuf],
) -> Result<Vec<PathBuf>, Failure> {
    let is_made = |file: &PathBuf| made.iter().any(|folder| file.starts_with(folder));
    if !files.iter().any(is_made) {
        return Ok(files);
    }
    let tracked: BTreeSet<PathBuf> = git::tracked(root)?.into_iter().collect();
    Ok(files.into_iter().filter(|file| !is_made(file) || tracked.contains(file)).collect())
}

/// Returns the size of the files in a folder, counted until it is too large.
fn size_bytes(folder: &Path) -> u64 {
    let mut sum = 0;
    for entry in ignore::WalkBuilder::new(folder).standard_filters(false).build().filter_map(Result::ok) {
        sum += entry.metadata().map_or(0, |metadata| if metadata.is_file() { metadata.len() } else { 0 });
        if sum > REPOSITORY_BYTES_MAX {
            break;
        }
    }
    sum
}

/// Reads the name of an output: a path inside the project.
pub(crate) fn parse_output(text: &str) -> Result<PathBuf, String> {
    use std::path::Component;
    let path = PathBuf::from(text);
    let is_inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if text.is_empty() || !path.components().all(is_inside) {
        return Err("an output is a path inside the project's directory".to_owned());
    }
    Ok(path.components().filter(|part| *part != Component::CurDir).collect())
}

/// Returns the digest of every file at or below each named output. An output that is not there has none.
pub(crate) fn outputs(directory: &Path, named: &[PathBuf]) -> std::io::Result<Vec<Output>> {
    let mut outputs = BTreeSet::new();
    for name in named {
        collect(directory, name, &mut outputs)?;
    }
    Ok(outputs.into_iter().collect())
}

fn collect(directory: &Path, path: &Path, outputs: &mut BTreeSet<Output>) -> std::io::Result<()> {
    let whole = directory.join(path);
    let Ok(kind) = whole.symlink_metadata().map(|metadata| metadata.file_type()) else { return Ok(()) };
    if kind.is_symlink() {
        return collect_link(directory, path, outputs);
    }
    if kind.is_dir() {
        for entry in std::fs::read_dir(&whole)? {
            collect(directory, &path.join(entry?.file_name()), outputs)?;
        }
        return Ok(());
    }
    if kind.is_file() {
        let sha256 = hash(&whole)?;
        outputs.insert(Output { path: escape(path.as_os_str().as_bytes()), sha256 });
    }
    Ok(())
}

/// A link to a file within the project is that file; one that leads elsewhere says nothing about what was made, so it is
/// left out, and a drill finds nothing to compare. A link to a folder within is the text of the link: what it leads to is
/// named by its own path.
fn collect_link(directory: &Path, path: &Path, outputs: &mut BTreeSet<Output>) -> std::io::Result<()> {
    let whole = directory.join(path);
    let (Ok(target), Ok(inside)) = (whole.canonicalize(), directory.canonicalize()) else { return Ok(()) };
    if !target.starts_with(inside) {
        return Ok(());
    }
    let sha256 = if target.is_file() {
        hash(&target)?
    } else {
        Sha256::of(std::fs::read_link(&whole)?.as_os_str().as_bytes())
    };
    outputs.insert(Output { path: escape(path.as_os_str().as_bytes()), sha256 });
    Ok(())
}

fn hash(path: &Path) -> std::io::Result<Sha256> {
    let mut file = std::fs::File::open(path)?;
    let mut hasher = Sha256Hasher::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match std::io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok(hasher.finish()),
            n => hasher.update(&buffer[..n]),
        }
    }
}

fn is_built(name: &std::ffi::OsStr) -> bool {
    BUILT.iter().any(|built| name == *built)
}

/// Returns what a project is called wherever it is checked out: after its repository, `forge.example/acme/app`, or else after its
/// folder and the one above.
pub(crate) fn name(root: &Path) -> Result<String, Failure> {
    let remote = git::remote(root)?.unwrap_or_default();
    Ok(repository_name(&remote).unwrap_or_else(|| {
        let names: Vec<_> = root.iter().filter(|part| *part != "/").collect();
        let last: PathBuf = names[names.len().saturating_sub(2)..].iter().collect();
        last.display().to_string()
    }))
}

/// Returns host and path of a repository's address; the port says nothing to a person.
fn repository_name(url: &str) -> Option<String> {
    // git also takes `host:path`, where ssh knows the user.
    let as_ssh = || RepoId::parse(&format!("git@{}", url.trim())).ok().filter(|_| !url.contains("://"));
    let repo = RepoId::parse(url).ok().or_else(as_ssh)?;
    Some(format!("{}/{}", repo.host(), repo.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_called_after_its_repository() {
        for url in [
            "https://forge.example/acme/app.git",
            "https://kim:secret@forge.example/acme/app",
            "ssh://git@forge.example:2222/acme/app.git\n",
            "git@forge.example:acme/app.git",
        ] {
            assert_eq!(repository_name(url).as_deref(), Some("forge.example/acme/app"), "{url}");
        }
        assert_eq!(repository_name("forge:acme/app.git").as_deref(), Some("forge/acme/app"));
        for nothing in ["", "/srv/app.git", "../app", "file:///srv/app.git"] {
            assert_eq!(repository_name(nothing), None, "{nothing}");
        }
        assert_eq!(name(Path::new("/nowhere/acme/app")).unwrap(), "acme/app");
    }

    #[test]
    fn a_copy_has_what_is_tracked_or_not_ignored() {
        let folder = std::env::temp_dir().join(format!("outlast-project-{}", std::process::id()));
        for path in ["src/a.rs", "node_modules/x/index.js", "build/out", ".gitignore", ".env", "vendor/v.go"]
        {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "build/\n").unwrap();
        }
        let found = files(&folder).unwrap();
        assert_eq!(found, [".env", ".gitignore", "src/a.rs"].map(PathBuf::from));
        std::fs::create_dir(folder.join(".git")).unwrap();
        std::fs::write(folder.join(".git/HEAD"), "ref: refs/heads/main").unwrap();
        assert!(files(&folder).unwrap().contains(&PathBuf::from(".git")));
        let outputs = outputs(&folder, &[PathBuf::from("src"), PathBuf::from("nowhere")]).unwrap();
        assert_eq!(outputs.len(), 1);
        assert_eq!(outputs[0].sha256, Sha256::of(b"build/\n"));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_a_build_made_is_left_out_unless_it_is_tracked() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["src/a.rs", "out/tracked", "out/built", "outer/b.rs"] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let check = |expected: &[&str]| {
            let files = files(folder.path()).unwrap().into_iter().filter(|file| file != ".git").collect();
            let kept = without_made(folder.path(), files, &[PathBuf::from("out")]).unwrap();
            assert_eq!(kept, expected.iter().map(PathBuf::from).collect::<Vec<_>>());
        };
        check(&["outer/b.rs", "src/a.rs"]);
        #[expect(clippy::disallowed_methods, reason = "the test needs a repository")]
        for arguments in [&["init", "-q"][..], &["add", "out/tracked"]] {
            let git = std::process::Command::new("git").args(arguments).current_dir(folder.path()).status();
            assert!(git.unwrap().success());
        }
        check(&["out/tracked", "outer/b.rs", "src/a.rs"]);
    }

    #[test]
    fn locks_are_found_by_name_and_by_folder() {
        let folder = std::env::temp_dir().join(format!("outlast-locks-{}", std::process::id()));
        let line = format!("six==1.17.0 --hash=sha256:{}\nattrs\n", "ab".repeat(32));
        for path in
            ["requirements/base.txt", "a/requirements.txt", "notes/base.txt", "node_modules/requirements.txt"]
        {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &line).unwrap();
        }
        let Locks { pins, unpinned, unread, .. } = locks(&folder);
        let mut names: Vec<&str> = pins.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let expected = ["a/requirements.txt", "requirements/base.txt"];
        assert_eq!(names, expected);
        let mut unpinned: Vec<(&str, &str)> =
            unpinned.iter().map(|(lock, unpinned)| (lock.as_str(), unpinned.name.as_str())).collect();
        unpinned.sort_unstable();
        assert_eq!(unpinned, expected.map(|name| (name, "attrs")));
        assert_eq!(unread, [""; 0]);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
