//! Who vouches for a file: a lock of the project, or the index of its registry.

pub(crate) mod named;
pub(crate) mod pins;
pub(crate) mod tables;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use model::{Algorithm, Digest, Held, ObjectKey, ObjectUrl, Proof, SafeUrl, Sha256};
use registry::{Class, Coordinate, Ecosystem, FileRequest, IndexRequest, Pin, Vouched};

use crate::copy::Prior;
use crate::decide::{self, Kind};
use crate::flight::End;
use crate::limits::{FACTS_BYTES_MAX, INDEX_BYTES_MAX};
use crate::session::{Inner, lock};
use crate::upstream::Chooser;
use crate::vouch::named::Unread;
use crate::vouch::pins::Pins;
use crate::vouch::tables::{Table, Tables};
use crate::want::{Asker, Shape, Want, is_as_sent};

/// Digests that somebody vouches for, and who.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expectation {
    /// Each alone is enough.
    digests: Vec<Digest>,
    pub(crate) vouched_by: String,
    /// What bytes are that meet it: the first bytes seen vouch for nothing but themselves.
    pub(crate) proof: Proof,
    /// The first bytes seen, where it is they that vouch.
    pub(crate) first: Option<Sha256>,
}

impl Expectation {
    fn verified(digests: impl IntoIterator<Item = Digest>, vouched_by: String) -> Self {
        Self { digests: digests.into_iter().collect(), vouched_by, proof: Proof::Verified, first: None }
    }

    /// Returns that it be the first bytes again, where these are lost.
    pub(crate) fn of_first(prior: &Prior) -> Option<Self> {
        let (sha256, proof) = prior.first_bytes().map(|first| (first.sha256, first.proof))?;
        let digests = vec![Digest::from(sha256)];
        let vouched_by = "the first bytes seen".to_owned();
        Some(Self { digests, vouched_by, proof, first: Some(sha256) })
    }

    /// Returns the algorithms to hash by.
    pub(crate) fn algorithms(&self) -> BTreeSet<Algorithm> {
        self.digests.iter().map(Digest::algorithm).collect()
    }

    /// Returns whether bytes of these digests meet it.
    pub(crate) fn accepts(&self, got: &[Digest]) -> bool {
        got.iter().any(|digest| self.digests.contains(digest))
    }

    /// Returns whether these digests are all that it has.
    pub(crate) fn is_within(&self, digests: &[Digest]) -> bool {
        self.digests.iter().all(|digest| digests.contains(digest))
    }

    /// Returns the digests as a message has them: `sha256:… or sha512:…`.
    pub(crate) fn expected(&self) -> String {
        self.digests.iter().map(Digest::to_string).collect::<Vec<_>>().join(" or ")
    }
}

/// The locks of the project, and the indexes read so far.
#[derive(Debug)]
pub(crate) struct Vouchers {
    pins: Pins,
    tables: Mutex<Tables>,
    pub(crate) unread: Unread,
    /// Copies that were compared with a lock in this session, each with the digest that contradicts it.
    compared: Mutex<HashMap<(ObjectKey, Sha256), Option<String>>>,
}

impl Vouchers {
    pub(crate) fn new(pins: Vec<(String, Pin)>) -> Self {
        Self {
            pins: Pins::new(pins),
            tables: Mutex::new(Tables::bounded(FACTS_BYTES_MAX)),
            unread: Unread::default(),
            compared: Mutex::default(),
        }
    }

    /// Returns the outcome of comparing a copy with a lock, if it was compared.
    pub(crate) fn compared(&self, copy: &(ObjectKey, Sha256)) -> Option<Option<String>> {
        lock(&self.compared).get(copy).cloned()
    }

    /// Remembers the outcome: nothing, or the digest that contradicts the lock.
    pub(crate) fn note_compared(&self, copy: (ObjectKey, Sha256), contradiction: Option<String>) {
        lock(&self.compared).insert(copy, contradiction);
    }

    /// Remembers what an index vouches for. One for which there is no more room is read again where a file needs it.
    pub(crate) fn learn(&self, key: ObjectKey, sha256: Sha256, table: Arc<Table>) {
        self.unread.forget(&key);
        let forgotten = lock(&self.tables).learn(key, sha256, table);
        for (key, sha256, table) in forgotten {
            self.unread.add(table.ecosystem, key, table.index.clone(), sha256);
        }
    }

    /// Returns whether a lock pins this version.
    pub(crate) fn pins(&self, vouched: &Vouched) -> bool {
        self.pins.has(vouched.coordinate.as_ref(), vouched.url.as_ref())
    }

