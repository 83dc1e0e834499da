//! What PyPI has, the row of those that vouch for their files, and pip.

use fakes::Upstream;
use fakes::pypi::{HOSTS, Project, project};

use super::clients::{Client, Trouble, survives};
use super::files;
use super::scene::{Edition, Place, Shelf};

fn first() -> Project {
    project("demo").wheel("1.0.0", &[]).wheel("1.1.0", &[])
}

fn put(upstream: &Upstream, edition: Edition) {
    let now = match edition {
        Edition::First => first(),
        Edition::Newer => first().wheel("1.2.0", &[]),
        Edition::Unpublished => first().without("1.0.0"),
        Edition::Republished => first().republished("1.0.0"),
        Edition::TakenOver => project("demo").wheel("0.0.1", &[]).with_serial(5000),
    };
    upstream.serve_pypi(&[now]);
}

pub(super) fn shelf() -> Shelf {
    let project = first();
    let wheel = project.wheel_of("1.0.0");
    let file = Place::new(HOSTS[1], wheel.path());
    Shelf {
        hosts: &HOSTS,
        index: Place::new(HOSTS[0], "/simple/demo/"),
        source: file.clone(),
        file,
        bytes: wheel.bytes().to_vec(),
        digest: wheel.sha256(),
        name: "demo",
        foreign: "demo-0.0.1-",
        put: Box::new(put),
    }
}

#[test]
fn wrong_bytes_are_quarantined() {
    files::wrong_bytes(shelf);
}

fn client() -> Client {
    Client {
        program: "pip",
        files: vec![("requirements.txt".to_owned(), "demo==1.0.0\n".to_owned())],
        command: vec![
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "--target",
            "installed",
            "-r",
            "requirements.txt",
        ],
        installed: "installed/demo-1.0.0.dist-info/METADATA",
    }
}

#[test]
fn pip_survives_502() {
    survives(shelf, &client(), Trouble::Status);
}

#[test]
fn pip_survives_a_hang() {
    survives(shelf, &client(), Trouble::Hang);
}

#[test]
fn pip_survives_an_unpublished_version() {
    survives(shelf, &client(), Trouble::Unpublished);
}
