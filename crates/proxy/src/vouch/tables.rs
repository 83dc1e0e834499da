//! What the indexes that were read vouch for: which files they list, where, and with which digests. Pure.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use model::{Digest, DigestSet, ObjectKey, ObjectUrl, Sha256};
use registry::{Class, Coordinate, Ecosystem, IndexFacts, IndexRequest, Vouched};

/// What one index vouches for, ready to be asked.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) ecosystem: &'static dyn Ecosystem,
    pub(crate) index: IndexRequest,
    pub(crate) facts: IndexFacts,
    by_coordinate: HashMap<Coordinate, usize>,
    /// Nothing where one address has several versions: it does not say which.
    by_url: HashMap<ObjectUrl, Option<usize>>,
    /// About how much memory it takes.
    size_bytes: usize,
}

/// What a file takes beside its texts: the numbers, hashes and lengths of four collections.
const FILE_BYTES: usize = 500;

impl Table {
    pub(crate) fn new(ecosystem: &'static dyn Ecosystem, index: IndexRequest, facts: IndexFacts) -> Self {
        let mut by_coordinate = HashMap::new();
        let mut by_url = HashMap::new();
        let mut size_bytes = facts.versions.iter().map(|version| version.len() + 50).sum();
        for listed in &facts.documents {
            size_bytes += FILE_BYTES + listed.url.as_str().len() * (1 + listed.by_digest.len());
        }
        for (number, vouched) in facts.vouched.iter().enumerate() {
            size_bytes += FILE_BYTES + text_bytes(vouched);
            if let Some(coordinate) = &vouched.coordinate {
                by_coordinate.insert(coordinate.clone(), number);
            }
            if let Some(url) = &vouched.url {
                let is_same = |other: usize| facts.vouched[other].coordinate == vouched.coordinate;
                by_url
                    .entry(url.clone())
                    .and_modify(|known: &mut Option<usize>| *known = known.filter(|other| is_same(*other)))
                    .or_insert(Some(number));
            }
        }
        Self { ecosystem, index, facts, by_coordinate, by_url, size_bytes }
    }

    /// Returns the digests of a file, if there are any.
    pub(crate) fn digests(&self, coordinate: Option<&Coordinate>, url: &ObjectUrl) -> Option<&DigestSet> {
        let listed = self.by_url.get(url).and_then(Option::as_ref);
        let number = listed.or_else(|| self.by_coordinate.get(coordinate?))?;
        Some(&self.facts.vouched[*number].digests).filter(|digests| !digests.is_empty())
    }

    /// Returns which file an address is, nothing within where it has several; `None` where it is not listed.
    fn named(&self, url: &ObjectUrl) -> Option<Option<&Coordinate>> {
        let number = self.by_url.get(url)?;
        Some(number.and_then(|number| self.facts.vouched[number].coordinate.as_ref()))
    }

    fn address(&self, coordinate: &Coordinate) -> Option<&ObjectUrl> {
        let Vouched { url, .. } = &self.facts.vouched[*self.by_coordinate.get(coordinate)?];
        url.as_ref()
    }
}

/// Returns the bytes of a file's texts, those of its name and address twice.
fn text_bytes(vouched: &Vouched) -> usize {
    let name = vouched.coordinate.as_ref().map_or(0, |coordinate| {
        let file = coordinate.file.as_deref().unwrap_or_default();
        [&coordinate.registry, &coordinate.name, &coordinate.version, file].map(str::len).iter().sum()
    });
    let address = vouched.url.as_ref().map_or(0, |url| url.as_str().len());
    vouched.version.len() + 2 * (name + address)
}

/// A table, and the document that it was read from.
type Learned = (ObjectKey, Sha256, Arc<Table>);

/// The tables of a session. Questions that no name answers go through all of them, newest first.
#[derive(Debug)]
pub(crate) struct Tables {
    /// By number; the newest has the greatest.
    learned: BTreeMap<u64, Learned>,
    numbers: HashMap<ObjectKey, u64>,
    next: u64,
    size_bytes: usize,
    size_bytes_max: usize,
}

