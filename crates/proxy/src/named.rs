//! What a request wants whose address does not say so: a lock of the project does, an index, or what is held.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderValue, Method, header};
use memchr::memmem;
use model::{Held, ObjectKey, ObjectUrl};
use registry::{Class, Ecosystem, FileRequest, Head, IndexRequest, Redirects};

use crate::decide;
use crate::headers;
use crate::limits::{INDEX_BYTES_MAX, N_UNREAD_MAX};
use crate::session::{Inner, lock};
use crate::want::{Shape, Want};

/// Copies of indexes that were served without being read, of ecosystems whose files may lie anywhere.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    copies: Mutex<Copies>,
    /// Held while copies are read: who asks meanwhile needs the outcome as well.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Copies {
    by_key: HashMap<ObjectKey, Copied>,
    n_served: u64,
    /// For each host that was looked for in them, how many there were.
    searched: HashMap<String, u64>,
}

#[derive(Debug, Clone)]
struct Copied {
    ecosystem: &'static dyn Ecosystem,
    index: IndexRequest,
    held: Held,
    /// Its place in the order in which they were served.
    number: u64,
}

impl Unread {
    fn add(&self, want: &Want, index: &IndexRequest, held: &Held) {
        let mut copies = lock(&self.copies);
        if copies.by_key.len() < N_UNREAD_MAX {
            copies.n_served += 1;
            let (index, held, number) = (index.clone(), held.clone(), copies.n_served);
            copies.by_key.insert(want.key.clone(), Copied { ecosystem: want.ecosystem, index, held, number });
        }
    }

    /// An index that was read is none of them any more.
    pub(crate) fn forget(&self, key: &ObjectKey) {
        lock(&self.copies).by_key.remove(key);
    }

    /// Returns the copies in which a host was not looked for, and takes it that this is done now.
    fn unsearched(&self, host: &str) -> Vec<(ObjectKey, Copied)> {
        let mut copies = lock(&self.copies);
        let n_served = copies.n_served;
        let before = copies.searched.insert(host.to_owned(), n_served).unwrap_or(0);
        let is_new = |(_, copied): &(&ObjectKey, &Copied)| copied.number > before;
        copies.by_key.iter().filter(is_new).map(|(key, copied)| (key.clone(), copied.clone())).collect()
    }
}

impl Inner {
    /// Remembers that a copy of an index may be served, which nobody reads until a file needs it.
    pub(crate) fn note_unread(&self, want: &Want, held: &Held) {
        let Shape::Index(index) = &want.shape else { return };
        let is_known = || self.vouchers.known(&want.key).is_some_and(|(sha256, _)| sha256 == held.sha256);
        if want.ecosystem.has_files_anywhere() && decide::is_good(held) && !is_known() {
            self.vouchers.unread.add(want, index, held);
        }
    }

    /// Returns what a request wants, and the ecosystem that understands it.
    pub(crate) async fn classify(self: &Arc<Self>, head: &Head<'_>) -> (&'static dyn Ecosystem, Class) {
        let (ecosystem, class) = registry::classify(head);
        let named = match class {
            Class::Document { .. } => self.file_at(head.url).await.or_else(|| self.index_at(head)),
            Class::Live { .. } if *head.method == Method::POST => self.post_at(head.url).await,
            _ => None,
        };
        named.unwrap_or((ecosystem, class))
    }

    async fn file_at(self: &Arc<Self>, url: &ObjectUrl) -> Option<(&'static dyn Ecosystem, Class)> {
        self.read_unread(url).await;
        let coordinate = self.vouchers.coordinate(url)?;
        let ecosystem = registry::ecosystem(coordinate.ecosystem)?;
        let variant = ecosystem.variant_of(&coordinate)?;
        let redirects = Redirects::Followed;
        let file = FileRequest { coordinate: Some(coordinate), index: None, variant, redirects };
        Some((ecosystem, Class::File(file)))
    }

    /// What was an index when its own client asked is one for everybody: nothing worse may take its place.
    fn index_at(&self, head: &Head<'_>) -> Option<(&'static dyn Ecosystem, Class)> {
        let variant = headers::partitioned("", head.headers, &head.url.clone().into());
        let key = ObjectKey { method: model::Method::Get, url: head.url.clone(), variant };
        let held = self.engine.store.lookup(&key).ok()??;
        let ecosystem = registry::ecosystem(&held.ecosystem)?;
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(ecosystem.user_agent()?));
        let class = ecosystem.classify(&Head { headers: &headers, ..*head })?;
        matches!(&class, Class::Index(index) if index.url == *head.url).then_some((ecosystem, class))
    }

    async fn post_at(self: &Arc<Self>, url: &ObjectUrl) -> Option<(&'static dyn Ecosystem, Class)> {
        self.read_unread(url).await;
        self.vouchers.posted(url)
    }

    /// Reads the copies that may name an address. To read all of them would cost an update of hundreds of packages more
    /// than to look for the host in their bytes.
    async fn read_unread(self: &Arc<Self>, url: &ObjectUrl) {
        let unread = &self.vouchers.unread;
        if lock(&unread.copies).by_key.is_empty() {
            return;
        }
        let _reading = unread.reading.lock().await;
        let unsearched = unread.unsearched(url.host());
        if unsearched.is_empty() {
            return;
        }
        let (inner, host) = (self.clone(), url.host().to_owned());
        let read = move || {
            let name = memmem::Finder::new(&host);
            for (key, copied) in unsearched {
                let body = || inner.engine.store.read_blob(&copied.held.sha256, INDEX_BYTES_MAX);
                // What lies on its own host, an index may name without it.
                if key.url.host() == host || body().is_ok_and(|body| name.find(&body).is_some()) {
                    inner.table(copied.ecosystem, &copied.index, &key, &copied.held);
                }
            }
        };
        if let Err(error) = tokio::task::spawn_blocking(read).await {
            tracing::error!("reading the copies of indexes failed: {error}");
        }
    }
}
