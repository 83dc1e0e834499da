//! What takes an upstream's place when it gave nothing that may be passed on.

use std::sync::Arc;
use std::time::Duration;

use model::{Event, Freshness, Source};

use crate::copy::Prior;
use crate::decide;
use crate::flight::End;
use crate::refusal::Refusal;
use crate::session::Inner;
use crate::want::Want;

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
            Prior::Good(held) => {
                self.note_stale_by(host, &want.key, want.lane(), reason);
                let freshness = decide::standing(&held, Freshness::Stale);
                End::landed(*held, Source::Copy, freshness)
            }
        }
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

    /// Does not take an answer of `host` that cannot be what was asked for: an event, and the copy if there is one.
    pub(crate) fn refuse_answer(&self, host: &str, want: &Want, prior: Prior, reason: String) -> End {
        self.note_detected(host);
        self.journal(host, Event::Rejected { key: want.key.clone(), reason: reason.clone() });
        if prior.known().is_some() {
            return self.stand_in_for(host, want, prior, &reason);
        }
        End::Failed { refusal: Arc::new(Refusal::wrong(reason)), sha256: None }
    }
}
