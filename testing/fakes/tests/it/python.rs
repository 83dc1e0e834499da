//! A real pip, uv and Poetry, with empty caches, install wheels and build source archives; and fail on faulty answers.

use std::fs;
use std::path::Path;

use fakes::pypi::{HOSTS, Project, project};
use fakes::{Fault, Upstream};
use tempfile::TempDir;

use crate::clients::run;

/// An upstream with `demo`, which needs `Inner_Part`.
fn upstream() -> (Upstream, Vec<Project>) {
    let upstream = Upstream::start_blocking();
    let projects = vec![
        project("demo").release("1.0", &[]).requires_python(">=3.8").release("1.1", &["Inner_Part>=2"]),
        project("Inner_Part").release("2.0", &[]),
    ];
    upstream.serve_pypi(&projects);
    (upstream, projects)
}

/// Installs `demo` into a new folder as on a machine that never did, and returns what was said and what `demo` says.
fn install(upstream: &Upstream, client: &[&str], more: &[&str]) -> Result<String, String> {
    let folder = TempDir::new().unwrap();
    let into = folder.path().join("into");
    let arguments = [&client[1..], &["install", "--target", into.to_str().unwrap(), "demo"], more].concat();
    let (is_good, said) = run(upstream, folder.path(), client[0], &arguments);
    if is_good { Ok(who(&into, "demo") + &who(&into, "inner_part")) } else { Err(said) }
}

fn who(folder: &Path, module: &str) -> String {
    fs::read_to_string(folder.join(module).join("__init__.py")).unwrap_or_default()
}

const PIP: [&str; 4] = ["pip", "--isolated", "--disable-pip-version-check", "--retries=0"];
const UV: [&str; 2] = ["uv", "pip"];
const BOTH: &str = "WHO = 'demo 1.1'\nWHO = 'Inner_Part 2.0'\n";

#[test]
fn pip_and_uv_install_wheels_and_their_requirements() {
    for client in [&PIP[..], &UV[..]] {
        let (upstream, projects) = upstream();
        assert_eq!(install(&upstream, client, &[]).as_deref(), Ok(BOTH), "{client:?}");
        assert_eq!(
            upstream.n_asked(HOSTS[1], &format!("{}.metadata", projects[0].wheel_of("1.1").path())),
            1
        );
        assert!(upstream.log().iter().all(|seen| HOSTS.contains(&seen.host.as_str())));
    }
}

#[test]
fn pip_and_uv_build_source_archives() {
    for (client, only) in [(&PIP[..], "--no-binary=:all:"), (&UV[..], "--no-binary=:all:")] {
        let (upstream, projects) = upstream();
        assert_eq!(install(&upstream, client, &[only]).as_deref(), Ok(BOTH), "{client:?}");
        assert_eq!(upstream.n_asked(HOSTS[1], &projects[0].source_of("1.1").path()), 1);
    }
}

#[test]
fn pip_and_uv_install_from_html_and_without_metadata() {
    for client in [&PIP[..], &UV[..]] {
        let (upstream, projects) = upstream();
        let without: Vec<Project> = projects.iter().cloned().map(Project::without_metadata).collect();
        upstream.serve_pypi(&without);
        for one in &without {
            let path = format!("/simple/{}/", fakes::pypi::normalized(one.name()));
            upstream.on(HOSTS[0], &path, Fault::Older(fakes::Answer::bytes("text/html", one.html())));
        }
        assert_eq!(install(&upstream, client, &[]).as_deref(), Ok(BOTH), "{client:?}");
        let log = upstream.log();
        assert!(!log.iter().any(|seen| seen.path.ends_with(".metadata")));
        if client == &UV[..] {
            assert!(log.iter().any(|seen| seen.headers.contains_key("range")), "it reads ends of wheels");
        }
    }
}

#[test]
fn pip_and_uv_see_yanks_and_what_vanished() {
    for client in [&PIP[..], &UV[..]] {
        let (upstream, projects) = upstream();
        let check = |demo: Project, expected: &str| {
            upstream.serve_pypi(&[demo]);
            assert_eq!(install(&upstream, client, &[]).as_deref(), Ok(expected), "{client:?}");
        };
        check(projects[0].clone().yanked("1.1", "broken"), "WHO = 'demo 1.0'\n");
        check(projects[0].clone().without("1.1"), "WHO = 'demo 1.0'\n");
        check(projects[0].clone().republished("1.1"), "WHO = 'demo 1.1 edition 1'\nWHO = 'Inner_Part 2.0'\n");
        upstream.remove_pypi(&projects[0]);
        let said = install(&upstream, client, &[]).unwrap_err().to_lowercase();
        assert!(said.contains("no matching distribution") || said.contains("was not found"), "{said}");
    }
}

#[test]
fn pip_and_uv_fail_where_an_answer_is_faulty() {
    for client in [&PIP[..], &UV[..]] {
        let check = |host: &str, pattern: &str, fault: Fault| {
            let (upstream, _) = upstream();
            upstream.on(host, pattern, fault.clone());
            let said = install(&upstream, client, &[]);
            assert!(said.is_err(), "{client:?} {fault:?}: {said:?}");
        };
        check(HOSTS[0], "/simple/demo/", Fault::Status(404));
        check(HOSTS[0], "/simple/demo/", Fault::TruncatedJson);
        check(HOSTS[0], "*", Fault::ForeignCertificate);
        check(HOSTS[1], "*", Fault::WrongBytes);
        check(HOSTS[1], "*", Fault::Html200);
    }
}

#[test]
fn poetry_locks_and_installs() {
    let (upstream, projects) = upstream();
    let folder = TempDir::new().unwrap();
    let manifest = "[project]\nname = \"own\"\nversion = \"1\"\nrequires-python = \">=3.9\"\ndependencies = [\"demo\"]\n\
                    [tool.poetry]\npackage-mode = false\n";
    fs::write(folder.path().join("pyproject.toml"), manifest).unwrap();
    fs::write(folder.path().join("poetry.toml"), "[virtualenvs]\nin-project = true\n").unwrap();
    let poetry = |arguments: &[&str]| run(&upstream, folder.path(), "poetry", arguments);
    let (is_good, said) = poetry(&["lock", "--no-interaction"]);
    assert!(is_good, "{said}");
    let lock = fs::read_to_string(folder.path().join("poetry.lock")).unwrap();
    for project in &projects {
        let file = project.files().last().unwrap();
        assert!(lock.contains(&format!("sha256:{}", file.sha256())), "{} is not in {lock}", file.name());
    }
    let install = || {
        for left in ["home", ".venv"] {
            let _ = fs::remove_dir_all(folder.path().join(left));
        }
        poetry(&["install", "--no-interaction"])
    };
    let (is_good, said) = install();
    assert!(is_good, "{said}");
    let library = fs::read_dir(folder.path().join(".venv/lib")).unwrap().next().unwrap().unwrap().path();
    let packages = library.join("site-packages");
    assert_eq!(who(&packages, "demo") + &who(&packages, "inner_part"), BOTH);
    upstream.on(HOSTS[1], "*", Fault::WrongBytes);
    let (is_good, said) = install();
    assert!(!is_good, "{said}");
}
