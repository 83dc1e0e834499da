//! PyPI: every row, and pip.

use fakes::Upstream;
use fakes::pypi::{HOSTS, Project, project};

use super::clients::{Client, Trouble, survives};
use super::scene::{Edition, Place, Shelf};
use super::{crowd, files, indexes, waits};

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
fn an_outage_is_met_with_the_copy() {
    indexes::outage(shelf);
}

#[test]
fn an_upstream_that_is_back_is_believed() {
    indexes::back(shelf);
}

#[test]
fn a_worse_index_is_not_believed() {
    indexes::worse(shelf);
}

#[test]
fn a_vanished_index_stays() {
    indexes::vanished(shelf);
}

#[test]
fn an_unpublished_version_stays() {
    indexes::unpublished(shelf);
}

#[test]
fn republished_bytes_do_not_replace_the_first() {
    indexes::republished(shelf);
}

#[test]
fn a_name_that_is_taken_over_still_has_its_versions() {
    indexes::taken_over(shelf);
}

#[test]
fn nothing_held_is_unavailable_and_not_absent() {
    indexes::nothing_held(shelf);
}

#[test]
fn a_held_file_needs_no_upstream() {
    files::held(shelf);
}

#[test]
fn a_file_cut_once_arrives_whole() {
    files::cut_once(shelf);
}

#[test]
fn a_file_that_is_always_cut_is_never_held() {
    files::cut_always(shelf);
}

#[test]
fn wrong_bytes_are_quarantined() {
    files::wrong_bytes(shelf);
}

#[test]
fn a_hang_is_waited_for_once() {
    waits::hang(shelf);
}

#[test]
fn a_crowd_asks_once() {
    crowd::cold(shelf);
}

#[test]
fn what_was_answered_soon_survives_a_kill() {
    files::killed(shelf);
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
