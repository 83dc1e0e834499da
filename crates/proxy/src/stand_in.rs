//! What takes an upstream's place when it gave nothing that may be passed on.

use std::sync::Arc;
use std::time::Duration;

use host::http::Outgoing;
use http::Response;
use model::{Event, Freshness, Held, ObjectKey, Source, Timestamp};

use crate::ask::Ask;
use crate::copy::{self, Copy, Loaded, Prior};
use crate::decide;
use crate::flight::End;
use crate::plan::Purpose;
use crate::refusal::Refusal;
use crate::session::{Inner, lock};
use crate::want::Want;

/// How long an answer that is told of is not told of again for the same reason.
const TOLD_FOR: Duration = Duration::from_secs(3600);
/// The most that are remembered as told.
const N_TOLD_MAX: usize = 10_000;

impl Inner {
    /// Answers from the copy because the upstream gave nothing that may be passed on.
    pub(crate) fn stand_in(&self, want: &Want, prior: Prior, reason: &str) -> End {
        self.stand_in_for(want.host(), want, prior, reason)
    }

    /// Answers from the copy because `host`, where a redirect may have led, gave nothing that may be passed on.
    pub(crate) fn stand_in_for(&self, host: &str, want: &Want, prior: Prior, reason: &str) -> End {
        match prior {
            Prior::None if let Some(end) = self.in_other_form(want, Freshness::Stale) => {
                self.note_stale_by(host, &want.key, want.lane(), reason);
                end
            }
            Prior::None => {
                let refusal =
                    Refusal::unavailable(format!("nothing is kept for `{}`, and {reason}", want.url));
                End::Failed { refusal: Arc::new(refusal), sha256: None }
            }
            Prior::Lost(lost) => {
                let (refusal, sha256) = lost.refusal(reason);
                End::Failed { refusal: Arc::new(refusal), sha256 }
            }
            Prior::Good(held) if !self.may_stand(want, &held) => {
                let since = held.confirmed_at;
                let why = format!("that `{}` is absent was said at {since}, and {reason}", want.url);
                End::Failed { refusal: Arc::new(Refusal::unavailable(why)), sha256: None }
            }
            Prior::Good(held) => {
                self.note_stale_by(host, &want.key, want.lane(), reason);
                let held = self.standing_copy(want, *held);
                let freshness = decide::standing(&held, Freshness::Stale);
                End::landed(held, Source::Copy, freshness)
            }
        }
    }

    /// Answers with the copy that stands in for the upstream: of a list whose documents are not all held, an earlier one.
    pub(crate) async fn give_standing(&self, ask: &Ask, want: &Want, loaded: Loaded) -> Response<Outgoing> {
        let held = self.standing_copy(want, loaded.held.clone());
        let loaded = match held.sha256 == loaded.held.sha256 {
            true => loaded,
            false => copy::load(&self.engine.store, held, self.small_bytes_max()).await.unwrap_or(loaded),
        };
        let freshness = decide::standing(&loaded.held, Freshness::Stale);
        self.give_copy(ask, loaded, Source::Copy, freshness)
    }

    /// Answers with what was held at a moment, and with nothing newer.
    pub(crate) async fn give_as_of(
        &self,
        ask: &Ask,
        want: &Want,
        copy: Copy,
        at: Timestamp,
    ) -> Response<Outgoing> {
        let trouble = format!("nothing newer than {at} was asked for");
        match copy {
            Copy::Good(loaded) => self.give_standing(ask, want, *loaded).await,
            Copy::Lost(lost) => {
                let (refusal, sha256) = lost.refusal(&trouble);
                self.missing(ask.number, &refusal, sha256)
            }
            Copy::None => {
                let refusal = Refusal::not_held_then(format!("`{}` was not held at {at}", want.url));
                self.missing(ask.number, &refusal, None)
            }
        }
    }

    /// Returns whether a copy may stand in for its upstream. In a drill an absence is what it was in the run that was recorded.
    pub(crate) fn may_stand(&self, want: &Want, held: &Held) -> bool {
        let is_doubted = self.purpose() != Purpose::Drill && want.doubts_absence();
        if decide::is_good(held) || !is_doubted {
            return true;
        }
        // A repository that has not a name says so each time it is asked, and there it stays so.
        let before = held.confirmed_at.checked_sub(decide::DOUBTED_FOR).ok();
        let before = before.and_then(|before| self.engine.store.lookup_at(&want.key, before).ok().flatten());
        let was_said_before = before.is_some_and(|before| !decide::is_good(&before));
        decide::may_stand(held, self.engine.clock.now(), was_said_before)
    }

    /// Leaves an upstream alone that asked for it.
    pub(crate) fn wait_for(&self, want: &Want, prior: Prior, left: Duration) -> End {
        let seconds = left.as_secs() + 1;
        let reason = format!("`{}` asked not to be asked again for {seconds} s", want.host());
        let mut end = self.stand_in(want, prior, &reason);
        if let End::Failed { refusal, .. } = &mut end {
            Arc::make_mut(refusal).retry_after_s = seconds;
        }
        end
    }

    /// Returns whether what is wrong with an answer was not told within the hour: a portal answers everybody in the same way.
    fn is_news_of(&self, key: &ObjectKey, reason: &str) -> bool {
        let (now, mut told) = (self.engine.clock.elapsed(), lock(&self.told_rejections));
        told.retain(|_, (at, _)| now.saturating_sub(*at) < TOLD_FOR);
        if told.get(key).is_some_and(|(_, told)| told == reason) {
            return false;
        }
        if told.len() < N_TOLD_MAX {
            told.insert(key.clone(), (now, reason.to_owned()));
        }
        true
    }

    /// Does not take an answer of `host` that cannot be what was asked for: an event, and the copy if there is one.
    pub(crate) fn refuse_answer(&self, host: &str, want: &Want, prior: Prior, reason: String) -> End {
        self.note_detected(host);
        if self.is_news_of(&want.key, &reason) {
            self.journal(host, Event::Rejected { key: want.key.clone(), reason: reason.clone() });
        }
        if prior.known().is_some() {
            return self.stand_in_for(host, want, prior, &reason);
        }
        End::Failed { refusal: Arc::new(Refusal::wrong(reason)), sha256: None }
    }
}
