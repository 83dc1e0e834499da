//! Archives that forges pack when they are asked: which repository, which revision, and how they are packed.

use model::{ObjectUrl, RepoId};

use super::without_suffix;
use crate::path;
use crate::revision::{Folder, Packing, RevisionArchive};

/// Reads an address; nothing where it is none of an archive, or does not say of which repository.
pub(super) fn of(url: &ObjectUrl) -> Option<RevisionArchive> {
    let segments = path::segments(url.path())?;
    let names: Vec<&str> =
        segments.iter().map(|segment| &*segment.text).filter(|name| !name.is_empty()).collect();
    match url.host() {
        "api.github.com" => match names.as_slice() {
            ["repos", owner, name, kind, reference @ ..] => github_ball(owner, name, kind, reference),
            _ => None,
        },
        "codeload.github.com" => match names.as_slice() {
            [owner, name, "zip", reference @ ..] => github(owner, name, reference, Packing::Zip),
            [owner, name, "tar.gz", reference @ ..] => github(owner, name, reference, Packing::TarGz),
            [owner, name, "legacy.zip", reference @ ..] => github_ball(owner, name, "zipball", reference),
            [owner, name, "legacy.tar.gz", reference @ ..] => github_ball(owner, name, "tarball", reference),
            _ => None,
        },
        "github.com" => match names.as_slice() {
            [owner, name, "archive", folders @ .., file] => {
                let reference: Vec<&str> = folders.iter().copied().chain([without_suffix(file)]).collect();
                github(owner, name, &reference, packing_of(file)?)
            }
            [owner, name, kind, reference @ ..] => github_ball(owner, name, kind, reference),
            _ => None,
        },
        "bitbucket.org" => match names.as_slice() {
            [owner, name, "get", folders @ .., file] => {
                let reference: Vec<&str> = folders.iter().copied().chain([without_suffix(file)]).collect();
                let folder = Folder::Commit(format!("{owner}-{name}"), 12);
                archive(&format!("bitbucket.org/{owner}/{name}"), &reference, packing_of(file)?, folder)
            }
            _ => None,
        },
        _ => gitlab(url, &names),
    }
}

fn archive(repo: &str, reference: &[&str], packing: Packing, folder: Folder) -> Option<RevisionArchive> {
    let (kind, reference) = match reference {
        ["refs", "tags", name @ ..] => (Some("tags"), name),
        ["refs", "heads", name @ ..] => (Some("heads"), name),
        name => (None, name),
    };
    let revision = reference.join("/");
    let repo = RepoId::parse(&format!("https://{repo}.git")).ok().filter(|_| !revision.is_empty())?;
    Some(RevisionArchive { repo, revision, kind, packing, folder })
}

fn packing_of(file: &str) -> Option<Packing> {
    let ends = |end: &str| file.ends_with(end);
    match () {
        () if ends(".zip") => Some(Packing::Zip),
        () if ends(".tar.gz") || ends(".tgz") => Some(Packing::TarGz),
        () if ends(".tar") => Some(Packing::Tar),
        () => None,
    }
}

fn github(owner: &str, name: &str, reference: &[&str], packing: Packing) -> Option<RevisionArchive> {
    let folder = Folder::Revision(name.to_owned());
    archive(&format!("github.com/{owner}/{name}"), reference, packing, folder)
}

/// The older addresses of GitHub, which are those that Packagist knows.
fn github_ball(owner: &str, name: &str, kind: &str, reference: &[&str]) -> Option<RevisionArchive> {
    let packing = match kind {
        "zipball" => Packing::Zip,
        "tarball" => Packing::TarGz,
        _ => return None,
    };
    let folder = Folder::Commit(format!("{owner}-{name}"), 7);
    archive(&format!("github.com/{owner}/{name}"), reference, packing, folder)
}

