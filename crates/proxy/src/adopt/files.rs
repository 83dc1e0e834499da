//! Which files are wanted, and which of an index they are. Pure.

use std::collections::HashMap;

use model::{DigestSet, ObjectUrl};
use registry::{Coordinate, Pin};

use super::Wanted;
use crate::tables::Table;

/// One file that is wanted, wherever locks say that it lies.
#[derive(Debug)]
pub(super) struct File {
    pub(super) coordinate: Option<Coordinate>,
    pub(super) digests: DigestSet,
    pub(super) urls: Vec<ObjectUrl>,
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

/// Returns the files of a version that indexes list, with their addresses: all of them, or those that a lock has digests of.
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
        if wanted.covers(coordinate) && is_pinned {
            files.push((coordinate.clone(), url.clone()));
        }
    }
    files
}
