//! What the locks of a project have decided on. Pure.
//!
//! A project may have many locks, which need not agree: each is right for whoever works with it.

use std::collections::HashMap;

use model::{Digest, ObjectUrl};
use registry::{Coordinate, Pin};

/// The locks of a project.
#[derive(Debug, Default)]
pub(crate) struct Pins {
    all: Vec<Pinned>,
    by_package: HashMap<(&'static str, String, String), Vec<usize>>,
    by_url: HashMap<ObjectUrl, Vec<usize>>,
}

/// What one lock says of one version, of one of its files, or of one address.
#[derive(Debug)]
struct Pinned {
    coordinate: Option<Coordinate>,
    url: Option<ObjectUrl>,
    /// Those that decide; nothing where the lock only names the file.
    digests: Vec<Digest>,
    lock_name: String,
}

/// What locks say that a file must be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Each alone is enough.
    pub(crate) digests: Vec<Digest>,
    /// `a.lock`, or `a.lock or b.lock`.
    pub(crate) lock_names: String,
}

impl Pins {
    /// Takes pins, each with the name of its lock.
    pub(crate) fn new(pins: Vec<(String, Pin)>) -> Self {
        let mut all = Self::default();
        for (lock_name, Pin { coordinate, url, digests }) in pins {
            let number = all.all.len();
            if let Some(url) = &url {
                all.by_url.entry(url.clone()).or_default().push(number);
            }
            if let Some(coordinate) = &coordinate {
                all.by_package.entry(package(coordinate)).or_default().push(number);
            }
            let digests = digests.decisive().collect();
            all.all.push(Pinned { coordinate, url, digests, lock_name });
        }
        all
    }

    /// Returns whether a lock names this version, or this address.
    pub(crate) fn has(&self, coordinate: Option<&Coordinate>, url: Option<&ObjectUrl>) -> bool {
        coordinate.is_some_and(|coordinate| self.covering(coordinate).next().is_some())
            || url.is_some_and(|url| self.by_url.contains_key(url))
    }

    /// Returns what the locks say that a file must be, by what speaks most closely about it: its address, itself by name,
    /// its version. Where a lock names the address without a digest, what others say of the version binds it unless addresses
    /// of that ecosystem say nothing: there they may have another packing of it.
    pub(crate) fn verdict(&self, coordinate: Option<&Coordinate>, url: &ObjectUrl) -> Option<Verdict> {
        let mut here =
            self.at(url).filter(|pinned| is_about(pinned.coordinate.as_ref(), coordinate)).peekable();
        if here.peek().is_some() {
            let verdict = verdict(here);
            if verdict.is_some() || coordinate.is_some_and(has_files_anywhere) {
                return verdict;
            }
        }
        let coordinate = coordinate?;
        let is_exact = |pinned: &&Pinned| pinned.coordinate.as_ref().is_some_and(|it| it.file.is_some());
        verdict(self.covering(coordinate).filter(is_exact)).or_else(|| verdict(self.covering(coordinate)))
    }

    /// Returns which file an address is, where the locks that name it agree.
    pub(crate) fn coordinate(&self, url: &ObjectUrl) -> Option<&Coordinate> {
        let mut named = self.at(url).filter_map(|pinned| pinned.coordinate.as_ref());
        let first = named.next()?;
        named.all(|other| other == first).then_some(first)
    }

    /// Returns the addresses of a version.
    pub(crate) fn addresses(&self, coordinate: &Coordinate) -> impl Iterator<Item = &ObjectUrl> {
        self.of_version(coordinate).filter_map(|pinned| pinned.url.as_ref())
    }

    fn at(&self, url: &ObjectUrl) -> impl Iterator<Item = &Pinned> {
        self.by_url.get(url).into_iter().flatten().map(|number| &self.all[*number])
    }

    fn of_version(&self, coordinate: &Coordinate) -> impl Iterator<Item = &Pinned> {
        self.by_package.get(&package(coordinate)).into_iter().flatten().map(|number| &self.all[*number])
    }

    fn covering<'a>(&'a self, coordinate: &'a Coordinate) -> impl Iterator<Item = &'a Pinned> {
        let pinned = self.of_version(coordinate);
        pinned.filter(|pinned| pinned.coordinate.as_ref().is_some_and(|it| it.covers(coordinate)))
    }
}

fn package(coordinate: &Coordinate) -> (&'static str, String, String) {
    (coordinate.ecosystem, coordinate.name.clone(), coordinate.version.clone())
}

/// Returns whether a pin of an address speaks about the file that is wanted there now: another version may lie there since.
fn is_about(pinned: Option<&Coordinate>, wanted: Option<&Coordinate>) -> bool {
    pinned.zip(wanted).is_none_or(|(pinned, wanted)| pinned.covers(wanted))
}

fn has_files_anywhere(coordinate: &Coordinate) -> bool {
    registry::ecosystem(coordinate.ecosystem).is_some_and(registry::Ecosystem::has_files_anywhere)
}

