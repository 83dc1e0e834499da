//! Tells other bytes of the same content from other content: forges pack their archives anew at times.

use std::fs::File;
use std::sync::Arc;

use model::{Event, Sha256};
use registry::archive;

use crate::decide::Kind;
use crate::session::{Inner, lock};
use crate::want::Want;

/// Archives up to this size are unpacked once they are kept: more would cost a build's machine too much.
const UNPACKED_BYTES_MAX: u64 = 64 << 20;

impl Inner {
    /// Notes what a file holds for which nobody vouches, when the command does not wait for it any more.
    pub(crate) fn note_tree(
        self: &Arc<Self>,
        want: &Want,
        sha256: Sha256,
        file: Option<&File>,
        size_bytes: u64,
    ) {
        let is_known = || self.engine.store.tree_of(&sha256).is_ok_and(|tree| tree.is_some());
        if want.kind() != Kind::File || size_bytes > UNPACKED_BYTES_MAX || is_known() {
            return;
        }
        let Some(Ok(file)) = file.map(File::try_clone) else { return };
        let (inner, key) = (self.clone(), want.key.clone());
        let unpacking = tokio::spawn(async move {
            if let Some(tree) = tree_of(file).await {
                inner.journal(key.url.host(), Event::Unpacked { key: key.clone(), sha256, tree });
            }
        });
        lock(&self.background).push(unpacking);
    }

    /// Returns whether what came holds the same as the first bytes, which are lost.
    pub(crate) async fn is_repacked(&self, first: &Sha256, file: Option<&File>) -> bool {
        let Ok(Some(known)) = self.engine.store.tree_of(first) else { return false };
        let Some(Ok(file)) = file.map(File::try_clone) else { return false };
        tree_of(file).await == Some(known)
    }
}

async fn tree_of(mut file: File) -> Option<Sha256> {
    tokio::task::spawn_blocking(move || archive::tree(&mut file).ok()).await.ok().flatten()
}
