//! What landed between a client's look for a copy and its place in the queue of those who want one.

use std::sync::Arc;

use model::{Freshness, Source};

use crate::copy::{Copy, Prior};
use crate::decide::{self, First, Insistence, Situation};
use crate::flight::{End, Flight};
use crate::session::Inner;
use crate::want::Want;

impl Inner {
    /// Fetches an object for whoever found no transfer of it, unless the last one landed a moment ago: in a crowd somebody always
    /// looks before it lands, and joins after it has.
    pub(crate) async fn fetch_unless_landed(
        self: &Arc<Self>,
        want: &Want,
        prior: Prior,
        flight: &Flight,
    ) -> End {
        match self.landed_meanwhile(want, &prior).await {
            Some(end) => end,
            None => self.fetch(want, prior, flight).await,
        }
    }

    /// Returns what is held since `prior` was looked up, where it is good enough to be served without asking.
    async fn landed_meanwhile(&self, want: &Want, prior: &Prior) -> Option<End> {
        let held = self.lookup(&want.key, want.kind()).ok()??;
        if prior.known().is_some_and(|known| known.confirmed_at >= held.confirmed_at) {
            return None;
        }
        let Copy::Good(loaded) = self.copy(want).await else { return None };
        let situation = Situation {
            held: Some(&loaded.held),
            kind: want.kind(),
            now: self.engine.clock.now(),
            fresh_for: self.engine.index_fresh_for,
            client: Insistence::None,
            is_anothers: loaded.is_anothers,
            is_certain: loaded.is_certain,
            may_wait: true,
        };
        let is_fresh = decide::first(&situation) == First::Serve(Freshness::Fresh);
        is_fresh.then(|| End::landed(loaded.held, Source::Copy, Freshness::Fresh))
    }
}