/// Returns what several pins say together; nothing where none of them has a digest.
fn verdict<'a>(pinned: impl Iterator<Item = &'a Pinned>) -> Option<Verdict> {
    let mut verdict = Verdict { digests: Vec::new(), lock_names: String::new() };
    let mut names: Vec<&str> = Vec::new();
    for pinned in pinned.filter(|pinned| !pinned.digests.is_empty()) {
        for digest in &pinned.digests {
            if !verdict.digests.contains(digest) {
                verdict.digests.push(digest.clone());
            }
        }
        if !names.contains(&pinned.lock_name.as_str()) {
            names.push(&pinned.lock_name);
        }
    }
    verdict.lock_names = names.join(" or ");
    (!verdict.digests.is_empty()).then_some(verdict)
}

#[cfg(test)]
mod tests {
    use model::{DigestSet, Sha256};
    use registry::ANY_REGISTRY;

    use super::*;

    const URL: &str = "https://example.com/one/-/one-1.0.0.tgz";

    fn url(text: &str) -> ObjectUrl {
        ObjectUrl::parse(text).unwrap()
    }

    fn one(ecosystem: &'static str, registry: &str, file: Option<&str>) -> Coordinate {
        Coordinate {
            ecosystem,
            registry: registry.to_owned(),
            name: "one".to_owned(),
            version: "1.0.0".to_owned(),
            file: file.map(str::to_owned),
        }
    }

    fn digest(bytes: &str) -> Digest {
        Digest::from(Sha256::of(bytes.as_bytes()))
    }

    fn pin(coordinate: Option<Coordinate>, address: Option<&str>, bytes: Option<&str>) -> Pin {
        let digests = bytes.map(|bytes| DigestSet::from(digest(bytes))).unwrap_or_default();
        Pin { coordinate, url: address.map(url), digests }
    }

    /// Returns what pins say about `wanted` at [`URL`].
    fn verdict(pins: &[Pin], wanted: &Coordinate) -> Option<Vec<Digest>> {
        let pins = pins.iter().map(|pin| ("a.lock".to_owned(), pin.clone())).collect();
        Some(Pins::new(pins).verdict(Some(wanted), &url(URL))?.digests)
    }

    #[test]
    fn a_name_without_a_digest_decides_nothing() {
        let wanted = one("npm", "example.com", None);
        let named = pin(Some(one("npm", ANY_REGISTRY, None)), None, None);
        let at = pin(Some(wanted.clone()), Some(URL), None);
        let nameless = pin(None, Some(URL), None);
        assert_eq!(verdict(&[named, at, nameless], &wanted), None);
    }

    #[test]
    fn a_name_without_a_digest_hides_none_that_has_one() {
        let wanted = one("npm", "example.com", None);
        let digests = Some(vec![digest("one")]);
        for hollow in [
            pin(Some(wanted.clone()), Some(URL), None),
            pin(None, Some(URL), None),
            pin(Some(one("npm", ANY_REGISTRY, None)), None, None),
        ] {
            for whole in [
                pin(Some(one("npm", ANY_REGISTRY, None)), None, Some("one")),
                pin(Some(wanted.clone()), Some("https://example.com/mirror/one-1.0.0.tgz"), Some("one")),
                pin(Some(wanted.clone()), Some(URL), Some("one")),
            ] {
                assert_eq!(
                    verdict(&[hollow.clone(), whole.clone()], &wanted),
                    digests,
                    "{hollow:?} {whole:?}"
                );
                assert_eq!(verdict(&[whole, hollow.clone()], &wanted), digests, "{hollow:?}");
            }
        }
    }

    #[test]
    fn a_file_without_a_digest_is_still_one_of_its_version() {
        let wanted = one("pypi", "pypi.org", Some("one-1.0.0.zip"));
        let hollow = pin(Some(wanted.clone()), Some(URL), None);
        let whole = pin(Some(one("pypi", ANY_REGISTRY, None)), None, Some("one"));
        assert_eq!(verdict(&[hollow.clone(), whole], &wanted), Some(vec![digest("one")]));
        let other = one("pypi", ANY_REGISTRY, Some("one-1.0.0-py3-none-any.whl"));
        assert_eq!(verdict(&[hollow, pin(Some(other), None, Some("two"))], &wanted), None);
    }

    #[test]
    fn where_files_may_lie_anywhere_an_address_is_another_packing() {
        let wanted = one("composer", "packagist.org", None);
        let whole = pin(Some(wanted.clone()), Some("https://example.com/mirror/one.zip"), Some("one"));
        assert_eq!(verdict(std::slice::from_ref(&whole), &wanted), Some(vec![digest("one")]));
        assert_eq!(verdict(&[whole, pin(Some(wanted.clone()), Some(URL), None)], &wanted), None);
    }
}
