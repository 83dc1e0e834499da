//! Locks of one project that do not agree: what is right for one of them is no help to whoever installs by another.

use std::collections::BTreeSet;

use model::{Algorithm, Digest, Held, ObjectUrl};

use super::files::File;
use crate::copy;
use crate::session::Inner;

impl Inner {
    /// Says why bytes that are kept are not those that the lock pins which names this file; nothing where all locks agree, since
    /// then they were compared.
    pub(super) async fn disagrees(&self, file: &File, url: &ObjectUrl, held: &Held) -> Option<String> {
        let wanted: Vec<Digest> = file.digests.decisive().collect();
        let pinned = self.vouchers.by_lock(file.coordinate.as_ref(), url)?;
        if wanted.is_empty() || pinned.is_within(&wanted) {
            return None;
        }
        let algorithms: BTreeSet<Algorithm> = wanted.iter().map(Digest::algorithm).collect();
        let loaded = copy::load(&self.engine.store, held.clone(), self.small_bytes_max()).await;
        let got = match loaded {
            Ok(loaded) => copy::digests(loaded, algorithms).await.ok()?.1,
            // What cannot be read back is told by whoever reads it.
            Err(_) => return None,
        };
        if got.iter().any(|digest| wanted.contains(digest)) {
            return None;
        }
        let shown = |digests: &[Digest]| digests.last().map_or_else(String::new, Digest::to_string);
        let (got, wanted) = (shown(&got), shown(&wanted));
        Some(format!("a lock pins {wanted}, and its bytes are {got}, as another lock of the project pins"))
    }
}
