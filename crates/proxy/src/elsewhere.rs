//! The same file at other addresses: those of its registry, and those that locks and indexes name for one release.

use model::{Held, ObjectKey, ObjectUrl};
use registry::Coordinate;

use crate::decide;
use crate::session::Inner;
use crate::want::{Shape, Want};

impl Inner {
    /// Returns the same file from another name of its registry.
    pub(crate) fn at_a_twin(&self, want: &Want) -> Option<Held> {
        let Shape::File(_) = &want.shape else { return None };
        let held =
            |url: ObjectUrl| self.engine.store.lookup(&ObjectKey { url, ..want.key.clone() }).ok().flatten();
        let mut twins = want.ecosystem.twins(want.url.object()).into_iter().filter_map(held);
        twins.find(|held| decide::is_good(held) && held.immutable)
    }

    /// Returns of which package and commit a file is, by its own address or by what is said of it.
    fn commit_of(&self, want: &Want) -> Option<Coordinate> {
        let Shape::File(file) = &want.shape else { return None };
        let listed = || self.vouchers.coordinate(want.url.object());
        file.coordinate.clone().or_else(listed).filter(Coordinate::is_of_a_commit)
    }

    /// Returns the release that a file is, under the name that the journal has for it.
    pub(crate) fn release(&self, want: &Want) -> Option<String> {
        let coordinate = self.commit_of(want)?;
        let named = registry::ecosystem(coordinate.ecosystem)?.variant_of(&coordinate)?;
        Some(format!("{} {named}", coordinate.ecosystem))
    }

    /// Returns the same file from another address that this project's locks, or an index it read, name for it: a mirror,
    /// or where that index had it before. What other projects say about a commit is not believed.
    pub(crate) fn at_a_sibling(&self, want: &Want) -> Option<Held> {
        let coordinate = self.commit_of(want)?;
        let named = registry::ecosystem(coordinate.ecosystem)?.variant_of(&coordinate);
        let variants = [Some(String::new()), named];
        let keys = |url: ObjectUrl| {
            let variants = variants.iter().flatten();
            variants.map(move |variant| ObjectKey {
                method: want.key.method,
                url: url.clone(),
                variant: want.who.partition(variant),
            })
        };
        let held = |urls: Vec<ObjectUrl>| {
            let known = |key| self.engine.store.lookup(&key).ok().flatten();
            let mut held = urls.into_iter().flat_map(&keys).filter_map(known);
            held.find(|held| decide::is_good(held) && held.immutable)
        };
        let own = want.url.object();
        held(self.vouchers.siblings(&coordinate, own))
            .or_else(|| held(self.former_addresses(&coordinate, own)))
    }
}
