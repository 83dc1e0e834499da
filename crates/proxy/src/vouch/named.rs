//! What a request wants whose address does not say so: a lock of the project does, an index, or what is held.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use http::{HeaderName, HeaderValue, Method, header};
use memchr::memmem;
use model::{Held, ObjectKey, ObjectUrl, Sha256};
use registry::{Class, Coordinate, Ecosystem, FileRequest, Form, Head, IndexRequest, Redirects};

use crate::decide;
use crate::limits::{INDEX_BYTES_MAX, N_GENERATIONS_TRIED, N_UNREAD_MAX};
use crate::session::{Inner, lock};
use crate::vouch::tables::Table;
use crate::want::{Shape, Want};

/// Copies of indexes that were served without being read, or that were forgotten, of ecosystems whose files may lie anywhere.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    copies: Mutex<Copies>,
    /// Held while copies are read: who asks meanwhile needs the outcome as well.
    reading: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct Copies {
    by_key: HashMap<ObjectKey, Copied>,
    n_added: u64,
    /// For each host that was looked for in them, how many there were.
    searched: HashMap<String, u64>,
}

#[derive(Debug, Clone)]
struct Copied {
    ecosystem: &'static dyn Ecosystem,
    index: IndexRequest,
    sha256: Sha256,
    /// Its place in the order in which they were added.
    number: u64,
}

impl Unread {
    /// Takes a copy in, where files may need it.
    pub(crate) fn add(
        &self,
        ecosystem: &'static dyn Ecosystem,
        key: ObjectKey,
        index: IndexRequest,
        sha256: Sha256,
    ) {
        if !ecosystem.has_files_anywhere() {
            return;
        }
        let mut copies = lock(&self.copies);
        let is_known = copies.by_key.get(&key).is_some_and(|copied| copied.sha256 == sha256);
        if is_known {
            return;
        }
        if copies.by_key.len() >= N_UNREAD_MAX {
            tracing::warn!("`{}` is one index too many: archives that it names are not known by it", key.url);
            return;
        }
        copies.n_added += 1;
        let number = copies.n_added;
        copies.by_key.insert(key, Copied { ecosystem, index, sha256, number });
    }

    /// An index that was read is none of them any more.
    pub(crate) fn forget(&self, key: &ObjectKey) {
        lock(&self.copies).by_key.remove(key);
    }

    /// Returns the copies in which a host was not looked for, and how many were added so far.
    fn unsearched(&self, host: &str) -> (Vec<(ObjectKey, Copied)>, u64) {
        let copies = lock(&self.copies);
        let before = copies.searched.get(host).copied().unwrap_or(0);
        if before == copies.n_added {
            return (Vec::new(), before);
        }
        let is_new = |(_, copied): &(&ObjectKey, &Copied)| copied.number > before;
        let found = copies.by_key.iter().filter(is_new);
        (found.map(|(key, copied)| (key.clone(), copied.clone())).collect(), copies.n_added)
    }

    /// Takes down that a host was looked for in all copies that had been added.
    fn note_searched(&self, host: String, n_added: u64) {
        let mut copies = lock(&self.copies);
        // A session that asks more hosts than this looks for some of them again.
        if copies.searched.len() >= N_UNREAD_MAX {
            copies.searched.clear();
        }
        copies.searched.insert(host, n_added);
    }
}

impl Inner {
    /// Remembers that a copy of an index may be served, which nobody reads until a file needs it.
    pub(crate) fn note_unread(&self, want: &Want, held: &Held) {
        let Shape::Index(index) = &want.shape else { return };
        let is_known = || self.vouchers.known(&want.key).is_some_and(|(sha256, _)| sha256 == held.sha256);
        if want.ecosystem.has_files_anywhere() && decide::is_good(held) && !is_known() {
            self.vouchers.unread.add(want.ecosystem, want.key.clone(), index.clone(), held.sha256);
        }
    }

    /// Returns what a request wants, and the ecosystem that understands it.
    pub(crate) async fn classify(self: &Arc<Self>, head: &Head<'_>) -> (&'static dyn Ecosystem, Class) {
        self.named(head, registry::classify(head)).await
    }

