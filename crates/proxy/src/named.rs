//! Which file lies at an address that says nothing about it: a lock of the project says so, or an index.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use memchr::memmem;
use model::{Held, ObjectKey, ObjectUrl};
use registry::{Ecosystem, FileRequest, IndexRequest, Redirects};

use crate::decide;
use crate::limits::{INDEX_BYTES_MAX, N_UNREAD_MAX};
use crate::session::{Inner, lock};
use crate::want::{Shape, Want};

/// A file at such an address.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) ecosystem: &'static dyn Ecosystem,
    pub(crate) file: FileRequest,
}

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

    /// Returns the file that a lock or an index names at an address.
    pub(crate) async fn file_at(self: &Arc<Self>, url: &ObjectUrl) -> Option<Named> {
        self.read_unread(url).await;
        let coordinate = self.vouchers.coordinate(url)?;
        let ecosystem = registry::ecosystem(coordinate.ecosystem)?;
        let variant = ecosystem.variant_of(&coordinate)?;
        let redirects = Redirects::Followed;
        Some(Named {
            ecosystem,
            file: FileRequest { coordinate: Some(coordinate), index: None, variant, redirects },
        })
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
            let host = memmem::Finder::new(&host);
            for (key, copied) in unsearched {
                let body = inner.engine.store.read_blob(&copied.held.sha256, INDEX_BYTES_MAX);
                if body.is_ok_and(|body| host.find(&body).is_some()) {
                    inner.table(copied.ecosystem, &copied.index, &key, &copied.held);
                }
            }
        };
        if let Err(error) = tokio::task::spawn_blocking(read).await {
            tracing::error!("reading the copies of indexes failed: {error}");
        }
    }
}
