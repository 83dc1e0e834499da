//! An index that is held in another form than the one that is asked for.

use std::cmp::Reverse;

use http::StatusCode;
use model::{Freshness, Held, ObjectKey, SavedHeader, Source};

use crate::decide;
use crate::flight::End;
use crate::limits::INDEX_BYTES_MAX;
use crate::session::Inner;
use crate::want::{Shape, Want, is_as_sent};
use crate::who::Who;

impl Inner {
    /// Answers with an index that was asked for in another form, where its ecosystem can make one of the other; for who has no
    /// credentials. It is made anew each time, and is nobody's word but Outlast's.
    pub(crate) fn in_other_form(&self, want: &Want, freshness: Freshness) -> Option<End> {
        let Shape::Index(index) = &want.shape else { return None };
        if want.who != Who::NOBODY {
            return None;
        }
        let variants = self.engine.store.variants(want.key.method, &want.key.url).ok()?;
        // What somebody's credentials got is for them, and what was refused as it was sent for nobody.
        let is_everybodys = |key: &ObjectKey| !is_as_sent(key) && Who::is_everybodys(&key.variant);
        let others =
            variants.into_iter().filter(|(key, _)| is_everybodys(key) && key.variant != want.key.variant);
        let held = others.filter_map(|(key, _)| self.lookup(&key, want.kind()).ok().flatten());
        let mut held: Vec<Held> = held.filter(decide::is_good).collect();
        held.sort_by_key(|held| Reverse(held.confirmed_at));
        held.into_iter().find_map(|held| {
            let body = self.engine.store.read_blob(&held.sha256, INDEX_BYTES_MAX).ok()?;
            let (media, body) = want.ecosystem.in_form(index, &body)?;
            let blob = self.engine.store.put(&body).ok()?;
            let held = Held {
                status: StatusCode::OK.as_u16(),
                headers: vec![SavedHeader("content-type".to_owned(), media.to_owned())],
                sha256: blob.sha256,
                size_bytes: blob.size_bytes,
                gone_since: match freshness {
                    Freshness::Gone => Some(held.gone_since.unwrap_or_else(|| self.engine.clock.now())),
                    _ => held.gone_since,
                },
                ..held
            };
            let freshness = decide::standing(&held, freshness);
            Some(End::landed(held, Source::Copy, freshness))
        })
    }
}