impl Tables {
    pub(crate) fn bounded(size_bytes_max: usize) -> Self {
        let (learned, numbers) = (BTreeMap::new(), HashMap::new());
        Self { learned, numbers, next: 0, size_bytes: 0, size_bytes_max }
    }

    /// Takes a table in; returns the oldest ones, for which there is no more room.
    pub(crate) fn learn(&mut self, key: ObjectKey, sha256: Sha256, table: Arc<Table>) -> Vec<Learned> {
        self.size_bytes += table.size_bytes;
        // A newer one of the same document stays as old as that is.
        let number = *self.numbers.entry(key.clone()).or_insert(self.next);
        self.next += 1;
        if let Some((.., before)) = self.learned.insert(number, (key, sha256, table)) {
            self.size_bytes -= before.size_bytes;
        }
        let mut forgotten = Vec::new();
        // What came stays, however large it is: it is about to be asked.
        while self.size_bytes > self.size_bytes_max {
            let oldest = self.learned.keys().copied().find(|other| *other != number);
            let Some((key, sha256, table)) = oldest.and_then(|oldest| self.learned.remove(&oldest)) else {
                break;
            };
            self.numbers.remove(&key);
            self.size_bytes -= table.size_bytes;
            forgotten.push((key, sha256, table));
        }
        forgotten
    }

    pub(crate) fn known(&self, key: &ObjectKey) -> Option<(Sha256, Arc<Table>)> {
        let (_, sha256, table) = self.learned.get(self.numbers.get(key)?)?;
        Some((*sha256, table.clone()))
    }

    /// Returns which file an address is, nothing within where indexes do not agree or one does not know; `None` where none
    /// lists it.
    pub(crate) fn named(&self, url: &ObjectUrl) -> Option<Option<Coordinate>> {
        let listing = |table: &&Arc<Table>| table.ecosystem.has_files_anywhere();
        let mut named = self.newest_first().map(|(_, table)| table).filter(listing);
        let first = named.find_map(|table| table.named(url))?;
        let is_other = |other: &Coordinate| {
            first.is_none_or(|first| (&first.name, &first.version) != (&other.name, &other.version))
        };
        let disagrees = named.filter_map(|table| table.named(url)).any(|other| other.is_none_or(is_other));
        Some(first.filter(|_| !disagrees).cloned())
    }

    /// Returns where indexes list a file.
    pub(crate) fn addresses(&self, coordinate: &Coordinate) -> impl Iterator<Item = &ObjectUrl> {
        self.newest_first().filter_map(|(_, table)| table.address(coordinate))
    }

    /// Returns where indexes list a file by the version that a client asks for.
    pub(crate) fn address_of_version(&self, asked: &Coordinate) -> Option<&ObjectUrl> {
        self.newest_first().find_map(|(_, table)| {
            let is_it = |file: &&Vouched| {
                file.coordinate.as_ref().is_some_and(|it| {
                    (it.ecosystem, &it.registry, &it.name) == (asked.ecosystem, &asked.registry, &asked.name)
                }) && table.ecosystem.is_version(&file.version, &asked.version)
            };
            table.facts.vouched.iter().find(is_it)?.url.as_ref()
        })
    }

    /// Returns the indexes that list a file.
    pub(crate) fn listing(&self, coordinate: &Coordinate) -> Vec<Learned> {
        let listing =
            self.learned.values().filter(|(.., table)| table.by_coordinate.contains_key(coordinate));
        listing.cloned().collect()
    }

    /// Returns what an index says of an address to which clients post.
    pub(crate) fn posted(&self, url: &ObjectUrl) -> Option<(&'static dyn Ecosystem, Class)> {
        self.newest_first().find_map(|(_, table)| {
            let (_, class) = table.facts.posts.iter().find(|(declared, _)| declared == url)?;
            Some((table.ecosystem, class.clone()))
        })
    }

    /// Returns the digests of a file by the newest index that has some, and which that is.
    pub(crate) fn digests(
        &self,
        coordinate: Option<&Coordinate>,
        url: &ObjectUrl,
    ) -> Option<(Vec<Digest>, &ObjectUrl)> {
        self.newest_first()
            .find_map(|(key, table)| Some((table.digests(coordinate, url)?.decisive().collect(), &key.url)))
    }

