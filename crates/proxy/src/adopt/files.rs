//! Which files are wanted, and which of an index they are. Pure.

use std::collections::HashMap;

use model::{DigestSet, ObjectUrl};
use registry::{Coordinate, Pin};

use super::Wanted;
use crate::vouch::tables::Table;

/// One file that is wanted, wherever locks say that it lies.
#[derive(Debug)]
pub(super) struct File {
    pub(super) coordinate: Option<Coordinate>,
    pub(super) digests: DigestSet,
    pub(super) urls: Vec<ObjectUrl>,
}

impl File {
    /// Returns what a person calls it.
    pub(super) fn name(&self) -> String {
        let named = self.coordinate.as_ref().map(Coordinate::to_string);
        named.or_else(|| self.urls.first().map(ObjectUrl::to_string)).unwrap_or_default()
    }
}

/// Returns what is wanted without what is wanted twice; several addresses of the same bytes are one thing.
pub(super) fn grouped(wanted: Vec<Wanted>) -> Vec<File> {
    let mut files: Vec<File> = Vec::new();
    let mut numbers: HashMap<(Option<Coordinate>, String), usize> = HashMap::new();
    for one in wanted {
        let (coordinate, digests, url) = match one {
            Wanted::Pinned(Pin { coordinate, url, digests }) => (coordinate, digests, url),
            Wanted::At(url) => (None, DigestSet::default(), Some(url)),
        };
        let bytes = match (&coordinate, &url) {
            (None, Some(url)) => url.to_string(),
            _ => digests.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        };
        let number = *numbers.entry((coordinate.clone(), bytes)).or_insert_with(|| {
            files.push(File { coordinate, digests, urls: Vec::new() });
            files.len() - 1
        });
        let urls = &mut files[number].urls;
        urls.extend(url.filter(|url| !urls.contains(url)));
    }
    files
}

/// Returns the files of a version that indexes list, with their addresses: those that a lock has digests of, or all of them,
/// with what describes them. Clients that install by versions alone read the descriptions before they choose a file.
pub(super) fn listed<'a>(
    tables: impl Iterator<Item = &'a Table>,
    wanted: &Coordinate,
    digests: &DigestSet,
) -> Vec<(Coordinate, ObjectUrl)> {
    let mut files = Vec::new();
    for vouched in tables.flat_map(|table| &table.facts.vouched) {
        let (Some(coordinate), Some(url)) = (&vouched.coordinate, &vouched.url) else { continue };
        let is_pinned =
            digests.is_empty() || digests.iter().any(|pinned| vouched.digests.iter().any(|it| it == pinned));
        let is_described = digests.is_empty() && coordinate.is_description() && {
            let described = Coordinate { file: None, ..coordinate.clone() };
            wanted.file.is_none() && wanted.covers(&described)
        };
        if is_described || (wanted.covers(coordinate) && is_pinned) {
            files.push((coordinate.clone(), url.clone()));
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use model::{Digest, Sha256};
    use registry::{ANY_REGISTRY, IndexRequest};

    use super::*;

    fn digest(name: &str) -> Digest {
        Digest::from(Sha256::of(name.as_bytes()))
    }

    /// An index that lists two versions, each as an archive and as a wheel with its description.
    fn table() -> Table {
        let ecosystem = registry::ecosystem("pypi").unwrap();
        let index = IndexRequest {
            url: ObjectUrl::parse("https://pypi.org/simple/one/").unwrap(),
            variant: "json".to_owned(),
            accept: None,
            subject: "one".to_owned(),
        };
        let sha256 = |name: &str| Sha256::of(name.as_bytes()).to_string();
        let names = ["one-1.0.zip", "one-1.0-py3-none-any.whl", "one-2.0.zip", "one-2.0-py3-none-any.whl"];
        let files = names.map(|name| {
            let metadata = serde_json::json!({ "sha256": sha256(&format!("{name}.metadata")) });
            serde_json::json!({
                "filename": name,
                "url": format!("https://files.example/{name}"),
                "hashes": { "sha256": sha256(name) },
                "core-metadata": if name.ends_with(".whl") { metadata } else { false.into() },
            })
        });
        let body = serde_json::json!({ "name": "one", "files": files }).to_string();
        let facts = ecosystem.read_index(&index, body.as_bytes()).unwrap();
        Table::new(ecosystem, index, facts)
    }

    #[test]
    fn a_version_without_digests_is_all_its_files_and_what_describes_them() {
        let check = |file: Option<&str>, registry: &str, digests: &[&str], expected: &[&str]| {
            let wanted = Coordinate {
                ecosystem: "pypi",
                registry: registry.to_owned(),
                name: "one".to_owned(),
                version: "1".to_owned(),
                file: file.map(str::to_owned),
            };
            let digests: DigestSet = digests.iter().map(|name| digest(name)).collect();
            let table = table();
            let listed = listed([&table].into_iter(), &wanted, &digests);
            let mut names: Vec<&str> =
                listed.iter().map(|(_, url)| url.as_str().rsplit('/').next().unwrap()).collect();
            names.sort_unstable();
            assert_eq!(names, expected, "{wanted}");
        };
        let wheel = "one-1.0-py3-none-any.whl";
        let metadata = "one-1.0-py3-none-any.whl.metadata";
        check(None, ANY_REGISTRY, &[], &[wheel, metadata, "one-1.0.zip"]);
        check(None, "pypi.org", &[], &[wheel, metadata, "one-1.0.zip"]);
        check(None, "example.com", &[], &[]);
        check(None, ANY_REGISTRY, &[wheel, "one-2.0.zip"], &[wheel]);
        check(None, ANY_REGISTRY, &[metadata], &[]);
        check(Some(wheel), ANY_REGISTRY, &[], &[wheel]);
        check(Some(metadata), ANY_REGISTRY, &[], &[metadata]);
    }
}