    /// Returns what the locks say that a file must be.
    pub(crate) fn by_lock(&self, coordinate: Option<&Coordinate>, url: &ObjectUrl) -> Option<Expectation> {
        let verdict = self.pins.verdict(coordinate, url)?;
        Some(Expectation::verified(verdict.digests, verdict.lock_names))
    }

    /// Returns which file an address is, where an index that was read or a lock says so. The index first: who updates has
    /// read it, and who installs from the lock has not.
    pub(crate) fn coordinate(&self, url: &ObjectUrl) -> Option<Coordinate> {
        match lock(&self.tables).named(url) {
            Some(listed) => listed,
            None => self.pins.coordinate(url).cloned(),
        }
    }

    /// Returns the other addresses of a file by what the locks of this project say, and indexes of the same registry.
    pub(crate) fn siblings(&self, coordinate: &Coordinate, own: &ObjectUrl) -> Vec<ObjectUrl> {
        let tables = lock(&self.tables);
        let all = self.pins.addresses(coordinate).chain(tables.addresses(coordinate));
        all.filter(|url| *url != own).cloned().collect()
    }

    /// Returns where a file lies by what the indexes say that were read.
    pub(crate) fn address(&self, coordinate: &Coordinate) -> Option<ObjectUrl> {
        lock(&self.tables).addresses(coordinate).next().cloned()
    }

    /// Returns where a file lies by the version that a client asks for, by what the indexes of its registry say that were read.
    pub(crate) fn address_of_version(&self, coordinate: &Coordinate) -> Option<ObjectUrl> {
        lock(&self.tables).address_of_version(coordinate).cloned()
    }

    /// Returns the indexes that list a file.
    pub(crate) fn listing(&self, coordinate: &Coordinate) -> Vec<(ObjectKey, Sha256, Arc<Table>)> {
        lock(&self.tables).listing(coordinate)
    }

    /// Returns what an index that was read says of an address to which clients post.
    pub(crate) fn posted(&self, url: &ObjectUrl) -> Option<(&'static dyn Ecosystem, Class)> {
        lock(&self.tables).posted(url)
    }

    pub(crate) fn known(&self, key: &ObjectKey) -> Option<(Sha256, Arc<Table>)> {
        lock(&self.tables).known(key)
    }

    /// Asks every index read so far, for files whose own index cannot be told from their address.
    fn anywhere(&self, coordinate: Option<&Coordinate>, url: &ObjectUrl) -> Option<Expectation> {
        let tables = lock(&self.tables);
        let (digests, vouched_by) = tables.digests(coordinate, url)?;
        Some(Expectation::verified(digests, vouched_by.to_string()))
    }
}

impl Inner {
    /// Returns the name under which an index is kept that Outlast asks for itself.
    fn key_of(&self, index: &IndexRequest) -> ObjectKey {
        let variant = self.own.who(index.url.host()).partition(&index.variant);
        ObjectKey { variant, ..ObjectKey::get(index.url.clone()) }
    }

    /// Returns the digests that the bytes of `want` must have, if anybody vouches for them.
    pub(crate) async fn expectation(self: &Arc<Self>, want: &Want, prior: &Prior) -> Option<Expectation> {
        if let Some(vouched) = self.vouched(want).await {
            return Some(vouched);
        }
        Expectation::of_first(prior)
    }

    /// Returns the digests that a lock or an index vouches for.
    pub(crate) async fn vouched(self: &Arc<Self>, want: &Want) -> Option<Expectation> {
        let url = want.url.object();
        match &want.shape {
            Shape::Index(_) => None,
            Shape::Document(_) => self.vouchers.by_lock(None, url),
            Shape::File(file) => {
                let coordinate = file.coordinate.as_ref();
                if let Some(pinned) = self.vouchers.by_lock(coordinate, url) {
                    return Some(pinned);
                }
                if let Some(named) = want.ecosystem.named_digest(url) {
                    return Some(Expectation::verified([named], "its own address".to_owned()));
                }
                if let Some(vouched) = self.by_index(want.ecosystem, file, url).await {
                    return Some(vouched);
                }
                self.vouchers.anywhere(coordinate, url)
            }
        }
    }