    fn newest_first(&self) -> impl Iterator<Item = (&ObjectKey, &Arc<Table>)> {
        self.learned.values().rev().map(|(key, _, table)| (key, table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://web.example/dist/one.zip";

    fn url(text: &str) -> ObjectUrl {
        ObjectUrl::parse(text).unwrap()
    }

    /// A document of Packagist that lists one version of `acme/one` at [`URL`] for each reference.
    fn document(name: &str, references: &[&str]) -> (ObjectKey, Arc<Table>) {
        let ecosystem = registry::ecosystem("composer").unwrap();
        let key = ObjectKey::get(url(&format!("https://repo.packagist.org/p2/acme/{name}.json")));
        let index = IndexRequest {
            url: key.url.clone(),
            variant: String::new(),
            accept: None,
            subject: format!("acme/{name}"),
        };
        let versions: Vec<_> = references
            .iter()
            .map(|reference| {
                let dist = serde_json::json!({ "type": "zip", "url": URL, "reference": reference });
                serde_json::json!({ "version": format!("1.{reference}"), "dist": dist })
            })
            .collect();
        let body = serde_json::json!({ "packages": { (format!("acme/{name}")): versions } }).to_string();
        let facts = ecosystem.read_index(&index, body.as_bytes()).unwrap();
        (key, Arc::new(Table::new(ecosystem, index, facts)))
    }

    fn learn(tables: &mut Tables, (key, table): (ObjectKey, Arc<Table>)) -> Vec<ObjectKey> {
        let forgotten = tables.learn(key, Sha256::of(b""), table);
        forgotten.into_iter().map(|(key, ..)| key).collect()
    }

    #[test]
    fn an_address_is_what_all_indexes_say_that_it_is() {
        let mut tables = Tables::bounded(1 << 20);
        assert_eq!(tables.named(&url(URL)), None, "nobody lists it");
        learn(&mut tables, document("one", &["1"]));
        let named = tables.named(&url(URL)).unwrap().unwrap();
        assert_eq!((&*named.name, &*named.version), ("acme/one", "1"));
        assert_eq!(tables.addresses(&named).collect::<Vec<_>>(), [&url(URL)]);
        learn(&mut tables, document("two", &["1"]));
        assert_eq!(tables.named(&url(URL)), Some(None), "another package");
        learn(&mut tables, document("two", &[]));
        assert!(tables.named(&url(URL)).unwrap().is_some(), "and no longer");
        learn(&mut tables, document("one", &["1", "2"]));
        assert_eq!(tables.named(&url(URL)), Some(None), "one document with two versions");
    }

    #[test]
    fn the_oldest_makes_room_and_the_newest_stays() {
        let mut tables = Tables::bounded(3 * document("a", &["1"]).1.size_bytes);
        for name in ["a", "b", "c"] {
            assert_eq!(learn(&mut tables, document(name, &["1"])), []);
        }
        assert_eq!(learn(&mut tables, document("b", &["1"])), [], "in place of the one before");
        assert_eq!(learn(&mut tables, document("d", &["1"])), [document("a", &[]).0]);
        let large: Vec<String> = (0..9).map(|n| n.to_string()).collect();
        let large: Vec<&str> = large.iter().map(String::as_str).collect();
        assert_eq!(learn(&mut tables, document("e", &large)).len(), 3);
        assert!(tables.known(&document("e", &[]).0).is_some());
        assert_eq!(tables.newest_first().count(), 1);
        // One that has grown is as old as it was, and stays all the same.
        let mut tables = Tables::bounded(3 * document("a", &["1"]).1.size_bytes);
        learn(&mut tables, document("a", &["1"]));
        learn(&mut tables, document("b", &["1"]));
        assert_eq!(learn(&mut tables, document("a", &large)), [document("b", &[]).0]);
        assert!(tables.known(&document("a", &[]).0).is_some());
    }
}
