//! Addresses of forges.

use http::{HeaderMap, Method};
use model::ObjectUrl;

use super::Forge;
use crate::class::{Class, FileRequest, Head, Redirects};
use crate::ecosystem::Ecosystem;

const SHA: &str = "f16e1d5863e37f8d8c2a01719f5b34baa2b714d3";

#[track_caller]
fn check(url: &str, expected: Option<bool>) {
    let url = ObjectUrl::parse(&url.replace("SHA", SHA)).unwrap();
    let head = Head { method: &Method::GET, url: &url, headers: &HeaderMap::new() };
    let got = match Forge.classify(&head) {
        Some(Class::File(FileRequest { redirects: Redirects::Followed, .. })) => Some(true),
        Some(Class::Document { redirects: Redirects::Followed, .. }) => Some(false),
        None => None,
        other => panic!("{url} is {other:?}"),
    };
    assert_eq!(got, expected, "{url}");
}

#[test]
fn what_a_commit_names_is_fixed() {
    for url in [
        "https://api.github.com/repos/php-fig/log/zipball/SHA",
        "https://api.github.com/repos/php-fig/log/tarball/SHA",
        "https://codeload.github.com/php-fig/log/legacy.zip/SHA",
        "https://codeload.github.com/php-fig/log/tar.gz/SHA",
        "https://github.com/php-fig/log/archive/SHA.zip",
        "https://github.com/php-fig/log/zipball/SHA",
        "https://raw.githubusercontent.com/php-fig/log/SHA/composer.json",
        "https://gitlab.com/api/v4/projects/group%2Fproject/repository/archive.zip?sha=SHA",
        "https://gitlab.example.com/api/v4/projects/17/repository/archive.zip?sha=SHA",
        "https://gitlab.example.com/group/sub/project/-/archive/SHA/project-SHA.tar.gz",
        "https://gitlab.example.com/group/project/-/raw/SHA/src/deep/a.c?inline=false",
        "https://bitbucket.org/owner/repo/get/SHA.zip",
        "https://bitbucket.org/owner/repo/raw/SHA/src/a.c",
    ] {
        check(url, Some(true));
    }
}

#[test]
fn what_a_release_has_is_fixed() {
    check("https://github.com/owner/repo/releases/download/v1.0/tool.tar.gz", Some(true));
    check("https://github.com/owner/repo/releases/download/tool/v1.0/tool.tar.gz", Some(true));
    check("https://github.com/owner/repo/releases/download/tool%2Fv1.0/tool.tar.gz", Some(true));
    check("https://gitlab.com/group/project/-/releases/v1/downloads/tool", Some(true));
    check("https://gitlab.example.com/group/sub/project/-/releases/v1/downloads/bin/tool", Some(true));
    check("https://bitbucket.org/owner/repo/downloads/tool.zip", Some(true));
    // Which release that is changes with every new one.
    check("https://github.com/owner/repo/releases/latest/download/tool.tar.gz", Some(false));
    check("https://gitlab.com/group/project/-/releases/permalink/latest/downloads/bin/tool", Some(false));
}

#[test]
fn what_a_branch_or_a_tag_names_may_move() {
    for url in [
        "https://github.com/a/b/archive/refs/tags/v1.0.0.tar.gz",
        "https://github.com/a/b/archive/refs/heads/main.zip",
        "https://api.github.com/repos/a/b/zipball/v1.0.0",
        "https://api.github.com/repos/a/b/zipball",
        "https://api.github.com/repos/a/b/zipball/f16e1d5",
        "https://codeload.github.com/a/b/zip/refs/heads/feature/x",
        "https://raw.githubusercontent.com/a/b/main/README.md",
        "https://gitlab.com/group/project/-/archive/main/project-main.zip",
        "https://gitlab.com/group/project/-/archive/feature/x/project-feature-x.zip",
        "https://gitlab.example.com/group/project/-/raw/main/docs/README.md",
        "https://gitlab.com/api/v4/projects/1/repository/archive.zip",
        "https://gitlab.com/api/v4/projects/1/repository/archive.zip?sha=v1.0",
        "https://github.com/a/b/archive/refs/tags/SHA.zip",
        "https://bitbucket.org/owner/repo/get/feature/x.zip",
        "https://bitbucket.org/owner/repo/get/master.zip",
    ] {
        check(url, Some(false));
    }
}

#[test]
fn pages_and_apis_are_not_files() {
    for url in [
        "https://github.com/a/b",
        "https://github.com/a/b/archive",
        "https://github.com/a/b/releases",
        "https://api.github.com/repos/a/b",
        "https://api.github.com/repos/a/b/commits/SHA",
        "https://gitlab.com/group/project",
        "https://github.com/a/b/releases/tag/v1",
        "https://gitlab.com/group/project/-/archive",
        "https://gitlab.com/group/project/-/archive/main",
        "https://gitlab.com/group/project/-/releases/v1",
        "https://gitlab.com/api/v4/projects/1/repository/archived",
        "https://registry.npmjs.org/raw/-/raw-1.0.0.tgz",
        "https://gitlab.com/api/v4/projects/1",
        "https://bitbucket.org/owner/repo/src/SHA",
        "https://example.com/a/b/archive/SHA.zip",
    ] {
        check(url, None);
    }
    let url = ObjectUrl::parse(&format!("https://api.github.com/repos/a/b/zipball/{SHA}")).unwrap();
    let post = Head { method: &Method::POST, url: &url, headers: &HeaderMap::new() };
    assert_eq!(Forge.classify(&post), None);
}