    async fn by_index(
        self: &Arc<Self>,
        ecosystem: &'static dyn Ecosystem,
        file: &FileRequest,
        url: &ObjectUrl,
    ) -> Option<Expectation> {
        let index = file.index.as_ref()?;
        let key = self.key_of(index);
        let vouched_by = index.url.to_string();
        let from = |table: &Table| {
            let digests = table.digests(file.coordinate.as_ref(), url)?.decisive();
            Some(Expectation::verified(digests, vouched_by.clone()))
        };
        if let Some(found) = self.vouchers.known(&key).and_then(|(_, table)| from(&table)) {
            return Some(found);
        }
        let variants = self.engine.store.variants(model::Method::Get, &index.url).unwrap_or_default();
        let may_vouch = |(key, held): &(ObjectKey, Held)| decide::is_good(held) && !is_as_sent(key);
        for (key, newest) in variants.into_iter().filter(may_vouch) {
            // As of a moment, only what was held then says what the files were.
            let held = match self.at {
                None => Some(newest),
                Some(_) => self.lookup(&key, Kind::Index).ok().flatten(),
            };
            let Some(held) = held else { continue };
            if let Some(found) = self.table(ecosystem, index, &key, &held).and_then(|table| from(&table)) {
                return Some(found);
            }
        }
        if self.at.is_some() {
            return None;
        }
        let table = self.fetch_index(ecosystem, index).await?;
        from(&table)
    }

    /// Returns what a held index vouches for.
    pub(crate) fn table(
        &self,
        ecosystem: &'static dyn Ecosystem,
        index: &IndexRequest,
        key: &ObjectKey,
        held: &Held,
    ) -> Option<Arc<Table>> {
        if let Some((sha256, table)) = self.vouchers.known(key)
            && sha256 == held.sha256
        {
            return Some(table);
        }
        // Megabytes of JSON are nothing for a thread that serves others.
        tokio::task::block_in_place(|| {
            let body = self.engine.store.read_blob(&held.sha256, INDEX_BYTES_MAX).ok()?;
            self.learn_body(ecosystem, index, key, held.sha256, &body)
        })
    }

    /// Reads a held index, and remembers what it vouches for.
    pub(crate) fn learn_body(
        &self,
        ecosystem: &'static dyn Ecosystem,
        index: &IndexRequest,
        key: &ObjectKey,
        sha256: Sha256,
        body: &[u8],
    ) -> Option<Arc<Table>> {
        let facts = ecosystem.read_index(index, body).ok()?;
        let table = Arc::new(Table::new(ecosystem, index.clone(), facts));
        self.vouchers.learn(key.clone(), sha256, table.clone());
        Some(table)
    }

    /// Reads an index as it is held, however old, and remembers what it vouches for.
    pub(crate) fn read_held(&self, ecosystem: &'static dyn Ecosystem, index: &IndexRequest) {
        let key = self.key_of(index);
        if let Some(held) = self.lookup(&key, Kind::Index).ok().flatten().filter(decide::is_good) {
            self.table(ecosystem, index, &key, &held);
        }
    }

    /// Returns what an index vouches for, as it is held or, where nothing is, as its upstream has it.
    pub(crate) async fn held_or_fetched(
        self: &Arc<Self>,
        ecosystem: &'static dyn Ecosystem,
        index: &IndexRequest,
    ) -> Option<Arc<Table>> {
        let key = self.key_of(index);
        let held = self.lookup(&key, Kind::Index).ok().flatten();
        let is_recent = |held: &Held| {
            let age = self.engine.clock.now().duration_since(held.confirmed_at).unsigned_abs();
            age < self.engine.index_fresh_for
        };
        if let Some(held) = held.as_ref().filter(|held| decide::is_good(held) && is_recent(held)) {
            return self.table(ecosystem, index, &key, held);
        }
        self.fetch_index(ecosystem, index).await
    }

    /// Fetches an index that no client asked for, because a file needs somebody to vouch for it.
    async fn fetch_index(
        self: &Arc<Self>,
        ecosystem: &'static dyn Ecosystem,
        index: &IndexRequest,
    ) -> Option<Arc<Table>> {
        let url = SafeUrl::from(index.url.clone());
        let client = http::HeaderMap::new();
        let who = self.own.who(index.url.host());
        let asker = Asker { client: &client, who, chooser: Chooser::Outlast };
        let want = Want::index(url, index.clone(), asker, ecosystem);
        let key = want.key.clone();
        let copy = self.copy(&want).await;
        let flight = self.join(Arc::new(want), copy.prior());
        match flight.ended().await {
            End::Landed { held, .. } if decide::is_good(&held) => self.table(ecosystem, index, &key, &held),
            _ => None,
        }
    }
}