fn gitlab(url: &ObjectUrl, names: &[&str]) -> Option<RevisionArchive> {
    let host = url.host();
    let folder = |project: &str| Folder::Revision(project.rsplit('/').next().unwrap_or(project).to_owned());
    if let ["api", "v4", "projects", project, "repository", file] = names {
        // By its number alone nobody knows which it is.
        let packing = if *file == "archive" { Packing::TarGz } else { packing_of(file)? };
        let (_, query) = url.path_and_query().split_once('?')?;
        let sha = query.split('&').find_map(|pair| pair.strip_prefix("sha="))?;
        return project
            .contains('/')
            .then(|| archive(&format!("{host}/{project}"), &[sha], packing, folder(project)))?;
    }
    let dash = names.iter().position(|name| *name == "-").filter(|dash| *dash >= 2)?;
    let (project, ["archive", reference @ .., file]) = (names[..dash].join("/"), &names[dash + 1..]) else {
        return None;
    };
    archive(&format!("{host}/{project}"), reference, packing_of(file)?, folder(&project))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "f16e1d5863e37f8d8c2a01719f5b34baa2b714d3";

    #[track_caller]
    fn check(url: &str, expected: Option<(&str, &str, Packing, &str)>) {
        let url = ObjectUrl::parse(&url.replace("SHA", SHA)).unwrap();
        let archive = of(&url);
        let got = archive.as_ref().map(|archive| {
            (archive.repo.as_str().to_owned(), archive.revision.clone(), archive.packing, archive.prefix(SHA))
        });
        let expected = expected.map(|(repo, revision, packing, prefix)| {
            (repo.to_owned(), revision.replace("SHA", SHA), packing, prefix.replace("SHA", SHA))
        });
        assert_eq!(got, expected, "{url}");
    }

    #[test]
    fn an_address_says_of_what_an_archive_is() {
        let log = "github.com/php-fig/log";
        let ball = Some((log, "SHA", Packing::Zip, "php-fig-log-f16e1d5/"));
        check("https://api.github.com/repos/php-fig/log/zipball/SHA", ball);
        check("https://codeload.github.com/php-fig/log/legacy.zip/SHA", ball);
        check("https://github.com/php-fig/log/zipball/SHA", ball);
        check(
            "https://codeload.github.com/php-fig/log/tar.gz/SHA",
            Some((log, "SHA", Packing::TarGz, "log-SHA/")),
        );
        check("https://github.com/php-fig/log/archive/SHA.zip", Some((log, "SHA", Packing::Zip, "log-SHA/")));
        check(
            "https://github.com/php-fig/log/archive/refs/tags/1.0.0.tar.gz",
            Some((log, "1.0.0", Packing::TarGz, "log-1.0.0/")),
        );
        check(
            "https://gitlab.com/api/v4/projects/group%2Fproject/repository/archive.zip?sha=SHA",
            Some(("gitlab.com/group/project", "SHA", Packing::Zip, "project-SHA/")),
        );
        check(
            "https://gitlab.example.com/group/sub/project/-/archive/SHA/project-SHA.tar.gz",
            Some(("gitlab.example.com/group/sub/project", "SHA", Packing::TarGz, "project-SHA/")),
        );
        check(
            "https://bitbucket.org/owner/repo/get/SHA.zip",
            Some(("bitbucket.org/owner/repo", "SHA", Packing::Zip, "owner-repo-f16e1d5863e3/")),
        );
    }

    #[test]
    fn what_is_no_archive_or_of_nobody_knows_what_is_none() {
        for url in [
            "https://gitlab.example.com/api/v4/projects/17/repository/archive.zip?sha=SHA",
            "https://gitlab.example.com/api/v4/projects/a%2Fb/repository/archive.zip",
            "https://raw.githubusercontent.com/php-fig/log/SHA/composer.json",
            "https://github.com/php-fig/log/archive/SHA.tar.bz2",
            "https://github.com/php-fig/log/archive/.zip",
            "https://github.com/php-fig/log/tree/SHA",
            "https://github.com/owner/repo/releases/download/v1.0/tool.tar.gz",
            "https://registry.npmjs.org/a/-/a-1.0.0.tgz",
            "https://example.com/",
        ] {
            check(url, None);
        }
    }
}