    /// Returns what a request wants by what is known of its address beside what its address itself says.
    pub(crate) async fn named(
        self: &Arc<Self>,
        head: &Head<'_>,
        (ecosystem, class): (&'static dyn Ecosystem, Class),
    ) -> (&'static dyn Ecosystem, Class) {
        if self.is_on_its_own()
            && !matches!(class, Class::Refuse { .. })
            && let Some(known) = self.own.registries.classify(head)
        {
            return known;
        }
        let named = match class {
            Class::Document { .. } => self.file_at(head.url).await.or_else(|| self.index_at(head)),
            Class::Live { .. } if *head.method == Method::POST => self.post_at(head).await,
            _ => None,
        };
        named.unwrap_or((ecosystem, class))
    }

    async fn file_at(self: &Arc<Self>, url: &ObjectUrl) -> Option<(&'static dyn Ecosystem, Class)> {
        let mut coordinate = None;
        // What was read may be pushed out by a large one that comes meanwhile, before it is looked up: it is read once more.
        for _ in 0..2 {
            self.read_unread(url).await;
            coordinate = self.vouchers.coordinate(url);
            if coordinate.is_some() {
                break;
            }
        }
        let coordinate = coordinate?;
        let ecosystem = registry::ecosystem(coordinate.ecosystem)?;
        let variant = ecosystem.variant_of(&coordinate)?;
        let file = FileRequest {
            coordinate: Some(coordinate),
            index: None,
            variant,
            form: Form::Archive,
            redirects: Redirects::Followed,
        };
        Some((ecosystem, Class::File(file)))
    }

    /// What was an index when its own client asked is one for everybody: nothing worse may take its place.
    fn index_at(&self, head: &Head<'_>) -> Option<(&'static dyn Ecosystem, Class)> {
        let held = self.engine.store.variants(model::Method::Get, head.url).ok()?;
        let its = |ecosystem: &'static dyn Ecosystem| {
            let mut headers = head.headers.clone();
            for (name, value) in ecosystem.client() {
                headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            let class = ecosystem.classify(&Head { headers: &headers, ..*head })?;
            matches!(&class, Class::Index(index) if index.url == *head.url).then_some((ecosystem, class))
        };
        let ecosystems = held.iter().filter_map(|(_, held)| registry::ecosystem(&held.ecosystem));
        ecosystems.filter(|ecosystem| !ecosystem.client().is_empty()).find_map(its)
    }

    /// What an index says of an address counts for its own client alone. Where an answer is remembered, a question was asked
    /// before, though its client has the index in a cache of its own now.
    async fn post_at(self: &Arc<Self>, head: &Head<'_>) -> Option<(&'static dyn Ecosystem, Class)> {
        self.read_unread(head.url).await;
        let speaks = |ecosystem: &'static dyn Ecosystem| {
            let agent = ecosystem.client().first().and_then(|(_, agent)| agent.split('/').next());
            agent.is_some_and(|agent| head.header(&header::USER_AGENT).starts_with(agent))
        };
        let declared = self.vouchers.posted(head.url);
        let remembered = || {
            let answers = self.engine.store.variants(model::Method::Post, head.url).ok()?;
            let ecosystem = answers.iter().find_map(|(_, held)| registry::ecosystem(&held.ecosystem))?;
            Some((ecosystem, Class::Question))
        };
        declared.or_else(remembered).filter(|(ecosystem, _)| speaks(*ecosystem))
    }

    /// Returns where the indexes that list a file had it in their earlier generations: a repository that gives a release
    /// another address has not made another release of it.
    pub(crate) fn former_addresses(&self, coordinate: &Coordinate, own: &ObjectUrl) -> Vec<ObjectUrl> {
        let listing = self.vouchers.listing(coordinate);
        if listing.is_empty() {
            return Vec::new();
        }
        let version = memmem::Finder::new(&coordinate.version);
        let former = |(key, now, table): (ObjectKey, Sha256, Arc<Table>)| {
            let generations = self.engine.store.generations(&key).unwrap_or_default();
            let earlier =
                generations.into_iter().rev().filter(|held| decide::is_good(held) && held.sha256 != now);
            let mut found = Vec::new();
            for held in earlier.take(N_GENERATIONS_TRIED) {
                let Ok(body) = self.engine.store.read_blob(&held.sha256, INDEX_BYTES_MAX) else { continue };
                if version.find(&body).is_none() {
                    continue;
                }
                let facts = table.ecosystem.read_index(&table.index, &body).unwrap_or_default();
                let same =
                    facts.vouched.into_iter().filter(|file| file.coordinate.as_ref() == Some(coordinate));
                found.extend(same.filter_map(|file| file.url).filter(|url| url != own));
            }
            found
        };
        tokio::task::block_in_place(|| listing.into_iter().flat_map(former).collect())
    }

    /// Reads the copies that may name an address. To read all of them would cost an update of hundreds of packages more
    /// than to look for the host in their bytes.
    async fn read_unread(self: &Arc<Self>, url: &ObjectUrl) {
        let unread = &self.vouchers.unread;
        if lock(&unread.copies).by_key.is_empty() {
            return;
        }
        // The thread keeps it, also where the client that asked goes away.
        let reading = unread.reading.clone().lock_owned().await;
        let (unsearched, n_added) = unread.unsearched(url.host());
        if unsearched.is_empty() {
            return;
        }
        let (inner, host) = (self.clone(), url.host().to_owned());
        let read = move || {
            let name = memmem::Finder::new(&host);
            for (key, Copied { ecosystem, index, sha256, .. }) in unsearched {
                let Ok(body) = inner.engine.store.read_blob(&sha256, INDEX_BYTES_MAX) else { continue };
                // What lies on its own host, an index may name without it.
                if key.url.host() == host || name.find(&body).is_some() {
                    inner.learn_body(ecosystem, &index, &key, sha256, &body);
                }
            }
            inner.vouchers.unread.note_searched(host, n_added);
            drop(reading);
        };
        if let Err(error) = tokio::task::spawn_blocking(read).await {
            tracing::error!("reading the copies of indexes failed: {error}");
        }
    }
}
